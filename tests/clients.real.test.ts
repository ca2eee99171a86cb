import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { writeAgentKey } from '../packages/cli/src/agent-key.ts';
import { Client } from '../packages/cli/src/client.ts';
import { fromUtf8, openPayload, type PayloadRef, verify } from '../packages/evidence/src/index.ts';
import { type Worker, World } from '../packages/server/test/support/world.ts';
import { proves } from './promises.ts';
import { passOn } from './support/agent-model.mjs';
import { type AgentClient, inItsNetwork, lackingFor, runSession, type Step } from './support/agent-sessions.ts';
import { ofAgents } from './support/agents.ts';
import { Cluster, postgresBinaries } from './support/postgres.ts';

const bin = fileURLToPath(new URL('../bin/deed.mjs', import.meta.url));
const files = fileURLToPath(import.meta.resolve('@modelcontextprotocol/server-filesystem/dist/index.js'));
const gitServer = fileURLToPath(import.meta.resolve('@cyanheads/git-mcp-server'));
const dbhub = ofAgents('@bytebase/dbhub/dist/index.js');
const databases = postgresBinaries !== null && dbhub !== null;

/** Where each client writes the id that the model gave the call. */
const idNames: Readonly<Record<AgentClient, string>> = { 'Claude Code': 'claudecode/toolUseId', Codex: 'callId' };
/** The provider that each asks, as Deed knows it. */
const providers: Readonly<Record<AgentClient, string>> = { 'Claude Code': 'anthropic', Codex: 'openai' };
const clients = Object.keys(idNames) as AgentClient[];
const lacking = new Map(clients.map((client) => [client, lackingFor(client).length > 0]));

let world: World;
let cluster: Cluster;
/** What the agent may touch, and what lies beside it: the tool itself may write both. */
let work: string;
let beside: string;
let repository: string;

const git = (...args: readonly string[]) =>
  execFileSync('git', ['-C', repository, ...args], { encoding: 'utf8' }).trim();

beforeAll(async () => {
  world = await World.begin({ listen: { host: '127.0.0.1', port: 0 } });
  [work, beside] = [join(world.base, 'project', 'work'), join(world.base, 'project', 'beside')];
  repository = join(work, 'repository');
  for (const folder of [repository, beside]) mkdirSync(folder, { recursive: true });
  git('init', '-q', '-b', 'main');
  git('config', 'user.name', 'Agent');
  git('config', 'user.email', 'agent@example.invalid');
  const quiet = { NODE_ENV: 'production', MCP_LOG_LEVEL: 'error', GIT_SIGN_COMMITS: 'false', GIT_BASE_DIR: work };
  const filesArgv = [process.execPath, files, join(world.base, 'project')];
  await world.post('/v1/tools', { name: 'files', kind: 'filesystem', argv: filesArgv, env: {} });
  await world.post('/v1/tools', { name: 'git', kind: 'git', argv: [process.execPath, gitServer], env: quiet });
  if (!databases) return;
  cluster = await Cluster.start();
  await cluster.sql(`
    CREATE ROLE deed_admin LOGIN CREATEROLE PASSWORD 'deed_admin'; CREATE ROLE clerk NOLOGIN;
    GRANT clerk TO deed_admin WITH ADMIN OPTION;
    CREATE TABLE orders (item text); GRANT SELECT, INSERT ON orders TO clerk;
  `);
  const adminFile = join(world.base, 'admin.json');
  writeFileSync(adminFile, '{"user":"deed_admin","password":"deed_admin"}', { mode: 0o600 });
  const at = { host: '127.0.0.1', port: cluster.port, database: 'postgres' };
  await world.post('/v1/brokers', { kind: 'postgres', name: 'orders', ...at, adminFile, roles: ['clerk'], tls: false });
  const dsn = `postgres://\${deed:PGUSER}:\${deed:PGPASSWORD}@127.0.0.1:${cluster.port}/postgres?sslmode=disable`;
  const argv = [process.execPath, dbhub ?? '', '--transport', 'stdio', '--dsn', dsn];
  const credentials = [{ broker: 'orders' }];
  await world.post('/v1/tools', { name: 'orders', kind: 'plain', argv, env: {}, credentials });
}, 60_000);
afterAll(async () => {
  await world?.end();
  await cluster?.stop();
});

const servers = ['files', 'git', ...(databases ? ['orders'] : [])];

/** An agent at work, and the configuration with which its client reaches these servers through Deed. */
async function atWork(names: readonly string[]) {
  const worker = await world.worker(
    names.map((server) => (server === 'orders' ? { server } : { server, paths: { under: [work] } })),
  );
  const { id: agent, spiffe, key } = worker.agent;
  const keyFile = join(world.base, `${worker.task}.json`);
  writeAgentKey(keyFile, { agent, spiffe, key, origin: world.made.origin });
  const run = ['mcp', 'run', '--socket', world.serving.socket, '--task', worker.task, '--key', keyFile, '--server'];
  const entries = names.map((name) => [name, { command: process.execPath, args: [bin, ...run, name] }]);
  return { ...worker, mcpServers: Object.fromEntries(entries) };
}

type AtWork = Worker & { readonly mcpServers: Readonly<Record<string, { command: string; args: string[] }>> };

/** A way from a client to its model through Deed, for a client and a model that are in another network. */
async function modelWay(client: AgentClient, task: string, base: string) {
  const [inside, outside] = [join(base, 'inside.sock'), join(base, 'outside.sock')];
  const listening = new URL(world.serving.url ?? '');
  const toDeed = await passOn([inside], { host: listening.hostname, port: Number(listening.port) });
  const toModel = await passOn([0, '127.0.0.1'], { path: outside });
  onTestFinished(() => [toDeed, toModel].forEach(({ stop }) => void stop()));
  const name = providers[client];
  await world.post('/v1/models', { name, url: `http://127.0.0.1:${toModel.port}` });
  const { key } = await world.post('/v1/model-keys', { task });
  return { inside, outside, path: `/model/${key}/${name}` };
}

/** A session of a client that knows these servers, asks its user nothing, and its model through Deed. */
async function sessionOf(client: AgentClient, { task, mcpServers }: AtWork, steps: readonly Step[]): Promise<string> {
  const base = join(world.base, `${client}-${task}`.replace(' ', '-'));
  mkdirSync(base);
  const model = await modelWay(client, task, base);
  const args =
    client === 'Codex'
      ? Object.entries(mcpServers).flatMap(([name, { command, args }]) => {
          const at = `mcp_servers.${name}`;
          const approved = [
            `${at}.default_tools_approval_mode="approve"`,
            `${at}.startup_timeout_sec=60`,
            `${at}.required=true`,
          ];
          return [`${at}.command=${JSON.stringify(command)}`, `${at}.args=${JSON.stringify(args)}`, ...approved];
        })
      : ['--mcp-config', JSON.stringify({ mcpServers }), '--strict-mcp-config', '--allowedTools'];
  if (client === 'Codex')
    return runSession(client, { base, project: work, steps, model, args: args.flatMap((set) => ['-c', set]) });
  return runSession(client, {
    base,
    project: work,
    steps,
    model,
    args: [...args, steps.map(({ name }) => name).join(',')],
  });
}

function textOf(ref: PayloadRef | null | undefined): string {
  const { vault } = world.serving.deployment.authority;
  return ref ? fromUtf8(openPayload(vault.get(ref.sha256), ref.sha256).bytes) : 'null';
}

interface Called {
  readonly record: PayloadRef | null;
  readonly authority: { readonly evidence: PayloadRef | null } | null;
}

/** What the receipts of a task say: intents with their outcomes, in order, and refusals. */
function receiptsOf(client: AgentClient, task: string) {
  const outcomes = world.of(task, 'outcome');
  const callOf = ({ record, authority }: Called) => {
    const { message } = JSON.parse(textOf(authority?.evidence)); // beside the token and its proof
    const id = JSON.parse(message).params._meta[idNames[client]];
    return { id, arguments: JSON.parse(JSON.parse(textOf(record)).arguments) };
  };
  const done = world.of(task, 'intent').map(({ digest, observed, body }) => {
    const end = outcomes.filter((outcome) => outcome.body.intent === digest).at(-1)?.body;
    const call = { observed, tool: body.tool.name, ...callOf(body) };
    return { ...call, status: end?.status, result: JSON.parse(textOf(end?.result))?.result };
  });
  const refused = world
    .of(task, 'refusal')
    .map(({ body }) => ({ tool: body.tool?.name, ...callOf(body), reason: body.reason }));
  return { done, refused };
}

async function verdictOf(task: string) {
  await world.closeTask(task);
  const exported = await new Client(world.dir).postForBytes(`/v1/tasks/${task}/case`);
  return verify(exported, { trust: world.made.trustFile });
}

describe.each(clients)('%s', { timeout: 120_000 }, (client) => {
  test.skipIf(lacking.get(client))(
    'has each call to a server of others on a receipt, with its arguments, its result, and exactly the prompt that led to it',
    async () => {
      const by = client.replace(' ', '-');
      const [written, refused] = [join(repository, `${by}.txt`), join(beside, `${by}.txt`)];
      const sql = `INSERT INTO orders VALUES ('${by}') RETURNING item`;
      const steps = [
        { id: 'call_1', name: 'mcp__files__write_file', arguments: { path: written, content: 'one\n' } },
        { id: 'call_2', name: 'mcp__files__write_file', arguments: { path: refused, content: 'two\n' } },
        { id: 'call_3', name: 'mcp__git__git_add', arguments: { path: repository, paths: ['.'] } },
        { id: 'call_4', name: 'mcp__git__git_commit', arguments: { path: repository, message: `by ${client}` } },
        ...(databases ? [{ id: 'call_5', name: 'mcp__orders__execute_sql', arguments: { sql } }] : []),
      ];
      const worker = await atWork(servers);
      const said = await sessionOf(client, worker, steps);
      expect(said).toContain('All done.');

      const { done, refused: refusals } = receiptsOf(client, worker.task);
      const call = (at: number) => {
        const { id, name, arguments: args } = steps[at] as Required<Step>;
        return { id, tool: name.split('__')[2], arguments: args };
      };
      const expected = [0, 2, 3, ...(databases ? [4] : [])].map((at) => ({
        ...{ observed: 'gateway-observed', status: 'ok', ...call(at) },
      }));
      expect(done).toMatchObject(expected);
      const prompts = world.of(worker.task, 'intent').map(({ body }) => body.prompt);
      expect(prompts).toMatchObject(expected.map(({ id }) => ({ link: 'exact', call: id, exchange: { kept: true } })));
      expect(refusals).toMatchObject([{ reason: 'outside-grant', ...call(1) }]);

      expect(readFileSync(written, 'utf8')).toBe('one\n');
      expect(existsSync(refused)).toBe(false);
      expect(git('log', '-1', '--format=%s')).toBe(`by ${client}`);
      expect(JSON.stringify(done[2]?.result)).toContain(git('rev-parse', 'HEAD'));
      if (databases) {
        expect(await cluster.sql(`SELECT item FROM orders WHERE item = '${by}'`)).toEqual([{ item: by }]);
        expect(JSON.stringify(done[3]?.result)).toContain(by);
      }
      expect(await verdictOf(worker.task)).toMatchObject({ verdict: 'VERIFIED', reasons: [] });
    },
  );
});

/** A pipe that somebody reads from as soon as a call is under way. */
function pipe(name: string): string {
  const path = join(work, name);
  execFileSync('mkfifo', [path]);
  return path;
}

/** Resolves when somebody reads from a pipe, which then gets nothing for as long as this test runs. */
async function opened(path: string): Promise<void> {
  const pipe = await open(path, 'w');
  onTestFinished(() => pipe.close());
}

/** Calls that do not end by themselves, and how it is seen that they are under way. */
const endless = {
  files: () => {
    const path = pipe('read-me');
    const edits = [{ oldText: 'a', newText: 'b' }];
    return { name: 'mcp__files__edit_file', arguments: { path, edits }, underWay: () => opened(path) };
  },
  git: () => {
    const path = pipe('hooked');
    writeFileSync(join(repository, '.git', 'hooks', 'pre-commit'), `#!/bin/sh\nsleep 600 > ${path}.never < ${path}\n`, {
      mode: 0o755,
    });
    const args = { path: repository, message: 'never', allowEmpty: true };
    return { name: 'mcp__git__git_commit', arguments: args, underWay: () => opened(path) };
  },
  orders: () => {
    const sql = 'SELECT pg_sleep(600)';
    const underWay = async () => {
      const running = `SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE '${sql}%'`;
      while ((await cluster.sql(running)).length === 0);
    };
    return { name: 'mcp__orders__execute_sql', arguments: { sql }, underWay };
  },
} as const;

test.skipIf(!databases || [...lacking.values()].includes(true))(
  'a client has no way but through Deed: in its network there is not even the database that its calls reach',
  async () => {
    const ends =
      ".on('connect', () => process.exit(console.log('there'))).on('error', ({ code }) => console.log(code))";
    const script = `require('node:net').connect(${cluster.port}, '127.0.0.1')${ends}`;
    expect(execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' })).toBe('there\n');
    expect(await inItsNetwork(world.base, process.execPath, '-e', script)).toBe('ECONNREFUSED\n');
    expect(await inItsNetwork(world.base, 'ip', '-o', 'link')).toMatch(/^1: lo: .*\n$/);
  },
);

const killed = [
  { server: 'files', client: 'Codex', program: 'server-filesystem' },
  { server: 'git', client: 'Claude Code', program: 'git-mcp-server' },
  { server: 'orders', client: 'Codex', program: 'dbhub' },
] as const;

describe.each(killed)('The server $server, called by $client', { timeout: 120_000 }, ({ server, client, program }) => {
  const skipped = lacking.get(client) || !servers.includes(server);
  test.skipIf(skipped)(
    'leaves the outcome unknown when it is killed while it acts, in a case that verifies',
    async () => {
      proves('unknown-outcome');
      const { underWay, ...step } = endless[server]();
      const worker = await atWork([server]);
      const session = sessionOf(client, worker, [{ id: 'call_1', ...step }]);
      await Promise.race([underWay(), session]);
      expect(kill(program)).toBe(1);
      expect(await session).toContain('All done.');
      const { done } = receiptsOf(client, worker.task);
      expect(done).toMatchObject([{ id: 'call_1', arguments: step.arguments, status: 'unknown', result: undefined }]);
      expect(await verdictOf(worker.task)).toMatchObject({ verdict: 'VERIFIED', reasons: [] });
    },
  );
});

/** Ends the tool's processes whose command names a program, as a crash does. @returns how many there were */
function kill(program: string): number {
  const pids = readdirSync('/proc').filter((pid) => {
    try {
      const parent = /^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
      return Number(parent) === process.pid && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(program);
    } catch {
      return false; // it ended meanwhile, or is no process
    }
  });
  for (const pid of pids) process.kill(Number(pid), 'SIGKILL');
  return pids.length;
}

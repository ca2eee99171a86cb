import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeAgentKey } from '../packages/cli/src/agent-key.ts';
import { Client } from '../packages/cli/src/client.ts';
import { deed } from '../packages/cli/test/support/cli.ts';
import { fromUtf8, openPayload, type PayloadRef, verify } from '../packages/evidence/src/index.ts';
import { approvingPolicy } from '../packages/server/test/support/policy.ts';
import { World } from '../packages/server/test/support/world.ts';
import { proves } from './promises.ts';
import { lackingFor, runSession, type Step } from './support/agent-sessions.ts';

const listen = { host: '127.0.0.1', port: 0 };
const bin = fileURLToPath(new URL('../bin/deed.mjs', import.meta.url));
const files = fileURLToPath(
  new URL('../node_modules/@modelcontextprotocol/server-filesystem/dist/index.js', import.meta.url),
);
const lacking = lackingFor('Claude Code');

let world: World;
let project: string;

/** A session in which the model makes these calls, one after the other. */
async function run(steps: readonly Step[], ...args: readonly string[]) {
  return JSON.parse(await runSession('Claude Code', { base: world.base, project, steps, args }));
}

const bash = (command: string): Step => ({ name: 'Bash', arguments: { command, description: 'a test' } });

function contentOf(ref: PayloadRef | null | undefined) {
  const { vault } = world.serving.deployment.authority;
  return JSON.parse(ref ? fromUtf8(openPayload(vault.get(ref.sha256), ref.sha256).bytes) : 'null');
}

/** What the receipts of a task say, action by action. */
function actionsOf(task: string) {
  const outcomes = world.of(task, 'outcome');
  return world.of(task, 'intent').map(({ digest, observed, body }) => {
    const end = outcomes.filter((outcome) => outcome.body.intent === digest).at(-1)?.body;
    const record = contentOf(body.record);
    return {
      ...{ observed, tool: body.tool.name, arguments: JSON.parse(record.arguments) },
      ...{ id: contentOf(body.authority.evidence).params._meta['claudecode/toolUseId'] },
      ...{ status: end?.status, result: contentOf(end?.result) },
    };
  });
}

async function tasks(): Promise<string[]> {
  const { body } = await world.api('GET', '/v1/tasks');
  return body.tasks.map(({ task }: { task: string }) => task);
}

async function exported(task: string): Promise<Uint8Array> {
  return new Client(world.dir).postForBytes(`/v1/tasks/${task}/case`);
}

describe.skipIf(lacking.length > 0)('Claude Code', { timeout: 180_000 }, () => {
  beforeAll(async () => {
    world = await World.begin();
    project = join(world.base, 'project');
    mkdirSync(project);
    const server = { command: process.execPath, args: [files, project], env: { NOTES_TOKEN: 'nt-0123456789' } };
    writeFileSync(join(project, '.mcp.json'), JSON.stringify({ mcpServers: { files: server } }));
    await deed('mcp', 'wrap', join(project, '.mcp.json'), '--data', world.dir);
    await deed('hook', 'install', join(project, 'settings.json'), '--data', world.dir);
  }, 60_000);
  afterAll(() => world?.end());

  const allowed = ['--allowedTools', 'Bash,Write,mcp__files__write_file'];
  const settings = ['--settings', 'settings.json', '--mcp-config', '.mcp.json', '--strict-mcp-config'];

  test('has each call on a receipt, with its id, arguments and result: its own tools by hooks, and servers by the gateway', async () => {
    const mcp = { path: join(project, 'by-mcp.txt'), content: 'by mcp' };
    const steps = [
      bash('echo hi > made.txt; cat made.txt'),
      { name: 'Write', arguments: { file_path: join(project, 'written.txt'), content: 'written' } },
      { name: 'mcp__files__write_file', arguments: mcp },
      bash('exit 3'),
    ];
    const result = await run(steps, ...settings, ...allowed);
    expect(result).toMatchObject({ is_error: false, result: 'All done.', permission_denials: [] });
    for (const [name, text] of Object.entries({ 'made.txt': 'hi\n', 'written.txt': 'written', 'by-mcp.txt': 'by mcp' }))
      expect(readFileSync(join(project, name), 'utf8')).toBe(text);

    const [hooked = '', passed = ''] = (await tasks()).sort((a, b) => actionsOf(b).length - actionsOf(a).length);
    const told = actionsOf(hooked);
    expect(told).toMatchObject([
      {
        observed: 'hook',
        tool: 'Bash',
        status: 'ok',
        arguments: steps[0]?.arguments,
        result: { tool_response: { stdout: 'hi' } },
      },
      { observed: 'hook', tool: 'Write', status: 'ok', arguments: steps[1]?.arguments },
      { observed: 'hook', tool: 'mcp__files__write_file', status: 'ok', arguments: mcp },
      { observed: 'hook', tool: 'Bash', status: 'error', result: { error: 'Exit code 3' } },
    ]);
    expect(new Set(told.map(({ id }) => id)).size).toBe(4);
    for (const { id, result: event } of told) expect(event.tool_use_id).toBe(id);
    // The same call, as it passed the gateway on its way to the server that Deed started.
    expect(actionsOf(passed)).toMatchObject([
      { observed: 'gateway-observed', tool: 'write_file', arguments: mcp, status: 'ok', id: told[2]?.id },
    ]);
    for (const task of [hooked, passed]) {
      const report = verify(await exported(task), { trust: world.made.trustFile });
      expect(report).toMatchObject({ verdict: 'VERIFIED', reasons: [] });
    }
  });

  test('does not do what its user does not allow, although Deed would, and its receipt says unknown', async () => {
    const result = await run([bash('touch not-allowed')], ...settings);
    expect(result.permission_denials).toMatchObject([{ tool_name: 'Bash' }]);
    expect(existsSync(join(project, 'not-allowed'))).toBe(false);
    expect(actionsOf((await tasks())[0] ?? '')).toMatchObject([{ tool: 'Bash', status: 'unknown' }]);
  });

  test('does nothing that policy refuses, nor anything at all without a server', async () => {
    const git = { file_path: join(project, '.git', 'config'), content: 'x' };
    await run([{ name: 'Write', arguments: git }], ...settings, ...allowed);
    expect(existsSync(git.file_path)).toBe(false);
    expect(world.of((await tasks())[0] ?? '', 'refusal')).toMatchObject([
      { observed: 'hook', body: { reason: 'denied' } },
    ]);
    await world.serving.close();
    try {
      const result = await run([bash('touch without-server')], ...settings, ...allowed);
      expect(result).toMatchObject({ is_error: false });
      expect(existsSync(join(project, 'without-server'))).toBe(false);
    } finally {
      world.serving = await world.serve();
    }
  });
});

describe.skipIf(lacking.length > 0)('Claude Code, before a call that waits for a person,', { timeout: 180_000 }, () => {
  let task: string;
  let asked: string;

  beforeAll(async () => {
    const limits = { holdMs: 2_000 };
    world = await World.begin({ policyFolder: approvingPolicy('write_file'), limits, listen });
    project = join(world.base, 'project');
    mkdirSync(project);
    const argv = [process.execPath, files, project];
    await world.post('/v1/tools', { name: 'files', kind: 'filesystem', argv, env: {} });
    const worker = await world.worker([{ server: 'files', paths: { under: [project] } }]);
    task = worker.task;
    const keyFile = join(world.base, 'agent.json');
    const { id: agent, spiffe, key } = worker.agent;
    writeAgentKey(keyFile, { agent, spiffe, key, origin: world.made.origin });
    const run = ['mcp', 'run', '--socket', world.serving.socket, '--server', 'files', '--task', task, '--key', keyFile];
    const server = { command: process.execPath, args: [bin, ...run] };
    writeFileSync(join(project, '.mcp.json'), JSON.stringify({ mcpServers: { files: server } }));
    asked = join(world.base, 'asked');
    const accept = { hookSpecificOutput: { hookEventName: 'Elicitation', action: 'accept', content: {} } };
    const command = `cat >> ${asked}; echo >> ${asked}; echo '${JSON.stringify(accept)}'`;
    const hooks = { Elicitation: [{ hooks: [{ type: 'command', command }] }] };
    writeFileSync(join(project, 'settings.json'), JSON.stringify({ hooks }));
  }, 60_000);
  afterAll(() => world?.end());

  const settings = ['--settings', 'settings.json', '--mcp-config', '.mcp.json', '--strict-mcp-config'];

  test('gets nothing through by a hook that accepts in the place of its user, and the call runs once it is approved', async () => {
    proves('invariant-7');
    const file = join(project, 'paid.txt');
    const write = { name: 'mcp__files__write_file', arguments: { path: file, content: 'paid' } };
    const again = () => run([write], ...settings, '--allowedTools', 'mcp__files__write_file');
    await again();
    expect(readFileSync(asked, 'utf8')).toContain('/approvals/act_');
    expect(existsSync(file)).toBe(false);
    expect(world.of(task, 'intent')).toEqual([]);
    await world.answer(await world.held(), 'approve');
    await again();
    expect(readFileSync(file, 'utf8')).toBe('paid');
    expect(world.of(task, 'intent').map(({ body }) => body.approvals.length)).toEqual([1]);
  });
});

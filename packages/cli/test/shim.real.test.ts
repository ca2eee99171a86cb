import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { Client as McpClient } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { proves } from '../../../tests/promises.ts';
import { fixture, type Worker, World } from '../../server/test/support/world.ts';
import { writeAgentKey } from '../src/agent-key.ts';
import { Client, type ToolChoice } from '../src/client.ts';
import { runShim } from '../src/shim.ts';

// Each of these starts several processes, one after the other.
vi.setConfig({ testTimeout: 60_000 });

const deed = fileURLToPath(new URL('../../../bin/deed.mjs', import.meta.url));
const entry = createRequire(import.meta.url).resolve('@modelcontextprotocol/server-filesystem/dist/index.js');

let world: World;
let work: string;
let files: readonly string[];
let tiny: readonly string[];
beforeAll(async () => {
  world = await World.begin();
  work = join(world.base, 'work');
  mkdirSync(work);
  files = await world.tool('files', [process.execPath, entry, work], 'filesystem');
  tiny = await world.tool('fixture', ['/bin/sh', fixture('tiny.sh')]);
});
afterAll(() => world.end());

function keyFile({ agent, task }: Worker): string {
  const file = join(world.base, `${task}.json`);
  writeAgentKey(file, { agent: agent.id, spiffe: agent.spiffe, origin: world.made.origin, key: agent.key });
  return file;
}

function env(): Record<string, string> {
  return Object.fromEntries(Object.entries(process.env).flatMap(([key, value]) => (value ? [[key, value]] : [])));
}

/** The official client, which starts the shim as its tool server. */
async function connect(worker: Worker): Promise<{ client: McpClient; stderr: () => string }> {
  const task = ['--task', worker.task, '--key', keyFile(worker)];
  const args = [deed, 'mcp', 'run', '--data', world.dir, ...task, '--', ...files];
  const client = new McpClient({ name: 'test', version: '1' }, { versionNegotiation: { mode: 'auto' } });
  const transport = new StdioClientTransport({ command: process.execPath, args, env: env(), stderr: 'pipe' });
  let said = '';
  transport.stderr?.on('data', (chunk: Buffer) => {
    said += chunk;
  });
  await client.connect(transport);
  return { client, stderr: () => said };
}

test('the official client negotiates its version and works through the shim, which it starts twice', async () => {
  proves('invariant-1');
  const worker = await world.worker([{ server: 'files', paths: { under: [work] } }]);
  const { client, stderr } = await connect(worker);
  expect((await client.listTools()).tools.map(({ name }) => name)).toContain('write_file');
  const path = join(work, 'written');
  const written = await client.callTool({ name: 'write_file', arguments: { path, content: 'through' } });
  expect(written.isError ?? false).toBe(false);
  expect(readFileSync(path, 'utf8')).toBe('through');
  const read = await client.callTool({ name: 'read_text_file', arguments: { path } });
  expect(read.structuredContent).toEqual({ content: 'through' });
  await client.close();
  expect(stderr()).toContain('Secure MCP Filesystem Server running on stdio\n');
  await world.settled(); // nobody waits for what is only looked at
  expect(world.of(worker.task, 'intent').map(({ body }) => body.tier)).toEqual(['record', 'observe']);
  expect(world.of(worker.task, 'outcome').map(({ body }) => body.status)).toEqual(['ok', 'ok']);
});

/** A shim in this process: what the client writes goes in, what it would read comes out. */
function shim(tool: ToolChoice, worker: Worker) {
  const [input, output, errors] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const { agent, task } = worker;
  const identity = { key: agent.key, spiffe: agent.spiffe, origin: world.made.origin, task };
  const ended = runShim({ client: new Client(world.dir), tool, agent: identity, input, output, errors });
  const lines = (async function* () {
    let rest = '';
    for await (const text of output.setEncoding('utf8')) {
      const parts = (rest + text).split('\n');
      rest = parts.pop() ?? '';
      yield* parts.map((line) => JSON.parse(line));
    }
  })();
  const next = async () => (await lines.next()).value;
  return { input, next, ended, errors };
}

const call = (id: number) =>
  `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"echo","arguments":{}}}`;

test('a line of 100 MB gets a coded error from the shim, and the next line goes on', async () => {
  proves('strict-input');
  const worker = await world.worker();
  const { input, next, ended } = shim({ argv: tiny }, worker);
  const part = Buffer.alloc(1 << 20, 'a');
  for (let i = 0; i < 100; i++) input.write(part);
  input.write(`\n${call(1)}\n`);
  expect(await next()).toMatchObject({ id: null, error: { data: { deed: 'too-large' } } });
  expect(await next()).toMatchObject({ id: 1, result: { content: [] } });
  input.end();
  await ended;
});

test('a last line without its newline is no message', async () => {
  proves('strict-input');
  const worker = await world.worker();
  const { input, next, ended } = shim({ argv: tiny }, worker);
  input.write(`${call(1)}\n`);
  expect(await next()).toMatchObject({ id: 1 });
  input.end(call(2));
  await ended;
  expect(world.of(worker.task, 'intent')).toHaveLength(1);
});

test('what a tool writes to its stderr reaches the stderr of the shim as it is, without the values of its variables', async () => {
  const script = 'printf "\\303 %s %s\\n" "$SECRET" "$SHORT" >&2; exec cat >/dev/null';
  const argv = ['/bin/sh', '-c', script];
  await world.post('/v1/tools', {
    name: 'talks',
    kind: 'plain',
    argv,
    env: { SECRET: 'pässword-1', SHORT: 'seven77' },
  });
  const { input, ended, errors } = shim({ argv }, await world.worker([{ server: 'talks' }]));
  input.write('{"jsonrpc":"2.0","method":"notifications/initialized"}\n');
  const [said] = (await once(errors, 'data')) as [Buffer];
  expect(said.toString('latin1')).toBe('\xc3 [SECRET] seven77\n');
  input.end();
  await ended;
});

test('lines sent at once are each signed and reach the tool in their order', async () => {
  const worker = await world.worker();
  const { input, next, ended } = shim({ argv: tiny }, worker);
  input.write(Array.from({ length: 20 }, (_, id) => `${call(id)}\n`).join(''));
  const answered = new Set<number>();
  while (answered.size < 20) answered.add((await next()).id);
  input.end();
  await ended;
  expect(world.of(worker.task, 'outcome').filter(({ body }) => body.status === 'ok')).toHaveLength(20);
});

test('a tool server is named by its registration as well, and no other name is', async () => {
  const worker = await world.worker();
  const { input, next, ended } = shim({ name: 'fixture' }, worker);
  input.write(`${call(1)}\n`);
  expect(await next()).toMatchObject({ id: 1, result: { content: [] } });
  input.end();
  await ended;
  await expect(shim({ name: 'nobody' }, worker).ended).rejects.toMatchObject({ code: 'tool-unregistered' });
});

test('after the end of its task the shim goes on, so that what the agent tries is refused and recorded', async () => {
  proves('invariant-5');
  const worker = await world.worker();
  const { input, next, ended } = shim({ argv: tiny }, worker);
  input.write(`${call(1)}\n`);
  await next();
  await world.closeTask(worker.task);
  input.write(`${call(2)}\n`);
  expect(await next()).toMatchObject({ id: 2, result: { isError: true } });
  input.end();
  await ended;
  expect(world.of(worker.task, 'refusal')).toMatchObject([
    { body: { reason: 'task-closed' }, position: { chain: 'after' } },
  ]);
});

/** Runs the command line to its end. */
function run(...args: readonly string[]): Promise<{ readonly code: number; readonly err: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [deed, ...args], (error, _out, err) =>
      resolve({ code: error ? Number(error.code) : 0, err }),
    );
    child.stdin?.end();
  });
}

test('a command that nobody registered ends the shim with the command to type', async () => {
  const { code, err } = await run('mcp', 'run', '--data', world.dir, '--', '/bin/cat', '/nowhere');
  expect(code).not.toBe(0);
  expect(err).toMatch(/type: deed tool add NAME -- \S+ \/nowhere/);
});

test('without a server the shim starts none, and says what to type', async () => {
  const { code, err } = await run('mcp', 'run', '--data', work, '--', '/bin/cat');
  expect(code).not.toBe(0);
  expect(err).toContain(`deed up --data ${work}`);
});

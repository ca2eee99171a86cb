import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parseStatement } from '@deed/evidence';
import { openReadOnly } from '@deed/store';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { proves } from '../../../tests/promises.ts';
import { startDirectly } from './support/direct.ts';
import { World } from './support/world.ts';

let world: World;
let whenAsked: () => void = () => {};
let argv: readonly string[];

beforeAll(async () => {
  world = await World.begin();
  argv = await world.scripted(await world.gate(() => whenAsked()));
});
afterAll(() => world.end());

test('at tier record the intent is durable before the tool sees the call', async () => {
  proves('invariant-1');
  const worker = await world.worker();
  let seen: readonly string[] = [];
  whenAsked = () => {
    const reader = openReadOnly(world.dir);
    const rows = reader.all<{ body: Uint8Array }>('SELECT body FROM entry WHERE series = ? ORDER BY n', worker.task);
    seen = rows.map(({ body }) => parseStatement(body).predicate);
    reader.close();
  };
  const connection = await world.connect(argv, worker);
  expect(await connection.call('gate')).toEqual({ isError: false, text: 'through' });
  expect(seen).toEqual(['task-opened', 'intent']);
  const [intent] = world.of(worker.task, 'intent');
  const [outcome] = world.of(worker.task, 'outcome');
  expect(intent?.body.tier).toBe('record');
  expect(outcome?.body).toMatchObject({ intent: intent?.digest, status: 'ok' });
  await connection.close();
});

test('a denied write leaves the file as it was, while the same tool started directly writes it', async () => {
  const work = join(world.base, 'work');
  mkdirSync(join(work, 'mine'), { recursive: true });
  const file = join(work, 'other.txt');
  writeFileSync(file, 'before');
  const entry = createRequire(import.meta.url).resolve('@modelcontextprotocol/server-filesystem/dist/index.js');
  const files = [process.execPath, entry, work];
  await world.tool('files', files, 'filesystem');
  const worker = await world.worker([{ server: 'files', paths: { under: [join(work, 'mine')] } }]);
  const write = { name: 'write_file', arguments: { path: file, content: 'after' } };

  const connection = await world.connect(files, worker);
  const refused = await connection.call(write.name, write.arguments);
  expect(refused).toMatchObject({ isError: true, text: expect.stringContaining('outside-grant') });
  expect(readFileSync(file, 'utf8')).toBe('before');
  expect(world.of(worker.task, 'refusal')[0]?.body).toMatchObject({ reason: 'outside-grant', cites: null });
  expect(world.of(worker.task, 'intent')).toEqual([]);
  await connection.close();

  const direct = startDirectly(files);
  await direct.request('initialize', {
    protocolVersion: '2025-06-18',
    capabilities: {},
    clientInfo: { name: 'test', version: '1' },
  });
  direct.send('{"jsonrpc":"2.0","method":"notifications/initialized"}');
  await direct.request('tools/call', write);
  expect(readFileSync(file, 'utf8')).toBe('after');
  await direct.end();
});

test('a session whose message carries a token of another task is refused, and the tool never starts', async () => {
  const agent = await world.enrol('two-tasks');
  const [one, other] = [await world.worker(undefined, agent), await world.worker(undefined, agent)];
  const before = world.calls().length;
  const connection = await world.connect(argv, { ...one, sign: other.sign });
  expect((await connection.request('tools/call', { name: 'echo', arguments: {} })).error?.data?.deed).toBe(
    'token-invalid',
  );
  await connection.close();
  expect(world.calls()).toHaveLength(before);
});

test('a later message with a token of another task is refused and recorded there', async () => {
  const agent = await world.enrol('two-more-tasks');
  const [one, other] = [await world.worker(undefined, agent), await world.worker(undefined, agent)];
  const connection = await world.connect(argv, one);
  expect((await connection.call('echo')).isError).toBe(false);
  const before = world.calls().length;
  const line = '{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"echo","arguments":{}}}';
  const answered = connection.answer('x');
  await connection.send(line, await other.sign(Buffer.from(line)));
  expect((await answered).result).toMatchObject({ isError: true });
  expect(world.calls()).toHaveLength(before);
  expect(world.of(other.task, 'refusal')[0]?.body).toMatchObject({ reason: 'denied', cites: null });
  expect(world.of(one.task, 'refusal')).toEqual([]);
  await connection.close();
});

test('the intent names the pinned definition and the program', async () => {
  const worker = await world.worker();
  const connection = await world.connect(argv, worker);
  await connection.call('echo', { a: 1 });
  const pinned = world.of('tools', 'tool-pinned').find(({ body }) => body.tool === 'echo');
  const [intent] = world.of(worker.task, 'intent');
  expect(intent?.body.tool).toEqual({
    server: 'fixture',
    name: 'echo',
    definition: pinned?.body.definition,
    executable: pinned?.body.executable,
  });
  await connection.close();
});

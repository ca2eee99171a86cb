import { afterAll, beforeAll, expect, test } from 'vitest';
import { proves } from '../../../tests/promises.ts';
import type { Connection, Reply } from './support/connection.ts';
import { type Worker, World } from './support/world.ts';

let world: World;
let argv: readonly string[];
let worker: Worker;
let connection: Connection;
/** Resolves when the tool waits in its `gate`, with what lets it go on. */
let waits = Promise.withResolvers<() => void>();
beforeAll(async () => {
  world = await World.begin();
  argv = await world.scripted(await world.gate(() => new Promise<void>((resolve) => waits.resolve(resolve))));
  worker = await world.worker();
  connection = await world.connect(argv, worker);
  await connection.request('tools/list');
});
afterAll(async () => {
  await connection.close();
  await world.end();
});

const echo = '"method":"tools/call","params":{"name":"echo","arguments":{}}';

/** Sends what is no message and gives the error; then shows that the session goes on and nothing reached the tool. */
async function refused(line: string | Uint8Array): Promise<Reply['error']> {
  const before = world.marks().length;
  const intents = world.of(worker.task, 'intent').length;
  const answered = connection.answer(null);
  await connection.send(line);
  const { error } = await answered;
  expect(world.marks()).toHaveLength(before);
  expect(world.of(worker.task, 'intent')).toHaveLength(intents);
  expect(await connection.call('echo', { on: true })).toEqual({ isError: false, text: '{"on":true}' });
  return error;
}

test.each([
  ['no JSON', '{"jsonrpc":"2.0","id":1,'],
  ['two values', `{"jsonrpc":"2.0","id":1,${echo}} {}`],
  ['a batch', `[{"jsonrpc":"2.0","id":1,${echo}}]`],
  ['an empty batch', '[]'],
  ['no object', '"tools/call"'],
  ['a duplicate key', `{"jsonrpc":"2.0","id":1,"method":"ping",${echo}}`],
  [
    'a duplicate key deep inside',
    '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"a":{"b":1,"b":2}}}}',
  ],
  ['a duplicate key spelled with an escape', `{"jsonrpc":"2.0","id":1,"m\\u0065thod":"ping",${echo}}`],
  ['keys that differ in case alone', `{"jsonrpc":"2.0","id":1,"Method":"ping",${echo}}`],
  [
    'names that differ in case alone',
    '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","NAME":"die"}}',
  ],
  ['another jsonrpc', `{"jsonrpc":"1.0","id":1,${echo}}`],
  ['no jsonrpc', `{"id":1,${echo}}`],
  ['a null id', `{"jsonrpc":"2.0","id":null,${echo}}`],
  ['an object for an id', `{"jsonrpc":"2.0","id":{},${echo}}`],
  ['an integer that a double cannot hold', `{"jsonrpc":"2.0","id":9007199254740993,${echo}}`],
  ['a method that is no string', '{"jsonrpc":"2.0","id":1,"method":7}'],
  ['neither a method nor a result', '{"jsonrpc":"2.0","id":1}'],
  ['a byte order mark', `\ufeff{"jsonrpc":"2.0","id":1,${echo}}`],
  ['a lone surrogate', '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo\\ud800"}}'],
  ['nesting without end', `{"jsonrpc":"2.0","id":1,"method":"ping","params":${'['.repeat(5000)}${']'.repeat(5000)}}`],
])('%s gets a coded error, nothing is dispatched and the session goes on', async (_what, line) => {
  proves('strict-input');
  expect(await refused(line)).toMatchObject({ code: -32700, data: { deed: 'message' } });
});

test.each([
  ['a byte that is not UTF-8', Buffer.from(`{"jsonrpc":"2.0","id":1,${echo},"x":"\xff"}`, 'latin1')],
  ['an overlong encoding', Buffer.from(`{"jsonrpc":"2.0","id":1,${echo},"x":"\xc0\xaf"}`, 'latin1')],
  ['an encoded surrogate', Buffer.from(`{"jsonrpc":"2.0","id":1,${echo},"x":"\xed\xa0\x80"}`, 'latin1')],
])('%s gets a coded error, nothing is dispatched and the session goes on', async (_what, line) => {
  proves('strict-input');
  expect(await refused(line)).toMatchObject({ code: -32700, data: { deed: 'message' } });
});

test('a line of 100 MB gets a coded error, nothing is dispatched and the session goes on', async () => {
  proves('strict-input');
  const line = Buffer.alloc(100 * 1024 * 1024, 'a');
  line.write(`{"jsonrpc":"2.0","id":1,${echo},"x":"`);
  line.write('"}', line.length - 2);
  expect(await refused(line)).toMatchObject({ code: -32600, data: { deed: 'too-large' } });
});

test.each([
  ['9001', '9001'],
  ['9002', '9002.0'],
  ['9000', '9e3'],
  ['"a"', '"\\u0061"'],
])('an id in flight twice is refused, and the first call goes on: %s and %s', async (first, second) => {
  proves('strict-input');
  const id = JSON.parse(first) as unknown;
  const before = world.calls().length;
  await connection.send(`{"jsonrpc":"2.0","id":${first},"method":"tools/call","params":{"name":"gate"}}`);
  const release = await waits.promise;
  waits = Promise.withResolvers();
  const answered = connection.answer(id);
  await connection.send(`{"jsonrpc":"2.0","id":${second},${echo}}`);
  expect((await answered).error).toMatchObject({ code: -32600, data: { deed: 'duplicate-id' } });
  expect(world.calls()).toHaveLength(before + 1);
  const through = connection.answer(id);
  release();
  expect((await through).result?.content).toEqual([{ type: 'text', text: 'through' }]);
});

test.each(['8001.0', '8e3', '"\\u0061"'])('an id spelled %s is one id, however the tool spells it', async (id) => {
  const answered = connection.answer(JSON.parse(id));
  await connection.send(`{"jsonrpc":"2.0","id":${id},${echo}}`);
  expect((await answered).result).toEqual({ content: [{ type: 'text', text: '{}' }] });
});

test('a method that the protocol does not have is refused and recorded, and the tool never sees it', async () => {
  const reply = await connection.request('secrets/dump', { all: true });
  expect(reply.error).toMatchObject({ data: { deed: expect.any(String) } });
  await connection.send('{"jsonrpc":"2.0","method":"notifications/dump"}');
  await connection.request('ping');
  expect(world.marks().filter((line) => line.includes('dump'))).toEqual([]);
  const last = world.of(worker.task, 'refusal').at(-1);
  expect(last?.body).toMatchObject({ method: 'secrets/dump' });
});

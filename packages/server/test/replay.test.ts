import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { proves } from '../../../tests/promises.ts';
import { type Connection, type Reply, spoken } from './support/connection.ts';
import { fixture, type Worker, World } from './support/world.ts';

const call = (id: number, args = '{}') =>
  `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"echo","arguments":${args}}}`;

let world: World;
let argv: readonly string[];
let worker: Worker;
let seen = 0;
beforeAll(async () => {
  world = await World.begin();
  argv = await world.tool('fixture', ['/bin/sh', fixture('tiny.sh')]);
});
beforeEach(async () => {
  worker = await world.worker();
  seen = world.calls().length;
});
afterAll(() => world.end());

async function sendTo(connection: Connection, line: string, header: string): Promise<Reply> {
  const answered = connection.answer(JSON.parse(line).id);
  await connection.send(line, header);
  return answered;
}

/** Sends one frame on a connection of its own and gives the answer. */
async function sendAlone(line: string, header: string): Promise<Reply> {
  const connection = await world.connect(argv, worker);
  const reply = await sendTo(connection, line, header);
  await connection.close();
  return reply;
}

const refusals = () => world.of(worker.task, 'refusal').map(({ body, position }) => ({ ...body, position }));

/** How often strangers were refused with a code, once a restart has written all of it. */
async function counted(code: string): Promise<number> {
  await world.serving.close();
  world.serving = await world.serve();
  const counts = world.of('deployment', 'rejects-counted').flatMap(({ body }) => body.counts);
  return counts.filter((one) => one.code === code).reduce((sum, { count }) => sum + count, 0);
}

test('of one frame sent on 100 connections at once exactly one passes, one replay is recorded, the rest is counted', async () => {
  proves('proof-once', 'invariant-8');
  const line = call(1);
  const header = await worker.sign(Buffer.from(line));
  const connections = await Promise.all(Array.from({ length: 100 }, () => world.connect(argv, worker)));
  const replies = await Promise.all(connections.map((connection) => sendTo(connection, line, header)));
  await Promise.all(connections.map((connection) => connection.close()));
  const passed = replies.filter(({ result }) => result?.isError !== true && result !== undefined);
  expect(passed).toHaveLength(1);
  expect(replies.filter((reply) => spoken(reply).text.includes('proof-replayed'))).toHaveLength(99);
  expect(world.calls()).toHaveLength(seen + 1);
  const [intent, ...more] = world.of(worker.task, 'intent');
  expect(more).toEqual([]);
  expect(refusals()).toMatchObject([{ reason: 'proof-replayed', cites: intent?.digest }]);
  expect(await counted('proof-replayed')).toBe(98);
}, 30_000);

test('a replay after the task was closed is refused and recorded after its end', async () => {
  proves('invariant-5', 'invariant-8');
  const line = call(1);
  const header = await worker.sign(Buffer.from(line));
  expect((await sendAlone(line, header)).result).toEqual({ content: [] });
  await world.closeTask(worker.task);
  expect(spoken(await sendAlone(line, header)).text).toContain('proof-replayed');
  await world.settled();
  expect(world.calls()).toHaveLength(seen + 1);
  expect(refusals()).toMatchObject([{ reason: 'proof-replayed', position: { chain: 'after' } }]);
});

test('a new call for a closed task is refused in `after`, on old and new connections, and the tool never sees it', async () => {
  proves('invariant-5', 'invariant-8');
  const open = await world.connect(argv, worker);
  expect((await open.call('echo')).isError).toBe(false);
  await world.closeTask(worker.task);
  expect((await open.call('echo')).text).toContain('task-closed');
  await open.close();
  const line = call(1);
  expect(spoken(await sendAlone(line, await worker.sign(Buffer.from(line)))).text).toContain('task-closed');
  await world.settled();
  expect(world.calls()).toHaveLength(seen + 1);
  const [closed] = world.of(worker.task, 'task-closed');
  expect(closed?.body.count).toBe(4);
  expect(refusals()).toMatchObject([
    { reason: 'task-closed', position: { chain: 'after' } },
    { reason: 'task-closed', position: { chain: 'after' } },
  ]);
});

test('a message that was changed after its proof was made is a stranger’s: counted, and not in the chain of the task', async () => {
  proves('invariant-8');
  const header = await worker.sign(Buffer.from(call(1, '{"amount":1}')));
  const changed = call(1, '{"amount":1000}');
  expect((await sendAlone(changed, header)).error?.data?.deed).toBe('proof-body');
  const open = await world.connect(argv, worker);
  await open.call('echo');
  expect(spoken(await sendTo(open, call(77, '{"amount":1000}'), header)).text).toContain('proof-body');
  await open.close();
  expect(world.calls()).toHaveLength(seen + 1);
  expect(refusals()).toEqual([]);
  expect(await counted('proof-body')).toBe(2);
});

test.each([
  ['nothing at all', '-', 'proof-invalid'],
  ['a token without a proof', 'abc', 'proof-invalid'],
  ['three words', 'a b c', 'proof-invalid'],
  ['words that are no tokens', 'abc def', 'token-invalid'],
])('a message with %s for token and proof is refused with a code', async (_what, header, code) => {
  expect((await sendAlone(call(1), header)).error?.data?.deed).toBe(code);
  const open = await world.connect(argv, worker);
  await open.call('echo');
  expect(spoken(await sendTo(open, call(77), header)).text).toContain(code);
  expect((await open.call('echo')).isError).toBe(false);
  await open.close();
  expect(world.calls()).toHaveLength(seen + 2);
  expect(refusals()).toEqual([]);
});

test('a proof made for another token, or by another key, is refused', async () => {
  const other = await world.worker();
  const line = call(1);
  const [mine = '', theirs = ''] = await Promise.all([worker.sign(Buffer.from(line)), other.sign(Buffer.from(line))]);
  const mixed = `${mine.split(' ')[0]} ${theirs.split(' ')[1]}`;
  expect((await sendAlone(line, mixed)).error?.data?.deed).toBe('proof-invalid');
  expect(world.calls()).toHaveLength(seen);
});

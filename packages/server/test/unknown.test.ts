import { afterAll, beforeAll, expect, test } from 'vitest';
import { proves } from '../../../tests/promises.ts';
import { spoken } from './support/connection.ts';
import { approvingPolicy } from './support/policy.ts';
import { World } from './support/world.ts';

let world: World;
let argv: readonly string[];
beforeAll(async () => {
  world = await World.begin({ policyFolder: approvingPolicy(), limits: { answerMs: 1_500, cancelMs: 50 } });
  argv = await world.scripted();
});
afterAll(() => world.end());

test('a tool that dies during a call leaves the outcome unknown, and the session ends', async () => {
  proves('unknown-outcome');
  const worker = await world.worker();
  const connection = await world.connect(argv, worker);
  expect(await connection.call('die')).toEqual({ isError: true, text: expect.stringContaining('unknown') });
  await connection.closed;
  const [intent] = world.of(worker.task, 'intent');
  const outcomes = world.of(worker.task, 'outcome').map(({ body }) => body);
  expect(outcomes).toMatchObject([{ intent: intent?.digest, status: 'unknown', result: null, supersedes: null }]);
});

test('a tool that does not answer in time leaves the outcome unknown, and its late answer does not reach the client', async () => {
  proves('unknown-outcome');
  const worker = await world.worker();
  const connection = await world.connect(argv, worker);
  const answered = connection.answer('late').then(spoken);
  await connection.send('{"jsonrpc":"2.0","id":"late","method":"tools/call","params":{"name":"silent"}}');
  expect(await answered).toEqual({ isError: true, text: expect.stringContaining('unknown') });
  expect(await connection.call('forge', { id: 'late' })).toEqual({ isError: false, text: 'done' });
  expect(connection.lines.filter((line) => line.includes('forged'))).toEqual([]);
  expect(world.of(worker.task, 'outcome').map(({ body }) => body.status)).toEqual(['unknown', 'ok']);
  await connection.close();
});

test('a dispatched call that is cancelled before it is answered is unknown', async () => {
  proves('unknown-outcome');
  const worker = await world.worker();
  const connection = await world.connect(argv, worker);
  const before = world.calls().length;
  await connection.send('{"jsonrpc":"2.0","id":"gone","method":"tools/call","params":{"name":"silent"}}');
  while (world.calls().length === before) await connection.request('ping');
  await connection.send('{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"gone"}}');
  await connection.close();
  expect(world.of(worker.task, 'outcome').map(({ body }) => body.status)).toEqual(['unknown']);
});

test('an answer that came before the tool ended counts', async () => {
  const worker = await world.worker();
  const connection = await world.connect(argv, worker);
  expect(await connection.call('confuse')).toEqual({ isError: false, text: 'before the end' });
  await connection.closed;
  expect(world.of(worker.task, 'outcome').map(({ body }) => body.status)).toEqual(['ok']);
});

test('of two answers to one call the client gets the one that is recorded', async () => {
  const worker = await world.worker();
  const connection = await world.connect(argv, worker);
  expect(await connection.call('twice')).toEqual({ isError: false, text: 'first' });
  await connection.request('ping');
  expect(connection.lines.filter((line) => line.includes('second'))).toEqual([]);
  expect(world.of(worker.task, 'outcome')).toHaveLength(1);
  await connection.close();
});

test('lines of a tool that are no message are dropped, and its answer after them counts', async () => {
  const worker = await world.worker();
  const connection = await world.connect(argv, worker);
  expect(await connection.call('garbage')).toEqual({ isError: false, text: 'after the garbage' });
  expect(connection.lines).toHaveLength(1);
  await connection.close();
});

test('an answer to a call that still waits for a person does not reach the client', async () => {
  const worker = await world.worker();
  const connection = await world.connect(argv, worker);
  const held = connection.answer('held');
  await connection.send('{"jsonrpc":"2.0","id":"held","method":"tools/call","params":{"name":"approve_echo"}}');
  const action = await world.held();
  expect(await connection.call('forge', { id: 'held' })).toEqual({ isError: false, text: 'done' });
  expect(connection.lines.filter((line) => line.includes('forged'))).toEqual([]);
  await world.answer(action, 'reject');
  expect((await held).result).toMatchObject({ isError: true });
  await connection.close();
});

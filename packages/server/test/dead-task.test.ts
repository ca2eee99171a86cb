import { afterAll, beforeAll, expect, test } from 'vitest';
import { proves } from '../../../tests/promises.ts';
import { fixture, World } from './support/world.ts';

let world: World;
let argv: readonly string[];
beforeAll(async () => {
  world = await World.begin();
  argv = await world.tool('fixture', ['/bin/sh', fixture('tiny.sh')]);
});
afterAll(() => world.end());

const closed = { data: { deed: 'task-closed' } };

test('for a closed task no tool is started, whatever the message', async () => {
  proves('invariant-5');
  const worker = await world.worker();
  await world.closeTask(worker.task);
  const before = world.marks().length;
  const connection = await world.connect(argv, worker);
  expect((await connection.request('initialize')).error).toMatchObject(closed);
  expect((await connection.request('tools/list')).error).toMatchObject(closed);
  await connection.send('{"jsonrpc":"2.0","method":"notifications/initialized"}');
  expect(await connection.call('echo')).toMatchObject({ text: expect.stringContaining('(task-closed)') });
  await connection.close();
  expect(world.marks()).toHaveLength(before);
});

test('a session passes nothing on once its task is closed', async () => {
  proves('invariant-5');
  const worker = await world.worker();
  const connection = await world.connect(argv, worker);
  expect((await connection.request('tools/list')).result).toBeDefined();
  await world.closeTask(worker.task);
  const before = world.marks().length;
  expect((await connection.request('tools/list')).error).toMatchObject(closed);
  await connection.send('{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}');
  expect((await connection.request('ping')).error).toMatchObject(closed);
  await connection.close();
  expect(world.marks()).toHaveLength(before);
});

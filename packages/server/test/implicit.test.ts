import { fromUtf8, openPayload } from '@deed/evidence';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { approvingPolicy } from './support/policy.ts';
import { World } from './support/world.ts';

let world: World;
let argv: readonly string[];
beforeAll(async () => {
  world = await World.begin({ policyFolder: approvingPolicy() });
  argv = await world.scripted();
});
afterAll(() => world.end());

async function newestTask(): Promise<string> {
  return (await world.api('GET', '/v1/tasks')).body.tasks[0].task;
}

test('a client that knows nothing of Deed acts in an implicit task, which closes when it goes', async () => {
  const connection = await world.connect(argv, null);
  expect(await connection.call('echo', { a: 1 })).toEqual({ isError: false, text: '{"a":1}' });
  expect(await connection.call('echo', { a: 2 })).toEqual({ isError: false, text: '{"a":2}' });
  const task = await newestTask();
  expect(world.of(task, 'task-opened')[0]?.body).toMatchObject({ implicit: true, agent: null, ceiling: 'record' });
  const { vault } = world.serving.deployment.authority;
  const said = world.of(task, 'intent').map(({ body: { authority } }) => {
    expect(authority).toMatchObject({ pop: 'none', evidence: { type: 'application/vnd.deed.message+json' } });
    const name = authority.evidence?.sha256 ?? '';
    return JSON.parse(fromUtf8(openPayload(vault.get(name), name).bytes)).params.arguments;
  });
  expect(said).toEqual([{ a: 1 }, { a: 2 }]);
  expect(world.of(task, 'task-closed')).toEqual([]);
  await connection.close();
  expect(world.of(task, 'task-closed')[0]?.body).toMatchObject({ reason: 'disconnect', open: [], count: 6 });
});

test('an implicit task is capped at tier record: what needs a person is refused at once', async () => {
  const connection = await world.connect(argv, null);
  const before = world.calls().length;
  expect(await connection.call('approve_echo')).toMatchObject({
    isError: true,
    text: expect.stringContaining('outside-grant'),
  });
  expect(world.calls()).toHaveLength(before);
  expect((await world.api('GET', '/v1/approvals')).body.approvals).toEqual([]);
  expect(world.of(await newestTask(), 'refusal')[0]?.body).toMatchObject({ reason: 'outside-grant' });
  await connection.close();
});

test('a session that only looks around opens no task', async () => {
  const before = await newestTask();
  const connection = await world.connect(argv, null);
  await connection.request('tools/list');
  await connection.request('ping');
  await connection.close();
  expect(await newestTask()).toBe(before);
});

test('each session has an implicit task of its own', async () => {
  const connections = [await world.connect(argv, null), await world.connect(argv, null)];
  const before = world.serving.deployment.authority.tasks.openTasks().length;
  for (const connection of connections) await connection.call('echo');
  expect(world.serving.deployment.authority.tasks.openTasks()).toHaveLength(before + 2);
  await Promise.all(connections.map((connection) => connection.close()));
  expect(world.serving.deployment.authority.tasks.openTasks()).toHaveLength(before);
});

import { afterAll, beforeAll, expect, test } from 'vitest';
import { proves } from '../../../tests/promises.ts';
import { World } from './support/world.ts';

let world: World;
beforeAll(async () => {
  world = await World.begin();
});
afterAll(() => world.end().catch(() => {})); // its ledger is closed already

test('with a ledger that writes no more every call is refused and the tool never sees it', async () => {
  proves('invariant-1');
  const argv = await world.scripted();
  const worker = await world.worker();
  const connection = await world.connect(argv, worker);
  expect((await connection.call('echo')).isError).toBe(false);
  const before = world.calls().length;
  await world.serving.deployment.ledger.close();
  await expect(connection.call('echo')).rejects.toThrow('the connection ended');
  await expect(world.connect(argv, worker)).rejects.toMatchObject({ status: 503 });
  expect(world.calls()).toHaveLength(before);
});

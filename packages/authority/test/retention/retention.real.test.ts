import { afterAll, beforeAll, expect, test } from 'vitest';
import { World } from '../world.ts';
import { holdWord } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await World.begin();
});
afterAll(() => world.end());

const run = (options = {}) => world.authority.retention.run(options);

test('a held task is passed over, oldest go first, and one run takes a bounded number', async () => {
  const { agent } = await world.enrol();
  const tasks: string[] = [];
  for (let i = 0; i < 53; i++) {
    const { id } = await world.task(agent.id);
    await world.authority.tasks.close(id, 'principal');
    tasks.push(id);
    world.clock.advance(1000);
  }
  const held = tasks[0] ?? '';
  await world.authority.legalHolds.say(await holdWord(world, { task: held }));
  world.clock.advance(400 * 86_400_000);
  const first = await run({ acceptClock: true });
  expect(first.erased).toEqual(tasks.slice(1, 51));
  expect((await run()).erased).toEqual(tasks.slice(51));
  expect(world.authority.erasures.isErased(held)).toBe(false);
  expect((await run()).due).toEqual([]);
});

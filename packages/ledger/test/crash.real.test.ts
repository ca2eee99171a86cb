import { afterEach, describe, expect, test, vi } from 'vitest';
import { proves } from '../../../tests/promises.ts';
import { randomOf, seed } from '../../../tests/random.ts';
import { fsck } from '../src/index.ts';
import { killRounds } from './crash.ts';
import { World } from './world.ts';

vi.setConfig({ testTimeout: process.env.SLOW ? 6 * 3_600_000 : 1_800_000 });

const worlds = [new World(), new World()];
afterEach(async () => {
  for (const world of worlds) await world.tidy();
});

describe('kill -9, many times', () => {
  test('loses no acknowledged entry in any round, and every checkpoint ever shown is one of the final tree', async () => {
    proves('nothing-lost');
    const rounds = process.env.SLOW ? 2000 : 200;
    const random = randomOf(seed);
    const histories = await Promise.all(
      worlds.map((world) =>
        killRounds(world, {
          rounds: rounds / worlds.length,
          // One in eight is killed while it starts, with nothing acknowledged.
          entriesOf: (round) => (round % 8 === 7 ? 0 : 1 + Math.floor(random() * 200)),
          fsckEvery: 10,
        }),
      ),
    );
    const sum = (count: (history: (typeof histories)[number]) => number) =>
      histories.map(count).reduce((a, b) => a + b);
    const acknowledged = sum((history) => history.acknowledged.size);
    const checkpoints = sum((history) => history.checkpoints);
    console.log(
      `kill -9: ${rounds} rounds (seed ${seed}), ${acknowledged} entries acknowledged, none lost; ${checkpoints} signed checkpoints, one history`,
    );
    expect(acknowledged).toBeGreaterThan(rounds * 40);
    for (const world of worlds) expect(fsck(world.folder).problems).toEqual([]);
  });
});

import { afterEach, describe, expect, test } from 'vitest';
import { proves } from '../../../tests/promises.ts';
import { fsck } from '../src/index.ts';
import { killRounds } from './crash.ts';
import { World } from './world.ts';

const world = new World();
afterEach(() => world.tidy());

describe('kill -9', () => {
  test('loses no acknowledged entry, and the log goes on from where it was', async () => {
    proves('crash-safe');
    const rounds = process.env.SLOW ? 30 : 4;
    const { acknowledged } = await killRounds(world, {
      rounds,
      entriesOf: (round) => [1, 400, 90, 700][round % 4] ?? 1,
    });
    expect(acknowledged.size).toBeGreaterThan(1000);
    expect(fsck(world.folder).problems).toEqual([]);
  }, 120_000);
});

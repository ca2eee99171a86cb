import { afterEach, describe, expect, test } from 'vitest';
import { fsck } from '../src/index.ts';
import { killRounds } from './crash.ts';
import { World } from './world.ts';

const world = new World();
afterEach(() => world.tidy());

describe('kill -9, many times', () => {
  test('loses no acknowledged entry in any round', async () => {
    const rounds = process.env.SLOW ? 200 : 30;
    const acked = await killRounds(world, rounds, () => 1 + Math.floor(Math.random() * 600));
    expect(acked).toBeGreaterThan(1000);
    await world.close(await world.ledger());
    expect(fsck(world.folder).problems).toEqual([]);
  });
});

import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { testClock } from '../../authority/test/clock.ts';
import { finishedTask } from '../../authority/test/retention/world.ts';
import { World } from '../../authority/test/world.ts';
import { startRetention } from '../src/retention-job.ts';

let world: World;
beforeAll(async () => {
  world = await World.begin(testClock());
});
afterAll(() => world.end());

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

test('the server looks every hour, says once why it erases nothing, and stops when it is told to', async () => {
  const { task } = await finishedTask(world);
  const { retention, erasures } = world.authority;
  const said: string[] = [];
  const stderr = vi.spyOn(process.stderr, 'write').mockImplementation((text) => said.push(String(text)) > 0);
  const runs = vi.spyOn(retention, 'run');
  const ran = async (times: number) => {
    await vi.waitFor(() => expect(runs).toHaveBeenCalledTimes(times), { timeout: 20_000 });
    await retention.run({ dryRun: true }); // one run at a time: the one before is over
    runs.mock.calls.pop();
  };
  const stop = startRetention(retention, world.clock);
  try {
    world.clock.advance(60_000);
    await ran(1);
    expect(said).toEqual([]);
    world.clock.advance(400 * dayMs);
    await ran(2);
    for (const times of [3, 4]) {
      world.clock.advance(hourMs);
      await ran(times);
    }
    expect(said).toEqual([expect.stringContaining('--accept-clock')]);
    expect(erasures.isErased(task)).toBe(false);
    await retention.run({ acceptClock: true });
    expect(erasures.isErased(task)).toBe(true);
  } finally {
    stderr.mockRestore();
    await stop();
  }
  runs.mockClear();
  world.clock.advance(2 * hourMs);
  expect(runs).not.toHaveBeenCalled();
});

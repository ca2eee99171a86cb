import { afterEach, beforeEach, expect, test } from 'vitest';
import { testClock } from '../clock.ts';
import { Worker, World } from '../world.ts';
import { finishedTask } from './world.ts';

const dayMs = 86_400_000;
let world: World;
beforeEach(async () => {
  world = await World.begin(testClock());
});
afterEach(() => world.end());

const run = (options = {}) => world.authority.retention.run(options);
/** As time passes for a server that runs: retention looks now and then. */
async function pass(days: number): Promise<void> {
  for (let left = days; left > 0; left -= 7) {
    world.clock.advance(Math.min(left, 7) * dayMs);
    await run({ dryRun: false });
  }
}
const erased = (task: string) => world.statements(`${task}/after`).filter(({ predicate }) => predicate === 'erased');
const quietly = (days: number) => {
  world.clock.advance(days * dayMs);
  return run({ acceptClock: true });
};

test('a closed task is erased when the time of its tier has come, with the rule, and not a day before', async () => {
  const { task } = await finishedTask(world);
  const open = await world.task((await world.enrol('other')).agent.id, { deadline: world.clock.now() + 1e12 });
  await pass(183);
  expect(erased(task)).toEqual([]);
  await pass(2);
  expect(erased(task)).toMatchObject([
    { body: { scope: 'task', by: { kind: 'retention', tier: 'record', days: 184 }, copies: [] } },
  ]);
  expect(world.authority.erasures.isErased(open.id)).toBe(false);
  expect((await run()).due).toEqual([]);
});

test('a task is kept as long as the highest tier among its actions', async () => {
  const worker = await Worker.begin(world);
  const { actions, tasks, approvals } = world.authority;
  for (const tool of ['read_file', 'delete_file']) {
    const admitted = await worker.admitted(tool);
    const proposal = worker.propose(tool, tool === 'read_file' ? {} : { hints: { destructive: true } });
    const verdict = actions.decide(admitted, proposal);
    if (verdict.outcome !== 'allow' || verdict.needsApproval) continue;
    const intent = actions.intend(admitted, proposal, verdict);
    await actions.conclude(intent, { status: 'ok' }).durable;
  }
  expect(approvals.list()).toEqual([]);
  await tasks.close(worker.task.id, 'principal');
  const intents = world
    .statements(worker.task.id)
    .flatMap((each) => (each.predicate === 'intent' ? [each.body.tier] : []));
  expect(intents).toEqual(['observe', 'record']);
  const due = (await quietly(400)).due;
  expect(due).toMatchObject([{ task: worker.task.id, tier: 'record', days: 184 }]);
});

test('a clock that jumps ahead erases nothing, until somebody says that it is right', async () => {
  const { task } = await finishedTask(world);
  await run();
  world.clock.advance(14 * 365 * dayMs);
  const jumped = await run();
  expect(jumped).toMatchObject({ due: [{ task }], erased: [], stopped: expect.stringContaining('--accept-clock') });
  await world.restart();
  expect((await run()).erased).toEqual([]);
  expect((await run({ dryRun: true, acceptClock: true })).erased).toEqual([]);
  expect((await run({ acceptClock: true })).erased).toEqual([task]);
});

test('so does a clock that jumped before retention ever looked', async () => {
  const { task } = await finishedTask(world);
  world.clock.advance(400 * dayMs);
  expect(await run()).toMatchObject({ erased: [], due: [{ task }], stopped: expect.any(String) });
});

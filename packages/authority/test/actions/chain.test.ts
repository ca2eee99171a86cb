import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { proves } from '../../../../tests/promises.ts';
import { Worker, World } from '../world.ts';

let world: World;
beforeAll(async () => {
  world = await World.begin();
});
afterAll(() => world.end());

const step = fc.constantFrom('begin', 'end', 'unknown', 'refuse', 'replay', 'close', 'wait');

/** Whatever happens in whatever order: what the chain of a task says afterwards is whole. */
async function live(steps: readonly string[]): Promise<void> {
  const worker = await Worker.begin(world, { budget: { actions: 5 } });
  const { actions, tasks } = world.authority;
  const open: { readonly digest: string }[] = [];
  const said: Promise<unknown>[] = [];
  let last = await worker.message('write_file');
  let waiting: Promise<unknown> = Promise.resolve();
  const tolerate = async (work: () => unknown) => {
    try {
      await work();
    } catch (error) {
      expect(error).toHaveProperty('code');
    }
  };
  for (const name of steps) {
    await tolerate(async () => {
      if (name === 'wait') await waiting;
      else if (name === 'close') waiting = tasks.close(worker.task.id, 'principal');
      else if (name === 'replay') await actions.admit(last);
      else if (name === 'end' || name === 'unknown') {
        const [intent] = open;
        if (intent) said.push(actions.conclude(intent, { status: name === 'end' ? 'ok' : 'unknown' }).durable);
        if (name === 'end') open.shift();
      } else {
        last = await worker.message('write_file');
        const admitted = await actions.admit(last);
        const proposal = worker.propose('write_file');
        const verdict = actions.decide(admitted, proposal);
        if (name === 'refuse') actions.refuse(admitted, proposal, 'cancelled', 'the caller left', { verdict });
        else open.push(actions.intend(admitted, proposal, verdict));
      }
    });
  }
  await waiting;
  await tasks.close(worker.task.id, 'operator');
  await Promise.all(said);
  for (const intent of open) await tolerate(() => actions.conclude(intent, { status: 'ok' }).durable);

  const seq = world.statements(worker.task.id);
  const after = world.statements(`${worker.task.id}/after`);
  const closed = seq.at(-1);
  if (closed?.predicate !== 'task-closed') return expect.fail();
  expect(seq.filter(({ predicate }) => predicate === 'task-closed')).toHaveLength(1);
  expect(closed.body.count).toBe(seq.length);
  const intents = seq.flatMap((each) => (each.predicate === 'intent' ? [each.digest] : []));
  expect(intents.length).toBeLessThanOrEqual(5);
  expect(after.some(({ predicate }) => predicate === 'intent')).toBe(false);
  const endsIn = (chain: typeof seq) =>
    chain.flatMap((each) => (each.predicate === 'outcome' ? [each.body.intent] : []));
  expect(closed.body.open).toEqual(intents.filter((digest) => !endsIn(seq).includes(digest)).sort());
  for (const digest of intents) {
    const ends = [...seq, ...after].filter((each) => each.predicate === 'outcome' && each.body.intent === digest);
    expect(ends.length).toBeGreaterThanOrEqual(1);
    expect(ends.length).toBeLessThanOrEqual(2);
    if (ends.length === 2) expect(ends[1]?.body).toMatchObject({ supersedes: ends[0]?.digest });
  }
}

test('whatever the order of calls, ends, replays and closing, the chain of a task is whole', async () => {
  proves('invariant-2', 'invariant-5', 'invariant-8');
  const numRuns = process.env.SLOW ? 500 : 15;
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 14 }), live), { numRuns });
});

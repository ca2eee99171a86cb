import { afterAll, beforeAll, expect, test } from 'vitest';
import { push, Worker, World } from '../world.ts';

let world: World;
beforeAll(async () => {
  world = await World.begin();
});
afterAll(() => world.end());

const gitPush = { server: 'git', operands: push } as const;
const allow = [{ server: 'git', git: { repositories: ['acme/site'], refs: ['refs/heads/fix'] } }];
const decided = async (worker: Worker) => {
  const admitted = await worker.admitted('git_push');
  const proposal = worker.propose('git_push', gitPush);
  return { admitted, proposal, verdict: world.authority.actions.decide(admitted, proposal) };
};

test('at tier approve a proof without the nonce of the last two minutes is refused, and the refusal is recorded', async () => {
  const worker = await Worker.begin(world, { ceiling: 'approve', allow });
  expect((await decided(worker)).verdict).toMatchObject({ outcome: 'allow', tier: 'approve', needsApproval: true });
  world.clock.advance(121_000);
  const { admitted, proposal, verdict } = await decided(worker);
  expect(verdict).toMatchObject({ outcome: 'deny', tier: 'approve', reason: 'stale-proof' });
  await world.authority.actions.refuse(admitted, proposal, 'stale-proof', verdict.detail, { verdict }).durable;
  expect(world.statements(worker.task.id).at(-1)?.body).toMatchObject({ reason: 'stale-proof' });
  await worker.renew();
  expect((await decided(worker)).verdict).toMatchObject({ outcome: 'allow' });
});

test('the nonce of one agent is none for another', async () => {
  const [one, two] = [await Worker.begin(world), await Worker.begin(world)];
  expect((await one.admitted('write_file')).isFresh).toBe(true);
  expect((await two.borrowing(one).admitted('write_file')).isFresh).toBe(false);
});

test('below tier approve nobody asks for it', async () => {
  const worker = await Worker.begin(world, { allow: [{ server: 'files' }] });
  world.clock.advance(121_000);
  const admitted = await worker.admitted('write_file');
  const proposal = worker.propose('write_file');
  expect(admitted.isFresh).toBe(false);
  expect(world.authority.actions.decide(admitted, proposal)).toMatchObject({ outcome: 'allow', tier: 'record' });
});

test('an entry of the allowed actions counts across a restart, and no more begin than it says', async () => {
  const worker = await Worker.begin(world, { allow: [{ server: 'files', maxCount: 2 }] });
  const begin = async () => {
    const { actions } = world.authority;
    const admitted = await worker.admitted('write_file');
    const proposal = worker.propose('write_file');
    const verdict = actions.decide(admitted, proposal);
    if (verdict.outcome === 'deny') return verdict.reason;
    const intent = actions.intend(admitted, proposal, verdict);
    await intent.durable;
    await actions.conclude(intent, { status: 'ok' }).durable;
    return 'begun';
  };
  expect(await begin()).toBe('begun');
  await world.restart();
  expect(await begin()).toBe('begun');
  expect(await begin()).toBe('outside-grant');
  // What was decided before others began is counted again when it begins.
  const late = await Worker.begin(world, { allow: [{ server: 'files', maxCount: 1 }] });
  const { actions } = world.authority;
  const both = await Promise.all(
    ['a', 'b'].map(async () => {
      const admitted = await late.admitted('write_file');
      const proposal = late.propose('write_file');
      return { admitted, proposal, verdict: actions.decide(admitted, proposal) };
    }),
  );
  expect(both.map(({ verdict }) => verdict.outcome)).toEqual(['allow', 'allow']);
  const [first, second] = both;
  if (!first || !second) throw new Error('two were made');
  actions.intend(first.admitted, first.proposal, first.verdict);
  expect(() => actions.intend(second.admitted, second.proposal, second.verdict)).toThrowError(
    expect.objectContaining({ code: 'outside-grant' }),
  );
});

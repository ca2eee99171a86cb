import { utf8 } from '@deed/evidence';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { proves } from '../../../../tests/promises.ts';
import { newP256, spkiOf } from '../../src/keys/p256.ts';
import { makeProof } from '../../src/tokens/proof.ts';
import { refused } from '../refused.ts';
import { propose, Worker, World } from '../world.ts';

let world: World;
beforeAll(async () => {
  world = await World.begin();
});
afterAll(() => world.end());

const bodies = (series: string, name: string) =>
  world.statements(series).flatMap((statement) => (statement.predicate === name ? [statement.body] : []));

test('of a hundred concurrent sends of one proof exactly one passes, and the first replay alone is a refusal', async () => {
  proves('proof-once', 'invariant-8');
  const worker = await Worker.begin(world);
  const message = await worker.message('write_file');
  const sends = await Promise.allSettled(Array.from({ length: 100 }, () => world.authority.actions.admit(message)));
  const passed = sends.flatMap((send) => (send.status === 'fulfilled' ? [send.value] : []));
  const codes = sends.flatMap((send) => (send.status === 'rejected' ? [send.reason.code] : []));
  expect(passed).toHaveLength(1);
  expect(new Set(codes)).toEqual(new Set(['proof-replayed']));
  expect(world.statements(worker.task.id)).toHaveLength(1); // what it was used for is not known yet

  const [admitted] = passed;
  if (!admitted) return expect.fail();
  const proposal = worker.propose('write_file');
  const { actions } = world.authority;
  const intent = actions.intend(admitted, proposal, actions.decide(admitted, proposal));
  await intent.durable;
  await actions.conclude(intent, { status: 'ok' }).durable;
  expect(bodies(worker.task.id, 'refusal')).toMatchObject([{ reason: 'proof-replayed', cites: intent.digest }]);
  expect(world.statements(worker.task.id).map(({ predicate }) => predicate)).toEqual([
    'task-opened',
    'intent',
    'refusal',
    'outcome',
  ]);
});

test('a proof that was used before a restart is known after it', async () => {
  proves('proof-once', 'invariant-2');
  const worker = await Worker.begin(world);
  const message = await worker.message('write_file');
  const admitted = await world.authority.actions.admit(message);
  const proposal = worker.propose('write_file');
  const intent = world.authority.actions.intend(admitted, proposal, world.authority.actions.decide(admitted, proposal));
  await intent.durable;
  await world.authority.actions.conclude(intent, { status: 'ok' }).durable;
  await world.restart();
  expect(await refused(() => world.authority.actions.admit(message))).toBe('proof-replayed');
  expect(await refused(() => world.authority.actions.admit(message))).toBe('proof-replayed');
  await world.restart();
  expect(await refused(() => world.authority.actions.admit(message))).toBe('proof-replayed');
  expect(bodies(worker.task.id, 'refusal')).toMatchObject([{ reason: 'proof-replayed', cites: intent.digest }]);
});

test('strangers write nothing into the chain of a task: they are counted, once a minute', async () => {
  proves('invariant-8');
  const world = await World.begin();
  const worker = await Worker.begin(world);
  const before = world.statements('deployment').length;
  const size = world.ledger.size;
  const good = await worker.message('write_file');
  const stolen = await makeProof(newP256(), good.token, good.body, world.clock);
  const attempts = [
    { ...good, proof: stolen },
    { ...good, body: utf8('{"method":"tools/call","params":{"name":"delete_all"}}') },
    { ...good, token: `${good.token.slice(0, -4)}AAAA` },
    { ...good, proof: good.token },
    { ...good, token: 'x' },
  ];
  const codes = await Promise.all(attempts.map((attempt) => refused(() => world.authority.actions.admit(attempt))));
  expect(codes).toEqual(['proof-invalid', 'proof-body', 'token-invalid', 'proof-invalid', 'token-invalid']);
  expect(await refused(() => world.authority.actions.admit({ kind: 'implicit', task: worker.task.id }))).toBe(
    'unknown-task',
  );
  expect(world.ledger.size).toBe(size);
  world.clock.advance(0);
  expect(await refused(() => world.authority.actions.admit({ ...good, token: 'x' }))).toBe('token-invalid');
  world.clock.advance(59_000);
  await world.letIn(['approver']);
  const first = world.statements('deployment').slice(before);
  expect(first).toHaveLength(1);
  expect(first[0]?.body).toMatchObject({
    counts: [
      { code: 'proof-body', count: 1 },
      { code: 'proof-invalid', count: 2 },
      { code: 'token-invalid', count: 2 },
      { code: 'unknown-task', count: 1 },
    ],
  });
  world.clock.advance(2_000);
  await world.letIn(['approver']);
  expect(world.statements('deployment').slice(before)).toHaveLength(2);
  expect(world.statements(worker.task.id)).toHaveLength(1);
  await world.end();
});

test('nothing that a revoked agent signs is admitted, and it gets no token', async () => {
  const worker = await Worker.begin(world);
  const admitted = await worker.admitted('write_file');
  const message = await worker.message('write_file');
  await world.authority.agents.revoke(worker.agent.id, 'lost laptop');
  expect(await refused(() => world.authority.actions.admit(message))).toBe('agent-revoked');
  expect(await refused(() => worker.renew())).toBe('agent-revoked');
  const proposal = worker.propose('write_file');
  const verdict = world.authority.actions.decide(admitted, proposal);
  expect(await refused(() => world.authority.actions.intend(admitted, proposal, verdict))).toBe('agent-revoked');
  expect(bodies(worker.task.id, 'refusal')).toHaveLength(0); // not committed yet
  await world.restart();
  expect(bodies(worker.task.id, 'refusal')).toMatchObject([{ reason: 'denied' }]);
});

test('after a task is closed none of its tokens authorises anything, and the attempt is recorded after it', async () => {
  proves('invariant-5', 'invariant-8');
  const worker = await Worker.begin(world);
  const early = await worker.admitted('write_file');
  const message = await worker.message('write_file');
  const proposal = worker.propose('write_file');
  const verdict = world.authority.actions.decide(early, proposal);
  const closing = world.authority.tasks.close(worker.task.id, 'operator');
  // the statement is not durable yet, and already nothing passes
  expect(await refused(() => world.authority.actions.admit(message))).toBe('task-closed');
  expect(await refused(() => world.authority.actions.intend(early, proposal, verdict))).toBe('task-closed');
  expect(await refused(() => worker.renew())).toBe('task-closed');
  await closing;
  expect(await refused(async () => world.authority.actions.admit(await worker.message('write_file')))).toBe(
    'task-closed',
  );
  expect(await refused(() => world.authority.actions.admit(message))).toBe('proof-replayed');
  await world.restart();
  expect(bodies(`${worker.task.id}/after`, 'refusal').map((body) => 'reason' in body && body.reason)).toEqual([
    'task-closed',
    'task-closed',
    'task-closed',
    'proof-replayed',
  ]);
  expect(world.statements(worker.task.id).map(({ predicate }) => predicate)).toEqual(['task-opened', 'task-closed']);
});

test('one message begins one action, once', async () => {
  const worker = await Worker.begin(world);
  const admitted = await worker.admitted('write_file');
  const { actions } = world.authority;
  const proposal = worker.propose('write_file');
  const verdict = actions.decide(admitted, proposal);
  await actions.intend(admitted, proposal, verdict).durable;
  const other = worker.propose('write_file');
  expect(await refused(() => actions.intend(admitted, other, actions.decide(admitted, other)))).toBe('proposal');
  const again = await worker.admitted('write_file');
  expect(await refused(() => actions.intend(again, proposal, actions.decide(again, proposal)))).toBe('proposal');
});

test('an implicit task needs no token, says so, and is capped at tier record', async () => {
  const task = await world.task(null, { implicit: true, allow: [], ceiling: 'record' });
  const { actions } = world.authority;
  const admitted = await actions.admit({ kind: 'implicit', task: task.id });
  const write = propose(world, task.id, 'write_file');
  const intent = actions.intend(admitted, write, actions.decide(admitted, write));
  await intent.durable;
  const push = propose(world, task.id, 'git_push', { server: 'git' });
  expect(actions.decide(admitted, push)).toMatchObject({ outcome: 'deny', reason: 'outside-grant', tier: 'approve' });
  expect(bodies(task.id, 'intent')).toMatchObject([{ authority: { pop: 'none', evidence: null } }]);
});

function _newSpki(): Uint8Array {
  return spkiOf(newP256());
}

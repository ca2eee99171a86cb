import {
  encodeApproval,
  fromBase64,
  makeWord,
  openPayload,
  sha256,
  toHex,
  utf8,
  type Word,
  wordChallenge,
} from '@deed/evidence';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { proves } from '../../../../tests/promises.ts';
import { newP256 } from '../../src/keys/p256.ts';
import { keyPersonSigner } from '../../src/keys/person-signer.ts';
import { refused } from '../refused.ts';
import { push, Worker, World } from '../world.ts';

let world: World;
beforeAll(async () => {
  world = await World.begin();
});
afterAll(() => world.end());

const shown = utf8('push refs/heads/fix of acme/site\n1 commit\n');

async function held(ttlSeconds?: number) {
  const worker = await Worker.begin(world);
  const { actions, approvals } = world.authority;
  const admitted = await worker.admitted('git_push');
  const proposal = worker.propose('git_push', { server: 'git', operands: push });
  const verdict = actions.decide(admitted, proposal);
  const hold = approvals.hold(admitted, proposal, verdict, shown, ttlSeconds);
  const say = (decision: 'approve' | 'reject') =>
    world.person.word('deed-approval-v1', approvals.wordBytes(hold.id, world.init.person, decision));
  return { worker, admitted, proposal, verdict, hold, say };
}
const answer = (word: Word, person = world.init.person) => world.authority.approvals.answer(person, word);

test('an approved action runs once, and its intent names the approval it consumed', async () => {
  proves('invariant-7', 'invariant-2');
  const { worker, admitted, proposal, verdict, hold, say } = await held();
  const { actions } = world.authority;
  const settled = await answer(await say('approve'));
  expect(await hold.settled).toEqual(settled);
  if (settled.kind !== 'approved') return expect.fail();
  const intent = actions.intend(admitted, proposal, verdict, settled.approvals);
  await intent.durable;
  expect(world.statements(worker.task.id)).toMatchObject([
    { predicate: 'task-opened' },
    { predicate: 'approval', digest: settled.approvals[0], body: { grade: 'A0', action: proposal.action } },
    { predicate: 'intent', body: { approvals: settled.approvals, tier: 'approve', authority: { unearned: true } } },
  ]);
  const again = await worker.admitted('git_push');
  expect(await refused(() => actions.intend(again, proposal, verdict, settled.approvals))).toBe('approval');
  await world.restart();
  const after = await worker.admitted('git_push');
  const { actions: later } = world.authority;
  expect(await refused(() => later.intend(after, proposal, verdict, settled.approvals))).toBe('approval');
  expect(world.statements(worker.task.id).filter(({ predicate }) => predicate === 'intent')).toHaveLength(1);
});

test('without an approval an approve action does not begin', async () => {
  proves('invariant-7');
  const { worker, admitted, proposal, verdict } = await held();
  expect(await refused(() => world.authority.actions.intend(admitted, proposal, verdict))).toBe('approval');
  const other = await worker.admitted('git_push');
  expect(await refused(() => world.authority.actions.intend(other, proposal, verdict, ['0'.repeat(64)]))).toBe(
    'approval',
  );
});

test('what was approved is what runs: any other record is refused, and the approval stays consumed', async () => {
  proves('invariant-7');
  const { worker, admitted, proposal, verdict, say } = await held();
  const { actions } = world.authority;
  const settled = await answer(await say('approve'));
  if (settled.kind !== 'approved') return expect.fail();
  const swapped = { ...proposal, record: { ...proposal.record, arguments: '{"force":true}' } };
  expect(await refused(() => actions.intend(admitted, swapped, verdict, settled.approvals))).toBe('operands-changed');
  const again = await worker.admitted('git_push');
  expect(await refused(() => actions.intend(again, proposal, verdict, settled.approvals))).toBe('approval');
  await world.restart();
  expect(world.statements(worker.task.id)).toMatchObject([
    { predicate: 'task-opened' },
    { predicate: 'approval' },
    { predicate: 'refusal', body: { reason: 'operands-changed', approvals: settled.approvals } },
    { predicate: 'refusal', body: { reason: 'denied', approvals: [] } },
  ]);
});

test('a refusal that names an unused approval consumes it', async () => {
  proves('invariant-7');
  const { worker, admitted, proposal, verdict, say } = await held();
  const { actions } = world.authority;
  const settled = await answer(await say('approve'));
  if (settled.kind !== 'approved') return expect.fail();
  const extra = { verdict, approvals: settled.approvals };
  await actions.refuse(admitted, proposal, 'operands-changed', 'another commit', extra).durable;
  const again = await worker.admitted('git_push');
  expect(await refused(() => actions.intend(again, proposal, verdict, settled.approvals))).toBe('approval');
  const statements = world.statements(worker.task.id);
  expect(statements.find(({ predicate }) => predicate === 'refusal')).toMatchObject({
    body: { reason: 'operands-changed', approvals: settled.approvals },
  });
});

test('a rejection is signed like an approval and goes into the refusal', async () => {
  proves('invariant-8');
  const { worker, admitted, proposal, verdict, hold, say } = await held();
  await answer(await say('reject'));
  const settled = await hold.settled;
  if (settled.kind !== 'rejected') return expect.fail();
  const extra = { verdict, rejection: settled.word };
  await world.authority.actions.refuse(admitted, proposal, 'rejected', 'a person said no', extra).durable;
  expect(world.statements(worker.task.id).at(-1)).toMatchObject({
    predicate: 'refusal',
    body: { reason: 'rejected', rejection: settled.word },
  });
  expect(await refused(async () => answer(await say('approve')))).toBe('unknown-hold');
});

test('an answer counts only from an enrolled approver, with the enrolled key, over exactly this hold', async () => {
  const { hold, say } = await held();
  const { approvals } = world.authority;
  const good = await say('approve');
  expect(await refused(() => answer(good, 'per_nobody'))).toBe('unknown-person');
  const stranger = keyPersonSigner(newP256());
  const bytes = approvals.wordBytes(hold.id, world.init.person, 'approve');
  expect(await refused(async () => answer(await stranger.word('deed-approval-v1', bytes)))).toBe('word');
  const operator = await world.letIn(['operator'], stranger);
  expect(await refused(async () => answer(await stranger.word('deed-approval-v1', bytes), operator.id))).toBe(
    'not-approver',
  );
  const { word } = approvals.view(hold.id);
  for (const over of [
    { record: toHex(sha256()) },
    { rendering: toHex(sha256()) },
    { nonce: '0'.repeat(32) },
    { origin: 'deed.local/other' },
    { expires: '2099-01-01T00:00:00.000Z' },
  ]) {
    const other = encodeApproval({ ...word, person: world.init.person, decision: 'approve', arguments: null, ...over });
    expect(await refused(async () => answer(await world.person.word('deed-approval-v1', other)))).toBe('word');
  }
  const elsewhere = await world.person.word('deed-activation-v1', bytes);
  expect(await refused(() => answer(elsewhere))).toBe('signature');
  const forged = makeWord(bytes, 'es256', world.person.public, fromBase64(elsewhere.signature.sig));
  expect(await refused(() => answer(forged))).toBe('signature');
  expect(wordChallenge('deed-approval-v1', bytes)).toHaveLength(32);
  expect((await answer(good)).kind).toBe('approved');
});

test('a hold ends by itself, and an answer after that is refused', async () => {
  const { hold, say } = await held(60);
  const late = await say('approve');
  world.clock.advance(60_000);
  expect(await hold.settled).toEqual({ kind: 'expired' });
  expect(await refused(() => answer(late))).toBe('unknown-hold');
  expect(world.authority.approvals.list()).not.toContainEqual(expect.objectContaining({ id: hold.id }));
});

test('closing the task, or the caller going away, ends its holds', async () => {
  proves('invariant-5');
  const one = await held();
  const late = await one.say('approve');
  await world.authority.tasks.close(one.worker.task.id, 'operator');
  expect(await one.hold.settled).toMatchObject({ kind: 'cancelled' });
  expect(await refused(() => answer(late))).toBe('unknown-hold');
  const two = await held();
  world.authority.approvals.cancel(two.hold.id, 'the client left');
  expect(await two.hold.settled).toEqual({ kind: 'cancelled', why: 'the client left' });
});

test('the view holds what a client needs to check for itself what it shows', async () => {
  const { hold, proposal } = await held();
  const view = world.authority.approvals.view(hold.id);
  expect(Buffer.from(openPayload(view.renderingObject, view.rendering.sha256).bytes)).toEqual(Buffer.from(shown));
  expect(openPayload(view.recordObject, view.record.sha256).bytes.length).toBe(view.record.size);
  expect(view).toMatchObject({ id: proposal.action, method: 'tools/call', tool: 'git_push' });
});

test('a rendering that hides characters is not shown to anybody', async () => {
  const worker = await Worker.begin(world);
  const { actions, approvals } = world.authority;
  const admitted = await worker.admitted('git_push');
  const proposal = worker.propose('git_push', { server: 'git', operands: push });
  const verdict = actions.decide(admitted, proposal);
  for (const text of ['a\u202eb', 'a\u200bb', 'a\x1b[2Jb', ''])
    expect(await refused(() => approvals.hold(admitted, proposal, verdict, utf8(text)))).toBe('rendering');
});

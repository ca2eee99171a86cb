import { cpSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ApprovalDecision, concat, encodeActivation, makePayload, newId, utf8 } from '@deed/evidence';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { proves } from '../../../../tests/promises.ts';
import { newSigner } from '../../../evidence/test/support/actors.ts';
import { passkeyWord } from '../../../evidence/test/support/passkeys.ts';
import type { PersonSigner } from '../../src/keys/person-signer.ts';
import { checkBundle } from '../../src/policy/bundle.ts';
import { defaultPolicyFolder } from '../../src/policy/default.ts';
import type { TaskFields } from '../../src/tasks/task.ts';
import { refused } from '../refused.ts';
import { push, Worker, World } from '../world.ts';

interface Somebody {
  readonly id: string;
  readonly signer: PersonSigner;
}

let world: World;
let ada: Somebody;
let bob: Somebody;
/** Has a passkey. */
let eve: Somebody;
beforeAll(async () => {
  world = await World.begin();
  ada = { id: world.init.person, signer: world.person };
  bob = await world.letIn(['approver']);
  eve = await world.letIn(['approver'], passkey());
  await asking('@approvers("2")');
});
afterAll(() => world.end());

/** A person's passkey, as a browser would use it. */
function passkey(): PersonSigner {
  const key = newSigner();
  const word = (domain: Parameters<PersonSigner['word']>[0], bytes: Uint8Array) =>
    Promise.resolve(passkeyWord(key, domain, bytes));
  return { kind: 'webauthn', public: key.spki, word };
}

/** From now on the push asks for this too. */
async function asking(annotation: string): Promise<void> {
  const { policy } = world.authority;
  const folder = mkdtempSync(join(tmpdir(), 'deed-quorum-'));
  cpSync(defaultPolicyFolder, folder, { recursive: true });
  const file = join(folder, 'git.cedar');
  writeFileSync(file, readFileSync(file, 'utf8').replace('@tier("approve")', `@tier("approve") ${annotation}`));
  const bytes = encodeActivation({
    origin: world.init.origin,
    bundle: checkBundle(folder).digest,
    version: policy.nextVersion(),
    person: ada.id,
    time: new Date(world.clock.now()).toISOString(),
  });
  await policy.activate(folder, await ada.signer.word('deed-activation-v1', bytes));
}

async function held(over: Partial<TaskFields> = {}, worker?: Worker) {
  const by = worker ?? (await Worker.begin(world, over));
  const { actions, approvals } = world.authority;
  const admitted = await by.admitted('git_push');
  const proposal = by.propose('git_push', { server: 'git', operands: push });
  const verdict = actions.decide(admitted, proposal);
  const hold = approvals.hold(admitted, proposal, verdict, utf8('push refs/heads/fix\n'));
  return { worker: by, admitted, proposal, verdict, hold };
}

async function say(
  action: string,
  who: Somebody,
  decision: ApprovalDecision = 'approve',
  edited: string | null = null,
) {
  const { approvals } = world.authority;
  const object = edited === null ? null : makePayload(utf8(edited));
  const bytes = approvals.wordBytes(action, who.id, decision, object?.name ?? null);
  const given = object && concat(object.salt, object.bytes);
  return approvals.answer(who.id, await who.signer.word('deed-approval-v1', bytes), { edited: given });
}

test('an action that takes two people waits for the second, and neither counts twice', async () => {
  proves('invariant-7');
  const { worker, admitted, proposal, verdict, hold } = await held();
  expect(verdict.decision?.quorum).toEqual({ people: 2, grade: 'A0' });
  expect(await say(hold.id, ada)).toEqual({ kind: 'waiting', people: 1 });
  expect(await refused(() => say(hold.id, ada))).toBe('not-approver');
  expect(world.authority.approvals.whyNot(hold.id, bob.id)).toBeNull();
  const settled = await say(hold.id, eve);
  if (settled.kind !== 'approved') return expect.fail();
  expect(await hold.settled).toEqual(settled);
  const { actions } = world.authority;
  const [first = ''] = settled.approvals;
  await actions.intend(admitted, proposal, verdict, settled.approvals).durable;
  expect(world.statements(worker.task.id)).toMatchObject([
    { predicate: 'task-opened' },
    { predicate: 'approval', digest: first, body: { grade: 'A0', person: { id: ada.id } } },
    { predicate: 'approval', body: { grade: 'A2', person: { id: eve.id } } },
    { predicate: 'intent', body: { approvals: settled.approvals, decision: { quorum: { people: 2 } } } },
  ]);
});

test('one approval of two, or one twice, begins nothing', async () => {
  proves('invariant-7');
  const { worker, admitted, proposal, verdict, hold } = await held();
  await say(hold.id, ada);
  const given = world.statements(worker.task.id).at(-1)?.digest ?? '';
  const { actions } = world.authority;
  expect(await refused(() => actions.intend(admitted, proposal, verdict, [given]))).toBe('approval');
  const again = await held({}, worker);
  await say(again.hold.id, ada);
  const other = world.statements(worker.task.id).at(-1)?.digest ?? '';
  const { admitted: by, proposal: what, verdict: so } = again;
  expect(await refused(() => actions.intend(by, what, so, [other, other]))).toBe('approval');
});

test('a rejection ends what one person approved already', async () => {
  const { hold } = await held();
  await say(hold.id, ada);
  expect(await say(hold.id, bob, 'reject')).toMatchObject({ kind: 'rejected' });
  expect(await hold.settled).toMatchObject({ kind: 'rejected' });
  expect(await refused(() => say(hold.id, eve))).toBe('unknown-hold');
});

test('a weaker approval than policy asks for is not taken', async () => {
  await asking('@grade("A2")');
  const { hold, verdict } = await held();
  expect(verdict.decision?.quorum).toEqual({ people: 1, grade: 'A2' });
  expect(await refused(() => say(hold.id, ada))).toBe('not-approver');
  expect(await say(hold.id, eve)).toMatchObject({ kind: 'approved' });
});

test('nobody approves what is done on his own behalf, or by an agent that he answers for', async () => {
  const principal = { kind: 'person', id: eve.id, authenticated: 'a passkey', how: 'passkey' } as const;
  const own = await held({ principal });
  expect(world.authority.approvals.whyNot(own.hold.id, eve.id)).toMatch(/your own behalf/);
  expect(await refused(() => say(own.hold.id, eve))).toBe('not-approver');
  expect(await say(own.hold.id, eve, 'reject')).toMatchObject({ kind: 'rejected' });

  const { key, agent } = await world.enrol('owned', { owner: eve.id });
  expect(world.statements('agents').at(-1)).toMatchObject({ body: { agent: agent.id, owner: eve.id } });
  await world.restart();
  const task = await world.task(agent.id);
  const worker = new Worker(world, key, agent, task, await world.token(key, agent, task.id));
  const { hold } = await held({}, worker);
  expect(world.authority.approvals.whyNot(hold.id, eve.id)).toMatch(/owner of an agent/);
  expect(await refused(() => say(hold.id, eve))).toBe('not-approver');
});

test('who asks for other arguments is their author, also after a restart, and others judge them', async () => {
  await asking('');
  const { worker, admitted, proposal, verdict, hold } = await held();
  const edited = '{"branch":"fix","force":false}';
  expect(await refused(() => say(hold.id, bob, 'edit', ' {} '))).toBe('proposal'); // as they were
  expect(await refused(() => say(hold.id, bob, 'edit', '[1]'))).toBe('proposal');
  expect(await refused(() => say(hold.id, bob, 'edit', '{"a":1,"a":2}'))).toBe('proposal');
  const settled = await say(hold.id, bob, 'edit', edited);
  if (settled.kind !== 'edited') return expect.fail();
  const { actions } = world.authority;
  const refusal = { verdict, rejection: settled.word, edit: settled.edit };
  await actions.refuse(admitted, proposal, 'edited', 'other arguments', refusal).durable;

  const record = (args: string) => ({
    ...proposal.record,
    action: newId('action', world.clock.now()),
    arguments: args,
  });
  const author = { person: bob.id, edits: hold.id };
  const same = '{ "force": false, "branch": "fix" }';
  expect(world.authority.approvals.authorOf(record(same))).toEqual(author);
  expect(world.authority.approvals.authorOf(record('{"branch":"fix","force":true}'))).toBeNull();
  expect(world.authority.approvals.authorOf({ ...record(same), tool: 'git_pull' })).toBeNull();
  await world.restart();
  expect(world.authority.approvals.authorOf(record(same))).toEqual(author);

  const written = { ...record(same), author };
  const next = worker.propose('git_push', { server: 'git', action: written.action, record: written });
  await worker.renew();
  const by = await worker.admitted('git_push', same);
  const { approvals, actions: later } = world.authority;
  const waiting = approvals.hold(by, next, later.decide(by, next), utf8('push\n'));
  expect(await refused(() => say(waiting.id, bob))).toBe('not-approver');
  expect(await say(waiting.id, ada)).toMatchObject({ kind: 'approved' });
  await world.authority.tasks.close(worker.task.id, 'operator');
  expect(world.authority.approvals.authorOf(record(same))).toBeNull();
});

test('an approval that was not used in its time is good for nothing', async () => {
  proves('invariant-7');
  const { worker, admitted, proposal, verdict, hold } = await held();
  const settled = await say(hold.id, ada);
  if (settled.kind !== 'approved') return expect.fail();
  world.clock.advance(600_000);
  const { actions } = world.authority;
  expect(await refused(() => actions.intend(admitted, proposal, verdict, settled.approvals))).toBe('approval');
  await world.restart();
  expect(world.statements(worker.task.id).at(-1)).toMatchObject({
    predicate: 'refusal',
    body: { reason: 'expired', approvals: settled.approvals },
  });
});

test('what an approver’s browser tells of the reading stands beside the approval as its claim', async () => {
  const { worker, hold } = await held();
  const { approvals } = world.authority;
  const word = await bob.signer.word('deed-approval-v1', approvals.wordBytes(hold.id, bob.id, 'approve'));
  await approvals.answer(bob.id, word, { reported: { shownMs: 4200, seenPercent: 100 } });
  expect(world.statements(worker.task.id).at(-1)).toMatchObject({
    predicate: 'approval',
    body: { reported: { shownMs: 4200, seenPercent: 100 } },
  });
});

test('a bundle asks for no more people than can be recorded, and for none where nobody is asked', async () => {
  const codes: string[] = [];
  for (const annotation of ['@approvers("0")', '@approvers("10")', '@approvers("two")', '@grade("A3")'])
    codes.push(await refused(() => asking(annotation)));
  expect(new Set(codes)).toEqual(new Set(['policy-invalid']));
});

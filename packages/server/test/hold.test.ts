import { openWord, parseApproval } from '@deed/evidence';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { proves } from '../../../tests/promises.ts';
import { type Connection, spoken } from './support/connection.ts';
import { approvingPolicy } from './support/policy.ts';
import { type Worker, World } from './support/world.ts';

let world: World;
let argv: readonly string[];
let worker: Worker;
let connection: Connection;
let seen = 0;
beforeAll(async () => {
  world = await World.begin({ policyFolder: approvingPolicy() });
  argv = await world.scripted();
});
beforeEach(async () => {
  worker = await world.worker();
  connection = await world.connect(argv, worker);
  seen = world.calls().length;
});
afterAll(() => world.end());

const frame =
  '{"jsonrpc":"2.0","id":"held","method":"tools/call","params":{"name":"approve_echo","arguments":{"a":1}}}';

/** Sends a call that needs a person; gives its action, and its answer to come. */
async function hold() {
  const answered = connection.answer('held').then(spoken);
  answered.catch(() => {}); // the tests in which the client goes away do not wait for it
  await connection.send(frame);
  return { action: await world.held(), answered };
}

const story = () =>
  world.statements(worker.task).map((statement) => {
    if (statement.predicate === 'refusal') return `refusal ${statement.body.reason}`;
    return statement.predicate === 'outcome' ? `outcome ${statement.body.status}` : statement.predicate;
  });

test('an approved call runs once, under a checkpoint that the witness signed', async () => {
  proves('invariant-7');
  const { action, answered } = await hold();
  expect(world.calls()).toHaveLength(seen);
  expect(await world.answer(action, 'approve')).toMatchObject({ status: 200, body: { kind: 'approved' } });
  expect(await answered).toEqual({ isError: false, text: '{"a":1}' });
  await connection.close();
  expect(world.calls()).toHaveLength(seen + 1);
  expect(story()).toEqual(['task-opened', 'approval', 'intent', 'outcome ok']);
  const [approval] = world.of(worker.task, 'approval');
  const [intent] = world.of(worker.task, 'intent');
  expect(intent?.body).toMatchObject({ tier: 'approve', approvals: [approval?.digest], record: approval?.body.record });
  expect(world.of(worker.task, 'outcome')[0]?.body.anchor).toMatchObject({ size: expect.any(Number) });
});

test('an approval is used once: the same call again waits for a person again', async () => {
  proves('invariant-7');
  const first = await hold();
  const word = await world.word(first.action, 'approve');
  expect((await world.api('POST', `/v1/approvals/${first.action}`, word)).status).toBe(200);
  expect((await first.answered).isError).toBe(false);
  expect((await world.api('POST', `/v1/approvals/${first.action}`, word)).status).toBe(404);
  const second = await hold();
  expect(second.action).not.toBe(first.action);
  expect(await world.api('POST', `/v1/approvals/${second.action}`, word)).toMatchObject({ status: 404 });
  await world.answer(second.action, 'reject');
  expect((await second.answered).isError).toBe(true);
  expect(world.calls()).toHaveLength(seen + 1);
  await connection.close();
});

test('a rejected call does not run, and its refusal holds the person’s signed word', async () => {
  proves('invariant-7', 'invariant-8');
  const { action, answered } = await hold();
  expect((await world.answer(action, 'reject')).body).toEqual({ kind: 'rejected' });
  expect(await answered).toEqual({ isError: true, text: expect.stringContaining('rejected') });
  await connection.close();
  expect(world.calls()).toHaveLength(seen);
  expect(story()).toEqual(['task-opened', 'refusal rejected']);
  const rejection = world.of(worker.task, 'refusal')[0]?.body.rejection;
  expect(rejection && parseApproval(openWord('deed-approval-v1', rejection))).toMatchObject({
    action,
    decision: 'reject',
    person: world.made.person,
  });
});

test('a held call that the client cancels is over: an approval that comes later is refused', async () => {
  proves('invariant-7');
  const { action } = await hold();
  const word = await world.word(action, 'approve');
  await connection.send('{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"h\\u0065ld"}}');
  await connection.request('ping');
  expect(await world.api('POST', `/v1/approvals/${action}`, word)).toMatchObject({
    status: 404,
    body: { title: 'unknown-hold' },
  });
  await connection.close();
  expect(world.calls()).toHaveLength(seen);
  expect(story()).toEqual(['task-opened', 'refusal cancelled']);
});

test('a held call whose client goes away is over: an approval that comes later is refused', async () => {
  proves('invariant-7');
  const { action } = await hold();
  const word = await world.word(action, 'approve');
  await connection.close();
  expect(await world.api('POST', `/v1/approvals/${action}`, word)).toMatchObject({ status: 404 });
  expect(world.calls()).toHaveLength(seen);
  expect(story()).toEqual(['task-opened', 'refusal cancelled']);
});

test('a held call ends when its task is closed', async () => {
  proves('invariant-5');
  const { action, answered } = await hold();
  const word = await world.word(action, 'approve');
  await world.closeTask(worker.task);
  expect((await answered).isError).toBe(true);
  expect(await world.api('POST', `/v1/approvals/${action}`, word)).toMatchObject({ status: 404 });
  await connection.close();
  expect(world.calls()).toHaveLength(seen);
  expect(world.of(worker.task, 'intent')).toEqual([]);
});

test('a word that is not of this hold, or of nobody who may approve, is refused and the call still waits', async () => {
  const { action, answered } = await hold();
  const reject = (await world.word(action, 'reject')) as { person: string; word: { bytes: string } };
  const bent = { ...reject, word: { ...reject.word, bytes: Buffer.from('{}').toString('base64') } };
  expect((await world.api('POST', `/v1/approvals/${action}`, bent)).status).toBe(400);
  expect((await world.api('POST', `/v1/approvals/${action}`, { ...reject, person: 'prs_none' })).status).toBe(403);
  expect((await world.api('GET', '/v1/approvals')).body.approvals).toMatchObject([{ id: action }]);
  await world.answer(action, 'approve');
  expect((await answered).isError).toBe(false);
  expect(world.calls()).toHaveLength(seen + 1);
  await connection.close();
});

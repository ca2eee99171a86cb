import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type ApprovalDecision,
  concat,
  encodeApproval,
  encodePeopleWord,
  fromBase64,
  makePasskeyWord,
  makePayload,
  newId,
  toBase64,
  toBase64Url,
  utf8,
  verify,
  type Word,
  type WordDomain,
  wordChallenge,
} from '@deed/evidence';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { proves } from '../../../tests/promises.ts';
import { Client } from '../../cli/src/client.ts';
import { newP256, spkiOf } from '../src/index.ts';
import { type Authenticator, notVerified } from './support/authenticator.ts';
import { type Connection, spoken } from './support/connection.ts';
import { joined, order, signIn } from './support/people.ts';
import { approvingPolicy } from './support/policy.ts';
import { atLocalhost, Visitor } from './support/visitor.ts';
import { fixture, node, type Worker, World } from './support/world.ts';

let world: World;
let url: string;
let argv: readonly string[];
let worker: Worker;
let connection: Connection;
let ada: Awaited<ReturnType<typeof joined>>;
let bob: Awaited<ReturnType<typeof joined>>;
beforeAll(async () => {
  world = await World.begin({ listen: { host: '127.0.0.1', port: 0 }, policyFolder: approvingPolicy() });
  url = atLocalhost(world);
  argv = await world.scripted();
  worker = await world.worker();
  connection = await world.connect(argv, worker);
  ada = await joined(world, url, 'Ada');
  bob = await joined(world, url, 'Bob');
  for (const { visitor, passkey } of [ada, bob]) await signIn(url, visitor, passkey);
});
afterAll(async () => {
  await connection.close();
  await world.end();
});

const reported = { shownMs: 3000, seenPercent: 100 };

/** Sends a call that needs a person; gives its action, and its answer to come. */
async function hold(id: string, args = '{"a":1}') {
  const answered = connection.answer(id).then(spoken);
  const frame = `{"jsonrpc":"2.0","id":"${id}","method":"tools/call","params":{"name":"approve_echo","arguments":${args}}}`;
  await connection.send(frame);
  return { action: await world.held(), answered };
}

/** What a passkey signs in a browser. */
function asserted(
  passkey: Authenticator,
  domain: WordDomain,
  bytes: Uint8Array,
  { origin = url, flags }: { readonly origin?: string | undefined; readonly flags?: number | undefined } = {},
): Word {
  const challenge = toBase64Url(wordChallenge(domain, bytes));
  const over = flags === undefined ? {} : { flags };
  const { response } = passkey.get({ origin, rpId: new URL(origin).hostname, challenge, ...over });
  const [sig, authenticatorData, clientDataJSON] = [
    response.signature,
    response.authenticatorData,
    response.clientDataJSON,
  ].map((text) => new Uint8Array(Buffer.from(text ?? '', 'base64url'))) as [Uint8Array, Uint8Array, Uint8Array];
  return makePasskeyWord(bytes, fromBase64(passkey.public), { sig, authenticatorData, clientDataJSON });
}

/** What a browser would send to answer a hold. */
async function signed(
  { visitor, person, passkey }: { visitor: Visitor; person: string; passkey: Authenticator },
  action: string,
  decision: ApprovalDecision = 'approve',
  { edited = null as string | null, flags = undefined as number | undefined, origin = url } = {},
) {
  const view = (await visitor.get(`/v1/my/approvals/${action}`)).body;
  expect(view.passkeys).toEqual([{ credential: passkey.id, public: passkey.public }]);
  const object = edited === null ? null : makePayload(utf8(edited));
  const bytes = encodeApproval({ ...view.word, person, decision, arguments: object?.name ?? null });
  const word = asserted(passkey, 'deed-approval-v1', bytes, { origin, flags });
  return { word, reported, ...(object ? { edited: toBase64(concat(object.salt, object.bytes)) } : {}) };
}

test('a signed-in approver sees what waits and approves it with a passkey, and the evidence says so', async () => {
  proves('invariant-7');
  const { action, answered } = await hold('one');
  const { body } = await ada.visitor.get('/v1/my/approvals');
  expect(body.approvals).toMatchObject([{ id: action, tool: 'approve_echo', whyNot: null }]);
  const answer = await ada.visitor.post(`/v1/my/approvals/${action}`, await signed(ada, action));
  expect(answer.body).toEqual({ kind: 'approved' });
  expect(await answered).toEqual({ isError: false, text: '{"a":1}' });
  const [approval] = world.of(worker.task, 'approval');
  expect(approval?.body).toMatchObject({ grade: 'A2', reported, person: { id: ada.person } });
  expect(approval?.body.approval.signature.kind).toBe('webauthn');
});

test('without a session, without the role, or from another site nobody sees or answers anything', async () => {
  const { action, answered } = await hold('two');
  const stranger = new Visitor(url);
  expect((await stranger.get('/v1/my/approvals')).status).toBe(401);
  expect((await stranger.get(`/v1/my/approvals/${action}`)).status).toBe(401);
  expect((await stranger.get(`/approvals/${action}`)).headers.get('location')).toBe(
    `/people/sign-in#/approvals/${action}`,
  );
  const auditor = await joined(world, url, 'Edsger', ['auditor']);
  await signIn(url, auditor.visitor, auditor.passkey);
  expect((await auditor.visitor.get(`/v1/my/approvals/${action}`)).status).toBe(403);
  const word = await signed(ada, action);
  const path = `/v1/my/approvals/${action}`;
  const foreign = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };
  expect((await ada.visitor.post(path, word, foreign)).status).toBe(403);
  expect((await auditor.visitor.post(path, word)).status).toBe(403);
  expect((await bob.visitor.post(path, word)).status).toBe(400); // signed in as another than who signed
  await ada.visitor.post(path, await signed(ada, action, 'reject'));
  expect((await answered).isError).toBe(true);
});

test('an answer of a passkey that verified nobody, on another page, or over another action counts for nothing', async () => {
  const first = await hold('three', '{"a":3}');
  const path = `/v1/my/approvals/${first.action}`;
  const wrongs = [
    await signed(ada, first.action, 'approve', { flags: notVerified }),
    await signed(ada, first.action, 'approve', { origin: 'http://127.0.0.1' }),
  ];
  const other = await signed(ada, first.action);
  const meddled = { ...other.word, bytes: wrongs[0]?.word.bytes.replace(/.{4}$/, 'AAAA') ?? '' };
  const codes: number[] = [];
  for (const wrong of wrongs) codes.push((await ada.visitor.post(path, wrong)).status);
  expect(codes).toEqual([400, 403]);
  expect((await ada.visitor.post(path, { word: meddled, reported })).status).toBe(400);
  expect((await ada.visitor.post(path, { ...other, reported: { shownMs: -1, seenPercent: 101 } })).status).toBe(400);
  expect((await bob.visitor.get('/v1/my/approvals')).body.approvals).toHaveLength(1);
  expect((await ada.visitor.post(path, other)).body).toEqual({ kind: 'approved' });
  expect((await first.answered).isError).toBe(false);
  expect((await ada.visitor.post(path, other)).status).toBe(404);
});

test('an edit is refused to the agent with the arguments that are asked for, and its author does not judge them', async () => {
  proves('invariant-8');
  const { action, answered } = await hold('four', '{"a":4}');
  const edited = '{"a":2}';
  const path = (id: string) => `/v1/my/approvals/${id}`;
  const answer = await ada.visitor.post(path(action), await signed(ada, action, 'edit', { edited }));
  expect(answer.body).toEqual({ kind: 'edited' });
  const { isError, text } = await answered;
  expect([isError, text]).toEqual([true, expect.stringContaining(edited)]);
  expect(world.calls().at(-1)).not.toContain(edited);

  const next = await hold('five', '{ "a": 2 }');
  const view = (await ada.visitor.get(path(next.action))).body;
  expect(view.whyNot).toMatch(/you wrote its arguments/);
  expect(Buffer.from(view.renderingObject, 'base64').toString()).toContain(
    `author   ${ada.person}, by an edit of ${action}`,
  );
  expect((await ada.visitor.post(path(next.action), await signed(ada, next.action))).status).toBe(403);
  expect((await bob.visitor.post(path(next.action), await signed(bob, next.action))).body).toEqual({
    kind: 'approved',
  });
  expect(await next.answered).toEqual({ isError: false, text: edited });
  const refusals = world.of(worker.task, 'refusal').filter(({ body }) => body.reason === 'edited');
  expect(refusals).toMatchObject([{ body: { action, rejection: { signature: { kind: 'webauthn' } } } }]);
});

test('a file that changes while its approval waits is not touched: what was shown is no longer so', async () => {
  proves('invariant-7');
  const file = join(world.base, 'report.txt');
  writeFileSync(file, 'as it was\n');
  const tool = await world.tool('files', node(fixture('scripted.mjs'), 'files'), 'filesystem');
  const editor = await world.worker([{ server: 'files', paths: { under: [world.base] } }]);
  const files = await world.connect(tool, editor);
  const args = JSON.stringify({ path: file, content: 'as it is to be\n' });
  const answered = files.answer('write').then(spoken);
  await files.send(
    `{"jsonrpc":"2.0","id":"write","method":"tools/call","params":{"name":"approve_echo","arguments":${args}}}`,
  );
  const action = await world.held();
  const { renderingObject } = (await ada.visitor.get(`/v1/my/approvals/${action}`)).body;
  expect(Buffer.from(renderingObject, 'base64').toString()).toMatch(/-as it was\n {2}\+as it is to be\n/);
  writeFileSync(file, 'somebody else was here\n');
  const answer = await signed(ada, action);
  expect((await ada.visitor.post(`/v1/my/approvals/${action}`, answer)).body).toEqual({ kind: 'approved' });
  expect(await answered).toEqual({
    isError: true,
    text: expect.stringContaining('no longer as the approver was shown'),
  });
  await files.close();
  expect(world.of(editor.task, 'refusal')).toMatchObject([{ body: { reason: 'operands-changed' } }]);
  expect(world.of(editor.task, 'intent')).toEqual([]);
});

test('a second word for an order counts from who signed it, on a page of this server', async () => {
  const operator = { kind: 'es256' as const, public: toBase64(spkiOf(newP256())) };
  await order(world, newId('person', Date.now()), { kind: 'enrolled', key: operator, roles: ['operator'] });
  const key = { kind: 'es256' as const, public: toBase64(spkiOf(newP256())) };
  const wanted = newId('person', Date.now());
  const change = { kind: 'enrolled' as const, key, roles: ['approver' as const] };
  expect(await order(world, wanted, change)).toMatchObject({ state: 'waiting' });
  const { origin, after, waiting } = (await ada.visitor.get('/v1/my/orders')).body;
  expect(waiting).toMatchObject({ person: wanted, change });
  const signedBy = ({ person, passkey }: typeof ada, page = url) => {
    const bytes = encodePeopleWord({
      origin,
      after,
      person: wanted,
      change,
      by: person,
      time: new Date().toISOString(),
    });
    return { word: asserted(passkey, 'deed-people-v1', bytes, { origin: page }) };
  };
  const codes: number[] = [];
  codes.push((await new Visitor(url).post('/v1/my/orders', signedBy(ada))).status);
  codes.push((await bob.visitor.post('/v1/my/orders', signedBy(ada))).status);
  codes.push((await ada.visitor.post('/v1/my/orders', signedBy(ada, 'http://localhost:1'))).status);
  expect(codes).toEqual([401, 403, 403]);
  expect((await ada.visitor.post('/v1/my/orders', signedBy(ada))).body).toMatchObject({ state: 'done', alone: false });
  expect((await ada.visitor.get('/v1/my/orders')).body.waiting).toBeNull();
});

test('a case in which passkeys approved, rejected and edited is sound', async () => {
  await connection.close();
  await world.closeTask(worker.task);
  const file = await new Client(world.dir).postForBytes(`/v1/tasks/${worker.task}/case`);
  const { verdict, reasons } = verify(file, { trust: world.made.trustFile });
  expect([verdict, reasons]).toEqual(['VERIFIED', []]);
  connection = await world.connect(argv, await world.worker());
});

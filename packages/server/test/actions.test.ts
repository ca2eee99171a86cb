import { AuthorityError } from '@deed/authority';
import { openPayload, verify } from '@deed/evidence';
import { placeholderOf } from '@deed/gateway';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { exportCase } from '../src/case-export.ts';
import { answers } from '../src/http/openapi.ts';
import { approvingPolicy } from './support/policy.ts';
import { type Asked, service } from './support/service.ts';
import { type Worker, World } from './support/world.ts';

let world: World;
let bank: Awaited<ReturnType<typeof service>>;
/** How the service answers; each test may change it. */
let answer: (
  asked: Asked,
) => { readonly status?: number; readonly body?: string | Buffer; readonly type?: string } | null;

const operations = [
  { name: 'read', method: 'GET', path: '/accounts/{id}' },
  { name: 'refund', method: 'POST', path: '/charges/{charge}/refunds' },
  { name: 'transfer', method: 'POST', path: '/transfers', body: 'form' },
  { name: 'approve_payout', method: 'POST', path: '/payouts' },
];

beforeAll(async () => {
  world = await World.begin({
    policyFolder: approvingPolicy(),
    listen: { host: '127.0.0.1', port: 0 },
    limits: { holdMs: 500, answerMs: 2_000 },
  });
  bank = await service((asked, response) => {
    const answered = answer(asked);
    if (answered === null) return response.destroy();
    const headers = { 'content-type': answered.type ?? 'application/json', 'request-id': `req_${bank.asked.length}` };
    response
      .writeHead(answered.status ?? 200, { ...headers, location: `${bank.url}/elsewhere` })
      .end(answered.body ?? '{"ok":true}');
  });
  await world.post('/v1/tools', { name: 'bank', kind: 'plain', url: `${bank.url}/v1`, operations });
});
afterAll(async () => {
  await world.end();
  bank.stop();
});
beforeEach(() => {
  answer = () => ({});
  bank.asked.splice(0);
});

let keys = 0;
const key = () => `key-${++keys}`;

const own = { request: 'act', server: 'self:mail', tool: 'send', arguments: { to: 'a@example.org' } };
const bankCall = { request: 'execute', server: 'bank', tool: 'refund', arguments: { charge: 'ch_1', amount: 100 } };
const allow = [{ server: 'bank' }, { server: 'self:mail' }];

/** One request as an agent sends it: the token, and a proof of the exact message. */
async function send({ sign }: Worker, method: string, path: string, body?: unknown, headers: object = {}) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const message = method === 'GET' ? `GET ${path.split('?')[0]}` : text;
  const [token = '', proof = ''] = (await sign(Buffer.from(message))).split(' ');
  const shown = { 'deed-task-token': token, 'workload-proof-token': proof, ...headers };
  const response = await fetch(`${world.serving.url}${path}`, {
    method,
    headers: { 'content-type': 'application/json', ...shown },
    ...(method === 'GET' ? {} : { body: text }),
  });
  // biome-ignore lint/suspicious/noExplicitAny: each test knows what it asked for
  return { status: response.status, body: (await response.json()) as any, shown };
}

const act = (worker: Worker, fields: object = {}) =>
  send(worker, 'POST', '/v1/actions', { ...own, idempotencyKey: key(), ...fields });
const execute = (worker: Worker, fields: object = {}, query = '') =>
  send(worker, 'POST', `/v1/execute${query}`, { ...bankCall, idempotencyKey: key(), ...fields });
const tell = (worker: Worker, action: string, status: string, fields: object = {}) =>
  send(worker, 'POST', `/v1/actions/${action}/result`, { request: 'result', action, status, ...fields });

/** What the offline verifier says of the task's case, once it is closed. */
async function verdictOf(task: string) {
  await world.closeTask(task);
  const { authority, ledger } = world.serving.deployment;
  const file = await exportCase(
    {
      ...{ db: ledger.database, ledger, authority, trustFile: world.made.trustFile, writer: 'test' },
      ...{ now: Date.now, witnessMs: 20_000 },
    },
    task,
  );
  const { verdict, reasons } = verify(file, { trust: world.made.trustFile });
  return { verdict, reasons: reasons.map(({ message }) => message) };
}
const verified = { verdict: 'VERIFIED', reasons: [] };

describe('a call that the agent makes itself', () => {
  test('has an intent before the answer and the told result after it, and its case verifies', async () => {
    const worker = await world.worker(allow);
    const begun = await act(worker);
    expect(begun).toMatchObject({ status: 200, body: { state: 'begun', tier: 'record', response: null } });
    const [intent] = world.of(worker.task, 'intent');
    expect(intent).toMatchObject({ observed: 'self-reported', digest: begun.body.intent });
    const { action, expires } = begun.body;
    expect(Date.parse(expires)).toBeGreaterThan(Date.now() + 500_000);
    const told = await tell(worker, action, 'ok', { result: { id: 7 } });
    expect(told).toMatchObject({ status: 200, body: { state: 'ok', expires: null } });
    const [outcome] = world.of(worker.task, 'outcome');
    expect(outcome).toMatchObject({ observed: 'self-reported', digest: told.body.outcome, body: { status: 'ok' } });
    expect(await verdictOf(worker.task)).toEqual(verified);
  });

  test('is refused, and recorded so, where the task does not allow it', async () => {
    const worker = await world.worker(allow);
    const refused = await act(worker, { server: 'self:phone' });
    expect(refused).toMatchObject({
      status: 403,
      body: { title: 'outside-grant', action: expect.stringMatching(/^act_/) },
    });
    expect(world.of(worker.task, 'refusal')).toMatchObject([{ body: { reason: 'outside-grant' } }]);
    expect(await verdictOf(worker.task)).toEqual(verified);
  });

  test('is never allowed above tier record', async () => {
    const worker = await world.worker(allow);
    expect(await act(worker, { tool: 'approve_send' })).toMatchObject({
      status: 403,
      body: { title: 'outside-grant', detail: 'policy puts it at tier approve, the ceiling here is record' },
    });
  });

  test('is one action under one key, however often it is sent, and another call under it is refused', async () => {
    const worker = await world.worker(allow);
    const idempotencyKey = key();
    const answers = await Promise.all([1, 2, 3].map(() => act(worker, { idempotencyKey })));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(new Set(answers.map(({ body }) => body.action)).size).toBe(1);
    expect(await act(worker, { idempotencyKey })).toMatchObject({ body: answers[0]?.body });
    expect(world.of(worker.task, 'intent')).toHaveLength(1);
    expect(await act(worker, { idempotencyKey, tool: 'call' })).toMatchObject({
      status: 422,
      body: { title: 'idempotency' },
    });
    // Another agent's keys have nothing to do with it.
    const other = await world.worker(allow);
    expect((await act(other, { idempotencyKey })).body.action).not.toBe(answers[0]?.body.action);
  });

  test('has its outcome once: the same word again is no error, another word is', async () => {
    const worker = await world.worker(allow);
    const { action } = (await act(worker)).body;
    expect(await tell(worker, action, 'error')).toMatchObject({ status: 200, body: { state: 'error' } });
    expect(await tell(worker, action, 'error')).toMatchObject({ status: 200, body: { state: 'error' } });
    expect(await tell(worker, action, 'ok')).toMatchObject({ status: 409, body: { title: 'ended' } });
    expect(world.of(worker.task, 'outcome')).toHaveLength(1);
  });

  test('without a result by its end is unknown, and a late result settles it', async () => {
    const worker = await world.worker(allow);
    const { action } = (await act(worker, { expiresSeconds: 1 })).body;
    const path = `/v1/actions/${action}`;
    expect(await send(worker, 'GET', `${path}?wait=20`)).toMatchObject({ status: 200, body: { state: 'unknown' } });
    expect(await tell(worker, action, 'ok')).toMatchObject({ status: 200, body: { state: 'ok' } });
    expect(world.of(worker.task, 'outcome').map(({ body }) => body.status)).toEqual(['unknown', 'ok']);
    expect(await verdictOf(worker.task)).toEqual(verified);
  });

  test('that outlives its task gets its outcome after the end', async () => {
    const worker = await world.worker(allow);
    const { action } = (await act(worker)).body;
    await world.closeTask(worker.task);
    expect(await act(worker)).toMatchObject({ status: 409, body: { title: 'task-closed' } });
    expect(await tell(worker, action, 'ok')).toMatchObject({ status: 200, body: { state: 'ok' } });
    expect(await verdictOf(worker.task)).toEqual(verified);
  });

  test('is of its agent alone: nobody else tells its result or asks how it stands', async () => {
    const worker = await world.worker(allow);
    const { action } = (await act(worker)).body;
    const other = await world.worker(allow);
    expect(await tell(other, action, 'ok')).toMatchObject({ status: 404, body: { title: 'unknown-action' } });
    expect(await send(other, 'GET', `/v1/actions/${action}`)).toMatchObject({ status: 404 });
    expect(await tell(worker, 'act_00000000000000000000000000', 'ok')).toMatchObject({ status: 404 });
  });
});

describe('a call that the gateway makes', () => {
  beforeEach(() => bank.asked.splice(0));

  test('reaches the service once, with the action as its idempotency key, and its case verifies', async () => {
    const worker = await world.worker(allow);
    answer = () => ({ body: '{"refund":"re_1"}' });
    const done = await execute(worker);
    expect(done).toMatchObject({
      status: 200,
      body: {
        state: 'ok',
        tier: 'record',
        response: { status: 200, type: 'application/json', text: '{"refund":"re_1"}' },
      },
    });
    const { action } = done.body;
    expect(bank.asked).toMatchObject([
      {
        ...{ method: 'POST', path: '/v1/charges/ch_1/refunds', body: '{"amount":100}' },
        headers: { 'content-type': 'application/json', 'idempotency-key': action, 'deed-action': action },
      },
    ]);
    expect(JSON.stringify(bank.asked[0]?.headers)).not.toMatch(/deed-task-token|workload-proof/);
    const [intent] = world.of(worker.task, 'intent');
    expect(intent).toMatchObject({ observed: 'gateway-executed', body: { tool: { server: 'bank', name: 'refund' } } });
    const { vault } = world.serving.deployment.authority;
    const [outcome] = world.of(worker.task, 'outcome');
    const { sha256 = '' } = outcome?.body.effects ?? {};
    expect(JSON.parse(Buffer.from(openPayload(vault.get(sha256), sha256).bytes).toString())).toEqual({
      v: 1,
      effects: [
        { kind: 'http', method: 'POST', url: `${bank.url}/v1/charges/ch_1/refunds`, status: 200, request: 'req_1' },
      ],
    });
    expect(await verdictOf(worker.task)).toEqual(verified);
  });

  test.each([
    ['read', { id: 'a/../b?c', full: true, n: 1.5 }, 'GET', '/v1/accounts/a%2F..%2Fb%3Fc?full=true&n=1.5', ''],
    ['transfer', { to: 'a&b', tags: ['x', 'y'] }, 'POST', '/v1/transfers', 'to=a%26b&tags=x&tags=y'],
    ['approve_payout', {}, 'POST', null, ''],
  ])('%s sends its arguments where they belong', async (tool, args, method, path, body) => {
    const worker = await world.worker(allow);
    const done = await execute(worker, { tool, arguments: args });
    if (path === null) return expect(done.status).toBe(202);
    expect(done.status).toBe(200);
    expect(bank.asked).toMatchObject([{ method, path, body }]);
  });

  test.each([
    ['a way up', { charge: '..' }],
    ['an empty part of the path', { charge: '' }],
    ['a list in the path', { charge: ['a'] }],
    ['no part of the path at all', {}],
  ])('with %s is refused before anything is sent', async (_, args) => {
    const worker = await world.worker(allow);
    expect(await execute(worker, { arguments: args })).toMatchObject({ status: 403, body: { title: 'denied' } });
    expect(bank.asked).toEqual([]);
    expect(world.of(worker.task, 'intent')).toEqual([]);
  });

  test.each([
    [204, 'ok'],
    [302, 'error'],
    [404, 'error'],
    [500, 'unknown'],
    [503, 'unknown'],
  ] as const)('that is answered with %s is %s', async (status, state) => {
    const worker = await world.worker(allow);
    answer = () => ({ status, body: '' });
    expect(await execute(worker)).toMatchObject({ status: 200, body: { state, response: { status } } });
    expect(bank.asked).toHaveLength(1); // no redirect is followed, nothing is tried again
    expect(world.of(worker.task, 'outcome')).toMatchObject([{ body: { status: state } }]);
  });

  test('of which the connection breaks is unknown; one that was never sent is an error', async () => {
    const worker = await world.worker([...allow, { server: 'nowhere' }]);
    answer = () => null;
    expect(await execute(worker)).toMatchObject({ status: 200, body: { state: 'unknown', response: null } });
    const closed = await service(() => {});
    closed.stop();
    await world.post('/v1/tools', { name: 'nowhere', kind: 'plain', url: closed.url, operations });
    expect(await execute(worker, { server: 'nowhere' })).toMatchObject({ status: 200, body: { state: 'error' } });
  });

  test('that the service never answers is unknown after its time', async () => {
    const worker = await world.worker(allow);
    const silent = await service(() => {});
    await world.post('/v1/tools', { name: 'silent', kind: 'plain', url: silent.url, operations });
    const other = await world.worker([{ server: 'silent' }]);
    expect(await execute(other, { server: 'silent' })).toMatchObject({ status: 200, body: { state: 'unknown' } });
    silent.stop();
    expect(world.of(worker.task, 'intent')).toEqual([]);
  });

  test('is made once under one key, also by requests at the same time, and the answer is the same', async () => {
    const worker = await world.worker(allow);
    const idempotencyKey = key();
    const answers = await Promise.all([1, 2, 3, 4].map(() => execute(worker, { idempotencyKey })));
    expect(answers.map(({ body }) => body)).toEqual(answers.map(() => answers[0]?.body));
    expect((await execute(worker, { idempotencyKey })).body).toEqual(answers[0]?.body);
    expect(bank.asked).toHaveLength(1);
  });

  test('stands in the trace that its caller says, which goes on to the service', async () => {
    const worker = await world.worker(allow);
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    expect((await execute(worker, { traceparent, tracestate: 'a=1' })).status).toBe(200);
    expect(bank.asked[0]?.headers).toMatchObject({ traceparent, tracestate: 'a=1' });
    expect((await execute(worker, { traceparent: 'nonsense' })).status).toBe(200);
    expect(bank.asked[1]?.headers).not.toHaveProperty('traceparent');
    expect(world.of(worker.task, 'intent').map(({ body }) => body.trace)).toEqual([
      { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7' },
      undefined,
    ]);
    expect(await verdictOf(worker.task)).toEqual(verified);
  });

  test('is not made again under its key where its outcome could not be recorded', async () => {
    const worker = await world.worker(allow);
    const idempotencyKey = key();
    const { actions } = world.serving.deployment.authority;
    const conclude = vi.spyOn(actions, 'conclude').mockImplementationOnce(() => {
      throw new AuthorityError('outcome', 'the disk is full');
    });
    expect(await execute(worker, { idempotencyKey })).toMatchObject({
      status: 403,
      body: { detail: 'the disk is full' },
    });
    conclude.mockRestore();
    expect(await execute(worker, { idempotencyKey })).toMatchObject({ status: 200, body: { state: 'begun' } });
    expect(bank.asked).toHaveLength(1);
  });

  test('carries the credential that the agent never holds', async () => {
    await world.post('/v1/secrets', { name: 'vault', variable: 'KEY', value: 'sk_secret' });
    const fields = { kind: 'plain', url: bank.url, operations, credentials: [{ broker: 'vault' }] };
    await world.post('/v1/tools', {
      name: 'keyed',
      ...fields,
      headers: { Authorization: `Bearer ${placeholderOf('KEY')}` },
    });
    const worker = await world.worker([{ server: 'keyed' }]);
    const done = await execute(worker, { server: 'keyed' });
    expect(done.status).toBe(200);
    expect(bank.asked[0]?.headers.authorization).toBe('Bearer sk_secret');
    await world.post('/v1/tools', {
      name: 'unheld',
      ...fields,
      credentials: [],
      headers: { 'X-Key': placeholderOf('KEY') },
    });
    const other = await world.worker([{ server: 'unheld' }]);
    expect(await execute(other, { server: 'unheld' })).toMatchObject({ status: 403, body: { title: 'credential' } });
    expect(bank.asked).toHaveLength(1);
  });

  test('is refused without a token, with the proof of another message, and with a proof that was used', async () => {
    const worker = await world.worker(allow);
    const bare = await fetch(`${world.serving.url}/v1/execute`, { method: 'POST', body: JSON.stringify(bankCall) });
    expect(bare.status).toBe(401);
    const first = await execute(worker);
    const again = { ...bankCall, idempotencyKey: key() };
    const stolen = await fetch(`${world.serving.url}/v1/execute`, {
      method: 'POST',
      headers: first.shown as Record<string, string>,
      body: JSON.stringify(again),
    });
    expect(stolen.status).toBe(401);
    const body = JSON.stringify({ ...bankCall, idempotencyKey: key() });
    const used = await send(worker, 'POST', '/v1/execute', body);
    const replayed = await fetch(`${world.serving.url}/v1/execute`, {
      method: 'POST',
      headers: used.shown as Record<string, string>,
      body,
    });
    expect(replayed.status).toBe(401);
    expect(bank.asked).toHaveLength(2);
    // What was signed to be executed is no leave to act, and the other way round.
    const asAct = await send(worker, 'POST', '/v1/actions', { ...bankCall, idempotencyKey: key() });
    expect(asAct).toMatchObject({ status: 400, body: { title: 'request' } });
  });

  test('of an operation or a service that nobody registered is refused', async () => {
    const worker = await world.worker([{ server: 'bank' }, { server: 'nobody' }]);
    expect(await execute(worker, { tool: 'steal' })).toMatchObject({ status: 404, body: { title: 'tool-unknown' } });
    expect(await execute(worker, { server: 'nobody' })).toMatchObject({ status: 404 });
  });

  test('waits where the operator changed the operation after it was pinned', async () => {
    const mine = await service((_, response) => response.end('{}'));
    const add = (path: string) =>
      world.post('/v1/tools', {
        name: 'moving',
        kind: 'plain',
        url: mine.url,
        operations: [{ name: 'go', method: 'POST', path }],
      });
    await add('/a');
    const worker = await world.worker([{ server: 'moving' }]);
    const go = () => execute(worker, { server: 'moving', tool: 'go', arguments: {} });
    expect((await go()).status).toBe(200);
    await add('/b');
    expect(await go()).toMatchObject({ status: 403, body: { title: 'tool-changed' } });
    await world.post('/v1/tools/accept', { server: 'moving', tool: 'go' });
    expect((await go()).status).toBe(200);
    expect(mine.asked.map(({ path }) => path)).toEqual(['/a', '/b']);
    mine.stop();
  });
});

/** The action of this worker that waits for a person, as soon as there is one. */
function heldIn({ task }: Worker): Promise<string> {
  const { approvals } = world.serving.deployment.authority;
  return new Promise((resolve) => {
    const look = () => {
      const found = approvals.list().find((hold) => hold.task === task);
      if (!found) return;
      stop();
      resolve(found.id);
    };
    const stop = approvals.onChange(look);
    look();
  });
}

describe('a call that waits for a person', () => {
  const payout = { tool: 'approve_payout', arguments: { amount: 5 } };

  test('is answered at once with where it waits, and runs when it is sent again after the approval', async () => {
    const worker = await world.worker(allow);
    const fields = { ...payout, idempotencyKey: key() };
    const held = await execute(worker, fields);
    expect(held).toMatchObject({
      status: 202,
      body: { state: 'held', approval: { page: expect.stringContaining('act_') } },
    });
    const path = `/v1/actions/${held.body.action}`;
    expect(await send(worker, 'GET', path)).toMatchObject({ status: 202, body: { action: held.body.action } });
    const changed = send(worker, 'GET', `${path}?wait=20`);
    await world.answer(held.body.action, 'approve');
    expect(await changed).toMatchObject({ status: 200, body: { state: 'asked' } });
    expect(bank.asked).toEqual([]);
    const done = await execute(worker, fields);
    expect(done).toMatchObject({ status: 200, body: { action: held.body.action, state: 'ok', tier: 'approve' } });
    expect((await execute(worker, fields)).body.outcome).toBe(done.body.outcome);
    expect(bank.asked).toHaveLength(1);
    expect(await verdictOf(worker.task)).toEqual(verified);
  });

  test('goes on within one request, if that waits long enough', async () => {
    const worker = await world.worker(allow);
    const running = execute(worker, payout, '?wait=20');
    await world.answer(await heldIn(worker), 'approve');
    expect(await running).toMatchObject({ status: 200, body: { state: 'ok' } });
  });

  test('is refused after a no, and nobody is asked again whatever the key', async () => {
    const worker = await world.worker(allow);
    const fields = { ...payout, idempotencyKey: key() };
    const held = await execute(worker, fields);
    await world.answer(held.body.action, 'reject');
    expect(await execute(worker, fields)).toMatchObject({ status: 403, body: { title: 'rejected' } });
    expect(await send(worker, 'GET', `/v1/actions/${held.body.action}`)).toMatchObject({
      status: 403,
      body: { title: 'rejected' },
    });
    expect(await execute(worker, payout)).toMatchObject({ status: 403, body: { title: 'denied' } });
    expect(bank.asked).toEqual([]);
    expect(await verdictOf(worker.task)).toEqual(verified);
  });

  test('waits once for each key', async () => {
    const worker = await world.worker(allow);
    const [one, two] = [
      { ...payout, idempotencyKey: key() },
      { ...payout, idempotencyKey: key() },
    ];
    const first = await execute(worker, one);
    const second = await execute(worker, two);
    expect(second.body.action).not.toBe(first.body.action);
    await world.answer(first.body.action, 'approve');
    expect((await execute(worker, two)).status).toBe(202);
    expect((await execute(worker, one)).status).toBe(200);
    await world.answer(second.body.action, 'approve');
    expect(await execute(worker, two)).toMatchObject({ status: 200, body: { action: second.body.action } });
    expect(bank.asked).toHaveLength(2);
  });
});

describe('the API', () => {
  test.each([
    ['no JSON', '{'],
    ['a member twice', '{"request":"act","request":"act"}'],
    ['a member nobody knows', JSON.stringify({ ...own, idempotencyKey: 'a', more: 1 })],
    ['no key', JSON.stringify(own)],
    ['a registered name for a tool of its own', JSON.stringify({ ...own, idempotencyKey: 'a', server: 'bank' })],
  ])('refuses %s', async (_, body) => {
    const worker = await world.worker(allow);
    expect(await send(worker, 'POST', '/v1/actions', body)).toMatchObject({ status: 400, body: { title: 'request' } });
    expect(world.of(worker.task, 'intent')).toEqual([]);
  });

  test('takes the word of an agent that its task is done, and leaves it open', async () => {
    const worker = await world.worker(allow);
    const { task } = worker;
    const ask = () => send(worker, 'POST', `/v1/tasks/${task}/close`, { request: 'close', task });
    const asked = await ask();
    expect(asked).toMatchObject({ status: 202, body: { task } });
    expect((await ask()).body).toEqual(asked.body);
    const { body } = await world.api('GET', '/v1/tasks');
    expect(body.tasks.find((each: { task: string }) => each.task === task)).toMatchObject({ asked: asked.body.asked });
    expect((await act(worker)).status).toBe(200);
  });

  test('is described, and answers as it is described', async () => {
    const response = await fetch(`${world.serving.url}/v1/openapi.json`);
    const described = (await response.json()) as { paths: Record<string, unknown>; openapi: string };
    expect(described.openapi).toBe('3.1.0');
    expect(Object.keys(described.paths)).toEqual([
      '/v1/actions',
      '/v1/execute',
      '/v1/actions/{action}',
      '/v1/actions/{action}/result',
      '/v1/tasks/{task}/close',
    ]);
    const worker = await world.worker(allow);
    const begun = await act(worker);
    const told = await tell(worker, begun.body.action, 'ok');
    const done = await execute(worker);
    answer = () => ({ body: Buffer.from([0xff, 0]), type: 'image/png' });
    const bytes = await execute(worker);
    expect(bytes.body.response).toEqual({ status: 200, type: 'image/png', base64: '/wA=' });
    for (const { body } of [begun, told, done, bytes]) answers.Action.parse(body);
    answers.Held.parse((await execute(worker, { tool: 'approve_payout' })).body);
    answers.Problem.parse((await act(worker, { server: 'self:phone' })).body);
  });
});

test('a restart leaves what was begun unknown, and its key where it was', async () => {
  const worker = await world.worker(allow);
  const [ownKey, bankKey] = [key(), key()];
  const begun = await act(worker, { idempotencyKey: ownKey });
  answer = () => ({ body: '{"once":true}' });
  const done = await execute(worker, { idempotencyKey: bankKey });
  const held = { tool: 'approve_payout', arguments: { amount: 9 }, idempotencyKey: key() };
  const waiting = await execute(worker, held);
  await world.serving.close();
  world.serving = await world.serve({
    listen: { host: '127.0.0.1', port: 0 },
    limits: { holdMs: 500, answerMs: 2_000 },
  });
  expect(await act(worker, { idempotencyKey: ownKey })).toMatchObject({
    status: 200,
    body: { action: begun.body.action, state: 'unknown' },
  });
  expect(await tell(worker, begun.body.action, 'ok')).toMatchObject({ status: 200, body: { state: 'ok' } });
  expect((await execute(worker, { idempotencyKey: bankKey })).body).toEqual(done.body);
  expect(bank.asked).toHaveLength(1);
  const again = await world.signer(worker.agent, worker.task);
  expect(await execute(again, held)).toMatchObject({ status: 202, body: { action: waiting.body.action } });
  await world.answer(waiting.body.action, 'approve');
  expect(await execute(again, held)).toMatchObject({ status: 200, body: { state: 'ok' } });
  expect(await verdictOf(worker.task)).toEqual(verified);
});

import { appendFileSync, mkdtempSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeFindingWord, type FindingWord, verify } from '@deed/evidence';
import { placeholderOf } from '@deed/gateway';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Payments, startPayments } from '../../../examples/payments/service.ts';
import { exportCase } from '../src/case-export.ts';
import { keyPersonSigner, readSealedKey } from '../src/index.ts';
import { approvingPolicy } from './support/policy.ts';
import { type Worker, World } from './support/world.ts';

const example = (name: string) => readFileSync(new URL(`../../../examples/payments/${name}`, import.meta.url), 'utf8');
const operations = [
  { name: 'read', method: 'GET', path: '/v1/charges/{charge}' },
  { name: 'refund', method: 'POST', path: '/v1/charges/{charge}/refunds' },
];

let world: World;
let payments: Payments;

beforeAll(async () => {
  payments = await startPayments(realpathSync(mkdtempSync(join(tmpdir(), 'deed-payments-'))));
  world = await World.begin({ policyFolder: approvingPolicy(), listen: { host: '127.0.0.1', port: 0 } });
  const adminTokenFile = join(world.base, 'payments-admin');
  writeFileSync(adminTokenFile, payments.adminToken, { mode: 0o600 });
  await world.post('/v1/brokers', {
    kind: 'http-keys',
    name: 'payments',
    adminUrl: `${payments.url}/admin/keys`,
    adminTokenFile,
  });
  await world.post('/v1/tools', {
    ...{ name: 'payments', kind: 'plain', url: payments.url, operations },
    credentials: [{ broker: 'payments' }],
    headers: { authorization: `Bearer ${placeholderOf('API_KEY')}` },
  });
  await world.post('/v1/sources', {
    ...{ id: 'payments', kind: 'mapped', skewMs: 0 },
    config: { path: payments.log, mapping: example('mapping.json'), live: true },
  });
  await world.post('/v1/contracts', { contract: example('contract.json') });
});
afterAll(async () => {
  await world.end();
  await payments.stop();
});
beforeEach(() => {
  payments.tamper = (record) => [record];
});

const signer = async () => keyPersonSigner(await readSealedKey(join(world.base, 'person.json'), 'test'));
let keys = 0;

/** One call through Deed, which makes it with the key that the agent never holds. */
async function execute({ sign }: Worker, tool: string, args: object) {
  const body = JSON.stringify({
    ...{ request: 'execute', server: 'payments', tool, arguments: args },
    idempotencyKey: `key-${++keys}`,
  });
  const [token = '', proof = ''] = (await sign(Buffer.from(body))).split(' ');
  const response = await fetch(`${world.serving.url}/v1/execute`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'deed-task-token': token, 'workload-proof-token': proof },
    body,
  });
  // biome-ignore lint/suspicious/noExplicitAny: each test knows what it asked for
  return (await response.json()) as any;
}

const work = async () => {
  const worker = await world.worker([{ server: 'payments' }]);
  const { credentials } = world.serving.deployment.authority;
  return { worker, token: credentials.secret(worker.task, 'payments')?.secret.token ?? '' };
};
const refund = (worker: Worker, charge: string, amount = '40.00') => execute(worker, 'refund', { charge, amount });

/** Behind Deed's back, with a key of its task. */
async function behind(token: string, charge: string, amount = '40.00') {
  return fetch(`${payments.url}/v1/charges/${charge}/refunds`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    body: JSON.stringify({ amount }),
  });
}

// biome-ignore lint/suspicious/noExplicitAny: each test knows what it asked for
const reconcile = (task: string): Promise<any> => world.post(`/v1/tasks/${task}/reconcile`);
const typesOf = ({ findings }: { findings: { type: string }[] }) => findings.map(({ type }) => type);

async function verdictOf(task: string) {
  const { authority, ledger } = world.serving.deployment;
  const made = { db: ledger.database, ledger, authority, trustFile: world.made.trustFile, writer: 'test' };
  const file = await exportCase({ ...made, now: Date.now, witnessMs: 20_000 }, task);
  return verify(file, { trust: world.made.trustFile });
}

describe('a service with a log of its own', () => {
  test('confirms what was done through Deed, and the case verifies with that layer', async () => {
    const { worker } = await work();
    const done = [await execute(worker, 'read', { charge: 'ch_1' }), await refund(worker, 'ch_1')];
    await world.closeTask(worker.task);
    const result = await reconcile(worker.task);
    expect(result).toMatchObject({ pending: 0, findings: [] });
    expect(result.confirmed).toEqual(done.map(({ action }) => action));
    const [confirmed] = world.of(worker.task, 'confirmed');
    expect(confirmed?.body).toMatchObject({ how: 'exact', key: ['correlation.request'] });
    const report = await verdictOf(worker.task);
    expect(report.reasons).toEqual([]);
    expect(report.verdict).toBe('VERIFIED');
    expect(report.actions.map(({ layers }) => layers.corroboration.state)).toEqual(['present', 'present']);
  });

  test('names what went past Deed, what was changed, and what was used after the close', async () => {
    const { worker, token } = await work();
    await refund(worker, 'ch_1');
    await behind(token, 'ch_66', '999.00');
    payments.tamper = (record) => [{ ...record, amount: '400.00' }];
    await refund(worker, 'ch_2');
    payments.tamper = () => [];
    await refund(worker, 'ch_3');
    payments.tamper = (record) => [
      record,
      { ...record, id: `${record.id}-2`, request: 'req_again', idempotency: null },
    ];
    await refund(worker, 'ch_4');
    payments.tamper = (record) => [record];
    await world.closeTask(worker.task);
    expect((await behind(token, 'ch_5')).status).toBe(401);
    const result = await reconcile(worker.task);
    expect(result.confirmed).toHaveLength(2);
    expect(typesOf(result).sort()).toEqual([
      ...['duplicate_execution', 'hidden_side_effect', 'phantom_action', 'result_mismatch', 'use_after_close'],
    ]);
    expect(await reconcile(worker.task)).toMatchObject({ findings: result.findings, confirmed: [] });
    const report = await verdictOf(worker.task);
    expect(report).toMatchObject({ verdict: 'VERIFIED', reasons: [] });
  });

  test('takes back that an action was a phantom when its record comes late, and keeps what operators say of findings', async () => {
    const { worker, token } = await work();
    let late: object | null = null;
    payments.tamper = (record) => {
      late = record;
      return [];
    };
    const { action } = await refund(worker, 'ch_1');
    payments.tamper = (record) => [record];
    await behind(token, 'ch_2');
    expect(typesOf(await reconcile(worker.task)).sort()).toEqual(['hidden_side_effect', 'phantom_action']);
    appendFileSync(payments.log, `${JSON.stringify(late)}\n`);
    const again = await reconcile(worker.task);
    expect(again.confirmed).toEqual([action]);
    const stateOf = (type: string) => again.findings.find((one: { type: string }) => one.type === type);
    expect(stateOf('phantom_action').state).toBe('superseded');
    const { origin, person } = world.made;
    const say = async (fields: object) => {
      const time = new Date().toISOString();
      const base = {
        origin,
        person,
        finding: stateOf('hidden_side_effect').finding,
        reason: 'a test',
        until: null,
        time,
      };
      const bytes = encodeFindingWord({ ...base, ...fields } as FindingWord);
      return world.api('POST', '/v1/findings', { word: await (await signer()).word('deed-finding-v1', bytes) });
    };
    expect(await say({ state: 'explained' })).toMatchObject({ status: 200, body: { state: 'explained' } });
    expect((await say({ state: 'accepted' })).status).toBe(400);
    const until = new Date(Date.now() + 60_000).toISOString();
    expect(await say({ state: 'accepted', until })).toMatchObject({ body: { state: 'accepted', until } });
    expect((await say({ state: 'resolved', origin: 'elsewhere.example/1' })).body.title).toBe('word');
    expect((await say({ state: 'resolved', finding: 'fnd_01M84X5V0660Z1713611KV3NT6' })).body.title).toBe(
      'unknown-finding',
    );
    await world.closeTask(worker.task);
    const report = await verdictOf(worker.task);
    expect(report).toMatchObject({ verdict: 'VERIFIED', reasons: [] });
    expect(report.findings.map(({ type, state }) => `${type} ${state}`).sort()).toEqual([
      ...['hidden_side_effect accepted', 'phantom_action superseded'],
    ]);
  });

  test('judges by itself each task of which there is something new, and says nothing twice', async () => {
    await world.post('/v1/reconcile');
    const [quiet, busy, ended] = [await work(), await work(), await work()];
    await refund(busy.worker, 'ch_1');
    await behind(busy.token, 'ch_2');
    payments.tamper = () => [];
    await refund(ended.worker, 'ch_3');
    payments.tamper = (record) => [record];
    await world.closeTask(ended.worker.task);
    const { tasks } = await world.post('/v1/reconcile');
    const told = new Map(tasks.map((one: { task: string }) => [one.task, one]));
    expect([...told.keys()].sort()).toEqual([busy.worker.task, ended.worker.task].sort());
    expect(typesOf(told.get(busy.worker.task) as never)).toEqual(['hidden_side_effect']);
    expect(typesOf(told.get(ended.worker.task) as never)).toEqual(['phantom_action']);
    expect((await world.post('/v1/reconcile')).tasks).toEqual([]);
    expect(world.of(quiet.worker.task, 'reconciled')).toEqual([]);
    expect(world.of(busy.worker.task, 'reconciled')).toHaveLength(1);
  });

  test('does not believe who a client says it is: a forged idempotency key explains nothing of another task', async () => {
    const [mine, other] = [await work(), await work()];
    const { action } = await refund(mine.worker, 'ch_1');
    await fetch(`${payments.url}/v1/charges/ch_9/refunds`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${other.token}`,
        'idempotency-key': `x${action}`,
      },
      body: JSON.stringify({ amount: '1.00' }),
    });
    expect(typesOf(await reconcile(mine.worker.task))).toEqual([]);
    expect(typesOf(await reconcile(other.worker.task))).toEqual(['hidden_side_effect']);
  });
});

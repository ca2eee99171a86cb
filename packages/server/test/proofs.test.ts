import { fromBase64, judgeContinuation, parseTrust, utf8, verifyLogProof, verifyReceipt } from '@deed/evidence';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Client } from '../../cli/src/client.ts';
import type { ConsistencyView, ProofView } from '../src/proofs.ts';
import { World } from './support/world.ts';

let world: World;
let client: Client;
let trust: string;
beforeAll(async () => {
  world = await World.begin();
  client = new Client(world.dir);
  trust = world.made.trustFile;
});
afterAll(() => world.end());

const sha256 = 'c'.repeat(64);

test('a closed task has a receipt, and an open one has none', async () => {
  const { task } = await world.worker();
  expect(await world.api('GET', `/v1/tasks/${task}/receipt`)).toMatchObject({ status: 400, body: { title: 'case' } });
  await world.post(`/v1/tasks/${task}/close`, {
    reason: 'operator',
    outputs: [{ name: 'file:report.txt', digest: { sha256 } }],
  });
  const { body, type } = await world.api('GET', `/v1/tasks/${task}/receipt`);
  expect(type).toBe('application/vnd.deed.receipt+json');
  const file = utf8(JSON.stringify(body));
  const report = verifyReceipt(file, { trust });
  expect(report).toMatchObject({ verdict: 'VERIFIED', reasons: [], receipt: { task, statements: 2 } });
  expect(report.receipt?.outputs).toEqual([`file:report.txt sha256 ${sha256}`]);
  expect(verifyReceipt(file, { trust, artifact: utf8('another file') }).verdict).toBe('FORGED');
});

test('an entry is proven by its index and by the digest of its statement', async () => {
  const byIndex = await client.get<ProofView>('/v1/log/proofs/2');
  expect(await client.get<ProofView>(`/v1/log/proofs/${byIndex.digest}`)).toMatchObject({
    index: 2,
    leaf: byIndex.leaf,
  });
  const options = { trust, leaf: fromBase64(byIndex.leaf), statement: utf8(byIndex.statement) };
  const report = verifyLogProof(utf8(byIndex.proof), options);
  expect(report).toMatchObject({
    verdict: 'VERIFIED',
    index: 2,
    statement: { predicate: 'key-event', digest: byIndex.digest },
  });
});

test('the newest entry is proven too: the answer waits for a checkpoint that covers it', async () => {
  const { ledger } = world.serving.deployment;
  for (const under of ['witnessed', 'published'] as const) {
    await world.settled();
    const newest = ledger.size - 1;
    const made = await client.get<ProofView>(`/v1/log/proofs/${newest}?under=${under}`);
    expect(made).toMatchObject({ index: newest, under });
    expect(made.size).toBeGreaterThan(newest);
    const { verdict } = verifyLogProof(utf8(made.proof), { trust, leaf: fromBase64(made.leaf) });
    if (under === 'witnessed') expect(verdict).toBe('VERIFIED');
  }
});

test('the log is shown to go on where an older checkpoint stood', async () => {
  const old = await client.text('/log/checkpoint');
  const from = Number(old.split('\n')[1]);
  await world.settled();
  await client.get(`/v1/log/proofs/${world.serving.deployment.ledger.size - 1}`);
  const { checkpoint: present, proof } = await client.get<ConsistencyView>(`/v1/log/consistency?from=${from}`);
  const hashes = proof?.map(fromBase64) ?? null;
  const judged = judgeContinuation({ old, present, proof: hashes, trust: parseTrust(trust) });
  expect(judged).toMatchObject({ result: 'continuation', old: { size: from } });
  expect(judged.present?.size).toBeGreaterThan(from);
});

test('for a size that the log never had there is no proof', async () => {
  expect(await client.get<ConsistencyView>('/v1/log/consistency?from=100000')).toMatchObject({ proof: null });
});

test.each([
  ['/v1/log/proofs/99999', 404, 'not-found'],
  [`/v1/log/proofs/${'0'.repeat(64)}`, 404, 'not-found'],
  ['/v1/log/proofs/007', 400, 'request'],
  ['/v1/log/proofs/-1', 400, 'request'],
  ['/v1/log/proofs/2?under=nobody', 400, 'request'],
  ['/v1/log/proofs/2?more=1', 400, 'request'],
  ['/v1/log/consistency', 400, 'request'],
  ['/v1/log/consistency?from=-1', 400, 'request'],
  ['/v1/log/consistency?from=1e3', 400, 'request'],
  ['/v1/tasks/tsk_none/receipt', 404, 'not-found'],
  ['/v1/tasks/keys/receipt', 404, 'not-found'],
])('%s is refused', async (path, status, title) => {
  expect(await world.api('GET', path)).toMatchObject({ status, body: { title } });
});

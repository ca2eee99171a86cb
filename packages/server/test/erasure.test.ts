import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeHold, newId, verify } from '@deed/evidence';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { proves } from '../../../tests/promises.ts';
import { Client } from '../../cli/src/client.ts';
import { readConfig, retentionOf } from '../src/config.ts';
import { examineFolder } from '../src/examination.ts';
import { keyPersonSigner, readSealedKey } from '../src/index.ts';
import { World } from './support/world.ts';

let world: World;
let argv: readonly string[];
beforeAll(async () => {
  world = await World.begin();
  argv = await world.scripted();
});
afterAll(async () => {
  // Whatever was erased and held: nothing of the folder contradicts the log.
  expect(examineFolder(world.dir).problems.filter(({ code }) => code !== 'unfinished')).toEqual([]);
  await world.end();
});

/** A closed task with one call, made through the whole server. */
async function finished(): Promise<string> {
  const worker = await world.worker();
  const connection = await world.connect(argv, worker);
  expect((await connection.call('echo', { text: 'Jane Doe' })).isError).toBe(false);
  await connection.close();
  await world.closeTask(worker.task);
  return worker.task;
}

async function hold(task: string, act: 'placed' | 'released', id: string): Promise<object> {
  const signer = keyPersonSigner(await readSealedKey(join(world.base, 'person.json'), 'test'));
  const { origin, person } = world.made;
  const fields = { act, origin, task, hold: id, reason: 'a claim is pending', person };
  return { word: await signer.word('deed-hold-v1', encodeHold({ ...fields, time: new Date().toISOString() })) };
}
const exported = (task: string) => new Client(world.dir).postForBytes(`/v1/tasks/${task}/case`);
const check = async (file: Promise<Uint8Array>) => verify(await file, { trust: world.made.trustFile });

test('a task is erased over the API, shows so, and its case still verifies', async () => {
  proves('invariant-10');
  const task = await finished();
  const { case: before } = await check(exported(task));
  const plan = await world.post(`/v1/tasks/${task}/erasure`);
  expect(plan).toMatchObject({ scope: 'task', copies: [before?.id] });
  expect(await world.post(`/v1/tasks/${task}/erase`, { reason: 'asked for' })).toMatchObject({
    ...plan,
    complete: true,
  });
  expect((await world.api('GET', `/v1/tasks/${task}`)).body).toMatchObject({ objective: '(erased)', state: 'closed' });
  expect((await world.api('GET', '/v1/tasks')).status).toBe(200);
  const report = await check(exported(task));
  expect(report).toMatchObject({ verdict: 'VERIFIED', reasons: [] });
  expect(report.task?.objective).toContain(`erased by ${world.made.person}`);
  expect(await world.api('POST', `/v1/tasks/${task}/erase`, { reason: 'again' })).toMatchObject({
    status: 410,
    body: { title: 'erased' },
  });
});

test('a held task is refused with the hold and its reason, until that is released', async () => {
  const task = await finished();
  const id = newId('hold', Date.now());
  await world.post('/v1/holds', await hold(task, 'placed', id));
  expect((await world.api('GET', '/v1/holds')).body.holds).toMatchObject([{ id, task, reason: 'a claim is pending' }]);
  const refused = await world.api('POST', `/v1/tasks/${task}/erase`, { reason: 'asked for' });
  expect(refused).toMatchObject({ status: 409, body: { title: 'held', detail: expect.stringContaining(id) } });
  expect((await world.api('GET', `/v1/tasks/${task}`)).body.holds).toEqual([id]);
  await world.post('/v1/holds', await hold(task, 'released', id));
  await world.post(`/v1/tasks/${task}/erase`, { reason: 'asked for' });
  expect(await check(exported(task))).toMatchObject({ verdict: 'VERIFIED', reasons: [] });
});

test('orders that are not in form, or of what cannot be erased, are refused with their code', async () => {
  const { task } = await world.worker();
  const status = async (path: string, body: unknown) => {
    const answered = await world.api('POST', path, body);
    return [answered.status, answered.body.title];
  };
  const erase = `/v1/tasks/${task}/erase`;
  expect(await status(erase, { reason: 'asked for' })).toEqual([409, 'task-open']);
  expect(await status(erase, {})).toEqual([400, 'request']);
  expect(await status(erase, { reason: 'r', payloads: ['../etc'] })).toEqual([400, 'request']);
  expect(await status(erase, { reason: 'r', payloads: [] })).toEqual([400, 'request']);
  expect(await status(erase, { reason: 'r', force: true })).toEqual([400, 'request']);
  expect(await status('/v1/tasks/tsk_1/erase', { reason: 'r' })).toEqual([404, 'unknown-task']);
  const nothing = { reason: 'r', payloads: ['0'.repeat(64)] };
  expect(await status('/v1/tasks/deployment/erase', nothing)).toEqual([404, 'unknown-payload']);
  expect(await status('/v1/holds', { word: 'none' })).toEqual([400, 'request']);
  expect(await status('/v1/retention', { dryRun: 'yes', acceptClock: false })).toEqual([400, 'request']);
});

test('retention runs on request, and its days stand in the configuration', async () => {
  const none = { due: [], erased: [], stopped: null };
  expect(await world.post('/v1/retention', { dryRun: true, acceptClock: false })).toEqual(none);
  const defaults = { observe: 184, record: 184, attest: 2557, approve: 2557 };
  expect(retentionOf(readConfig(world.dir))).toEqual(defaults);
  const file = join(world.dir, 'config.json');
  const written = readFileSync(file, 'utf8');
  const config = (retention: unknown) => {
    writeFileSync(file, JSON.stringify({ ...JSON.parse(written), retention }));
    return retentionOf(readConfig(world.dir));
  };
  expect(config({ record: 90, approve: null })).toEqual({ ...defaults, record: 90, approve: null });
  for (const wrong of [{ record: 0 }, { record: '90' }, { records: 90 }, { attest: 40_000 }])
    expect(() => config(wrong)).toThrow(expect.objectContaining({ code: 'config' }));
  writeFileSync(file, written);
});

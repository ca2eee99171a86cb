import { type Report, verify } from '@deed/evidence';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Client } from '../../cli/src/client.ts';
import { attestingPolicy } from './support/policy.ts';
import { World } from './support/world.ts';

let world: World;
let argv: readonly string[];
let whenAsked: () => void = () => {};
const limits = { witnessMs: 400 };
beforeAll(async () => {
  world = await World.begin({ policyFolder: attestingPolicy(), limits });
  argv = await world.scripted(await world.gate(() => whenAsked()));
});
afterAll(() => world.end());

const witnessOf = async () => (await world.api('GET', '/v1/status')).body.witnesses[0];
const anchorLayer = ({ actions }: Report) => actions[0]?.layers.anchor;

async function exported(task: string): Promise<Report> {
  await world.closeTask(task);
  const file = await new Client(world.dir).postForBytes(`/v1/tasks/${task}/case`);
  return verify(file, { trust: world.made.trustFile });
}

test('open: an attest action goes on without a witness, and is anchored later', async () => {
  const worker = await world.worker();
  while ((await witnessOf()).cosigned === null); // what was there before is about to be cosigned
  await world.witnessAway();
  const connection = await world.connect(argv, worker);
  expect(await connection.call('echo', { a: 1 })).toMatchObject({ isError: false });
  await connection.close();
  const [intent] = world.of(worker.task, 'intent');
  expect(intent?.body.tier).toBe('attest');
  expect(world.of(worker.task, 'outcome')[0]?.body).toMatchObject({ status: 'ok', anchor: null });
  while ((await witnessOf()).answers); // the next checkpoint is about to be published
  expect(await witnessOf()).toMatchObject({
    name: 'local',
    answers: false,
    cosigned: { size: expect.any(Number), time: expect.any(String) },
    failed: { why: expect.stringContaining('no usable answer') },
  });
  const { body } = await world.api('GET', '/v1/status');
  expect(body.witnessedSize).toBeLessThan(body.size);
  await world.witnessBack();
  const report = await exported(worker.task);
  expect(report).toMatchObject({ verdict: 'VERIFIED', reasons: [] });
  expect(anchorLayer(report)?.why).not.toContain('before the outcome');
  expect(await witnessOf()).toMatchObject({ answers: true });
});

test('closed: from the next start its intent is witnessed before the tool sees the call', async () => {
  const answered = await world.post('/v1/witnesses', { change: 'attest', attest: 'closed' });
  expect(answered).toMatchObject({ attest: 'closed', inForce: { attest: 'open' } });
  await world.serving.close();
  world.serving = await world.serve({ limits });
  const worker = await world.worker();
  const connection = await world.connect(argv, worker);
  const { ledger } = world.serving.deployment;
  let witnessed = 0;
  whenAsked = () => {
    witnessed = ledger.latestWitnessed()?.size ?? 0;
  };
  expect(await connection.call('gate')).toEqual({ isError: false, text: 'through' });
  await connection.close();
  const at = ledger.series(worker.task).find(({ n }) => n === 1)?.index;
  expect(witnessed).toBeGreaterThan(at ?? Number.POSITIVE_INFINITY);
  const [outcome] = world.of(worker.task, 'outcome');
  expect(outcome?.body.anchor?.size).toBeGreaterThan(at ?? Number.POSITIVE_INFINITY);
  const report = await exported(worker.task);
  expect(report).toMatchObject({ verdict: 'VERIFIED', reasons: [] });
  expect(anchorLayer(report)?.why).toContain('its intent before the outcome was written');
});

test('closed: without a witness it is refused, the refusal cites the intent, and the tool sees nothing', async () => {
  const worker = await world.worker();
  const connection = await world.connect(argv, worker);
  await connection.call('echo');
  const before = world.calls().length;
  await world.witnessAway();
  expect(await connection.call('echo', { a: 2 })).toMatchObject({
    isError: true,
    text: expect.stringContaining('unwitnessed'),
  });
  expect(world.calls()).toHaveLength(before);
  const intents = world.of(worker.task, 'intent');
  expect(world.of(worker.task, 'refusal')[0]?.body).toMatchObject({
    reason: 'unwitnessed',
    cites: intents.at(-1)?.digest,
  });
  await connection.close();
  await world.witnessBack();
});

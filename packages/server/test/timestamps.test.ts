import { buildContainer, openContainer, parseTrust, toBase64, verify } from '@deed/evidence';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Client } from '../../cli/src/client.ts';
import { TimestampAuthority } from '../../evidence/test/support/timestamp-authority.ts';
import { HttpAuthority, honest } from '../../ledger/test/time/http-authority.ts';
import { approvingPolicy } from './support/policy.ts';
import { World } from './support/world.ts';

let world: World;
let tsa: HttpAuthority;
let argv: readonly string[];
beforeAll(async () => {
  tsa = await HttpAuthority.start();
  world = await World.begin({ policyFolder: approvingPolicy(), limits: { stampMs: 300 } });
  argv = await world.scripted();
});
afterAll(async () => {
  await world.end();
  await tsa.close();
});

const named = (certificate = tsa.authority.certificate) => ({ url: tsa.url, certificate: toBase64(certificate) });
const view = async () => (await world.api('GET', '/v1/status')).body.timestamps;
const trust = async () => String((await world.api('GET', '/v1/trust')).body);

/** An approve action in a task of its own, which is closed then. */
async function approved(): Promise<string> {
  const worker = await world.worker();
  const connection = await world.connect(argv, worker);
  const answered = connection.call('approve_echo', { a: 1 });
  await world.answer(await world.held(), 'approve');
  expect(await answered).toEqual({ isError: false, text: '{"a":1}' });
  await connection.close();
  await world.closeTask(worker.task);
  return worker.task;
}

/** Waits for the stamp on a checkpoint. */
async function stamped(size = 0): Promise<void> {
  const stamp = await world.serving.deployment.timestamps.soon(size, AbortSignal.timeout(60_000));
  expect(stamp?.size).toBe(size);
}

const exported = (task: string) => new Client(world.dir).postForBytes(`/v1/tasks/${task}/case`);
const stampsOf = (file: Uint8Array) => [...openContainer(file).keys()].filter((name) => name.startsWith('timestamps/'));

test('an authority is taken only with a fitting certificate and after a stamp was had from it', async () => {
  const agent = new TimestampAuthority({ certificate: (draft) => void draft.extensions.splice(1, 1) });
  const unfit = await world.api('POST', '/v1/timestamps', named(agent.certificate));
  expect(unfit).toMatchObject({
    status: 400,
    body: { title: 'request', detail: expect.stringMatching(/extended key/) },
  });
  const other = await world.api('POST', '/v1/timestamps', named(new TimestampAuthority().certificate));
  expect(other).toMatchObject({ status: 400, body: { title: 'timestamp', detail: expect.stringMatching(/expected/) } });
  expect(await world.api('POST', '/v1/timestamps', { ...named(), url: 'file:///etc/passwd' })).toMatchObject({
    status: 400,
  });
  expect(await view()).toBeNull();
  expect(parseTrust(await trust()).tsas).toEqual([]);

  await world.post('/v1/timestamps', named());
  expect(await view()).toMatchObject({ url: tsa.url, everySeconds: 3600, newest: { size: expect.any(Number) } });
  expect(parseTrust(await trust()).tsas).toEqual([tsa.authority.sha256]);
});

test('the case of an approve action has its timestamp and is VERIFIED; FORGED when it is exchanged', async () => {
  const task = await approved();
  await stamped(world.of(task, 'outcome')[0]?.body.anchor?.size);
  const file = await exported(task);
  const report = verify(file, { trust: await trust() });
  expect(report).toMatchObject({ verdict: 'VERIFIED', reasons: [] });
  expect(report.timestamps[0]).toMatchObject({ certificate: tsa.authority.sha256, discounted: null });
  expect(report.actions[0]?.layers.anchor.why).toMatch(/timestamped 20/);

  const [name = ''] = stampsOf(file);
  const exchanged = openContainer(file).set(name, tsa.authority.stamp(new Uint8Array(), Date.now()));
  expect(verify(buildContainer(exchanged), { trust: await trust() })).toMatchObject({
    verdict: 'FORGED',
    reasons: expect.arrayContaining([expect.objectContaining({ check: 'timestamps' })]),
  });
});

test('without an answer of the authority actions run as ever and the case says what is missing, until it comes', async () => {
  tsa.behaviour = (_, response) => void response.writeHead(503).end();
  const task = await approved();
  const early = await exported(task);
  expect(stampsOf(early)).toEqual([]);
  const report = verify(early, { trust: await trust() });
  expect(report).toMatchObject({ verdict: 'UNANCHORED', reasons: [{ check: 'timestamps' }] });
  expect(await view()).toMatchObject({ lastFailure: { message: expect.stringMatching(/answered 503/) } });
  expect(verify(early, { trust: world.made.trustFile })).toMatchObject({ verdict: 'VERIFIED' });

  tsa.behaviour = honest;
  await exported(task);
  await stamped(world.of(task, 'outcome')[0]?.body.anchor?.size);
  await stamped(world.serving.deployment.ledger.latestWitnessed()?.size); // that of the export before
  const late = verify(await exported(task), { trust: await trust() });
  expect(late).toMatchObject({ verdict: 'VERIFIED', reasons: [], timestamps: [{}, {}] });
  const [anchor, head] = late.timestamps.map(({ size }) => size).sort((a, b) => a - b);
  expect(anchor).toBe(world.of(task, 'outcome')[0]?.body.anchor?.size);
  expect(head).toBeGreaterThan(anchor ?? 0); // it stands on a stamped checkpoint by now
});

test('an authority with a new certificate adds a line, a restart forgets nothing, and off takes the lines away', async () => {
  const before = tsa.authority.sha256;
  const renewed = new TimestampAuthority();
  tsa.behaviour = (request, response) =>
    response.writeHead(200, { 'content-type': 'application/timestamp-reply' }).end(renewed.answer(request, Date.now()));
  await world.post('/v1/timestamps', { ...named(renewed.certificate), everySeconds: 60 });
  expect(parseTrust(await trust()).tsas).toEqual([renewed.sha256, before]);

  await world.serving.close();
  world.serving = await world.serve();
  expect(await view()).toMatchObject({
    everySeconds: 60,
    certificate: renewed.sha256,
    newest: { size: expect.any(Number) },
  });
  expect(parseTrust(await trust()).tsas).toEqual([renewed.sha256, before]);

  await world.post('/v1/timestamps/off');
  expect(await view()).toBeNull();
  expect(parseTrust(await trust()).tsas).toEqual([]);
});

import { createHmac } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { shippedMapping } from '@deed/reconcile';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { World } from './support/world.ts';

const secret = 'the secret of the hub';
const mapping = Buffer.from(shippedMapping('github-webhook')).toString();
const push = (after: string) =>
  `{ "ref": "refs/heads/main",\n  "before": "${'1'.repeat(40)}", "after": "${after}", "installation": { "id": 7 },\n  "repository": { "full_name": "example/site" }, "sender": { "login": "mona", "type": "User" } }\n`;

let world: World;
let folder: string;
let secretFile: string;

beforeAll(async () => {
  world = await World.begin({ listen: { host: '127.0.0.1', port: 0 } });
  folder = join(world.base, 'deliveries');
  secretFile = join(world.base, 'hub-secret');
  writeFileSync(secretFile, `${secret}\n`, { mode: 0o600 });
  const config = { path: folder, sender: 'github', secretFile, mapping, lagSeconds: 0 };
  await world.post('/v1/sources', { id: 'hub', kind: 'webhook', config });
});
afterAll(() => world.end());

async function send(text: string, over: Record<string, string> = {}, source = 'hub', key = secret) {
  const headers = {
    ...{ 'content-type': 'application/json', 'x-github-delivery': 'd-1', 'x-github-event': 'push' },
    'x-hub-signature-256': `sha256=${createHmac('sha256', key).update(text).digest('hex')}`,
    ...over,
  };
  for (const [name, value] of Object.entries(headers))
    if (value === '') delete (headers as Record<string, string>)[name];
  const response = await fetch(`${world.serving.url}/v1/inbox/${source}`, { method: 'POST', headers, body: text });
  return response.status === 204 ? 204 : `${response.status} ${((await response.json()) as { title: string }).title}`;
}
const waiting = () => readdirSync(folder).length;

test('what a system sends is kept as it came, read once, and shows what went past Deed', async () => {
  expect(await send(push('2'.repeat(40)))).toBe(204);
  // The same once more, as when the answer was lost; and another at the same time.
  const [again, other] = [send(push('2'.repeat(40))), send(push('3'.repeat(40)), { 'x-github-delivery': 'd-2' })];
  expect([await again, await other]).toEqual([204, 204]);
  expect(waiting()).toBe(3);
  const { ingested, foreign } = await world.post('/v1/reconcile');
  expect(ingested).toMatchObject([{ source: 'hub', events: 2, problems: [] }]);
  expect(foreign).toMatchObject([{ type: 'unknown_credential', task: null, severity: 'critical' }]);
  expect((await world.post('/v1/reconcile')).ingested).toMatchObject([{ events: 0 }]);
  expect(waiting()).toBe(0);
  await send(push('3'.repeat(40)), { 'x-github-delivery': 'd-2' });
  expect((await world.post('/v1/reconcile')).ingested).toMatchObject([{ events: 0 }]);
  const row = world.serving.deployment.ledger.database.get<{ event: string; name: string }>(
    "SELECT event, name FROM event WHERE source_event = 'd-1'",
  );
  expect(JSON.parse(row?.event ?? '')).toMatchObject({
    ...{ operation: 'push', credential: { kind: 'github-installation', uid: '7' } },
    fields: { old: '1'.repeat(40), new: '2'.repeat(40) },
  });
  const kept = world.serving.deployment.authority.vault.get(row?.name ?? '');
  expect(Buffer.from(kept).toString()).toContain(push('2'.repeat(40)));
});

test('what is not from its sender is refused before it is looked at, and nobody is told why', async () => {
  const before = waiting();
  const text = push('4'.repeat(40));
  const refused = '401 signature';
  expect(await send(text, { 'x-hub-signature-256': 'sha256=00' })).toBe(refused);
  expect(await send(text, {}, 'hub', 'the secret of somebody')).toBe(refused);
  expect(await send(text, {}, 'nobody')).toBe(refused);
  expect(await send('no json', {}, 'hub', 'wrong secret')).toBe(refused);
  expect(await send('no json')).toBe('415 request');
  expect(await send(`"${'x'.repeat(9 * 1024 * 1024)}"`)).toBe('413 request');
  expect(waiting()).toBe(before);
});

test('a secret that others may read is not used, and the check says so', async () => {
  chmodSync(secretFile, 0o644);
  expect(await send(push('5'.repeat(40)))).toBe('400 source');
  const { checks } = await world.post('/v1/sources/hub/check');
  expect(checks[0]).toMatchObject({ ok: false, detail: expect.stringContaining('chmod 600') });
  chmodSync(secretFile, 0o600);
  mkdirSync(folder, { recursive: true });
  expect((await world.post('/v1/sources/hub/check')).checks).toMatchObject([{ ok: true }, { ok: true }]);
});

test('what cannot be read leaves a gap, and what was torn by a crash was never answered', async () => {
  expect(await send(push('6'.repeat(40)), { 'x-github-event': 'deployment', 'x-github-delivery': '' })).toBe(204);
  writeFileSync(join(folder, '.deed-tmp-torn'), push('7'.repeat(40)).slice(0, 20));
  const { ingested } = await world.post('/v1/reconcile');
  expect(ingested).toMatchObject([{ events: 0, problems: [expect.stringContaining('it has no id')] }]);
  const gaps = world.serving.deployment.ledger.database.all('SELECT * FROM gap');
  expect(gaps).toHaveLength(1);
});

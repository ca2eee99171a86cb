import * as fs from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { proves } from '../../../tests/promises.ts';
import { audit } from '../src/audit.ts';
import { exportCase } from '../src/case-export.ts';
import { World } from './support/world.ts';

let world: World;
let log: string;
let trust: string;
let caseFile: string;
beforeAll(async () => {
  world = await World.begin({ listen: { host: '127.0.0.1', port: 0 } });
  const argv = await world.scripted();
  const worker = await world.worker();
  await world.worker(); // a second task, of which no case is handed out
  const connection = await world.connect(argv, worker);
  await connection.call('echo', { text: 'one' });
  await connection.close();
  await world.closeTask(worker.task);
  caseFile = join(world.base, 'task.deed');
  const { deployment, url } = world.serving;
  const { ledger, authority } = deployment;
  trust = deployment.trustFile();
  const options = { db: ledger.database, ledger, authority, trustFile: trust, writer: 'test', now: Date.now };
  fs.writeFileSync(caseFile, await exportCase({ ...options, witnessMs: 20_000 }, worker.task));
  await ledger.witnessed(ledger.size - 1);
  log = `${url}/log/`;
}, 120_000);
afterAll(() => world.end());

test('with all statements each leaf opens to one place, over HTTP and from a folder', async () => {
  proves('audit');
  const { size } = world.serving.deployment.ledger;
  const report = await audit({ log, trust, dir: world.dir });
  expect(report.reasons).toEqual([]);
  expect(report).toMatchObject({ verdict: 'VERIFIED', code: 0, entries: size, opened: size, unopened: [] });
  expect(await audit({ log: join(world.dir, 'log'), trust, dir: world.dir })).toEqual(report);
}, 60_000);

test('with a case alone the leaves that it does not open are named, and nothing worse is said', async () => {
  const report = await audit({ log, trust, cases: [caseFile, caseFile] });
  expect(report).toMatchObject({ verdict: 'INCOMPLETE', code: 4 });
  expect(report.opened).toBeGreaterThan(5);
  expect(report.unopened.length).toBeGreaterThan(0);
  expect(report.reasons.filter(({ verdict }) => verdict === 'FORGED')).toEqual([]);
}, 60_000);

test('a statement kept back, one that is not in the log, and a changed entry are each FORGED', async () => {
  const copy = join(world.base, 'copy');
  fs.mkdirSync(copy);
  fs.cpSync(join(world.dir, 'log'), join(copy, 'log'), { recursive: true });
  const source = new DatabaseSync(join(world.dir, 'deed.db'), { readOnly: true });
  source.prepare('VACUUM INTO ?').run(join(copy, 'deed.db'));
  source.close();
  const auditCopy = async () => await audit({ log: join(copy, 'log'), trust, dir: copy });
  const before = await auditCopy();
  expect(before.verdict).toBe('VERIFIED');
  const database = new DatabaseSync(join(copy, 'deed.db'));
  const { idx, body } = database.prepare('SELECT idx, body FROM entry ORDER BY idx DESC LIMIT 1').get() ?? {};
  database.prepare('UPDATE entry SET body = ? WHERE idx = ?').run(Buffer.from('{}'), Number(idx));
  const changed = await auditCopy();
  expect(changed.verdict).toBe('FORGED');
  expect(changed.unopened).toEqual([String(idx)]);
  expect(changed.reasons.map(({ message }) => message).join()).toContain('is not in the log');
  database.prepare('UPDATE entry SET body = ? WHERE idx = ?').run(body as Uint8Array, Number(idx));
  database.prepare('DELETE FROM entry WHERE idx = ?').run(Number(idx));
  const hidden = await auditCopy();
  expect(hidden.verdict).toBe('FORGED');
  expect(hidden.reasons.map(({ message }) => message).join()).toContain(`no given statement opens log index ${idx}`);
  database.close();

  const entries = join(copy, 'log', 'tile', 'entries', '000.p');
  const [bundle = ''] = fs.readdirSync(entries).sort((a, b) => Number(b) - Number(a));
  const bytes = fs.readFileSync(join(entries, bundle));
  bytes[200] = (bytes[200] ?? 0) ^ 1;
  fs.writeFileSync(join(entries, bundle), bytes);
  expect((await auditCopy()).reasons.map(({ message }) => message)).toContain(
    'the entries give another root than the checkpoint',
  );
}, 60_000);

test('a log under other keys, or without a witness quorum, is not believed', async () => {
  const other = trust.replace(/^witness .*\n/gm, '').replace(/^quorum .*$/m, 'quorum none');
  expect(await audit({ log, trust: other, dir: world.dir })).toMatchObject({ verdict: 'UNANCHORED', code: 3 });
  const rootless = trust.replace(/^root .*$/m, `root ${'0'.repeat(64)}`);
  expect((await audit({ log, trust: rootless, dir: world.dir })).verdict).toBe('FORGED');
  await expect(audit({ log, trust })).rejects.toMatchObject({ code: 'request' });
  await expect(audit({ log: join(world.base, 'none'), trust, dir: world.dir })).rejects.toMatchObject({
    code: 'request',
  });
}, 60_000);

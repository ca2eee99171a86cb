import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openPayload, utf8 } from '@deed/evidence';
import { openDatabase, openObjects } from '@deed/store';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { proves } from '../../../../tests/promises.ts';
import { authorityMigrations } from '../../src/schema.ts';
import { TaskKeys } from '../../src/vault/task-keys.ts';
import { openVault } from '../../src/vault/vault.ts';
import { refused } from '../refused.ts';

function fresh(dir = mkdtempSync(join(tmpdir(), 'deed-vault-'))) {
  const db = openDatabase(dir, { migrations: authorityMigrations });
  return { dir, db, vault: openVault(openObjects(join(dir, 'objects')), new TaskKeys(dir), db) };
}
const content = (object: Uint8Array, name: string) => Buffer.from(openPayload(object, name).bytes);
const secret = utf8('a name of somebody');

test('a payload is stored under its salted name, encrypted, and comes back whole', () => {
  const { dir, vault } = fresh();
  vault.taskKeys.create('tsk_1');
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      for (const store of [vault.put, vault.stage]) {
        const ref = store('tsk_1', bytes, 'application/octet-stream');
        expect(content(vault.get(ref.sha256), ref.sha256)).toEqual(Buffer.from(bytes));
      }
    }),
  );
  vault.put('tsk_1', secret, 'text/plain');
  for (const file of readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()))
    expect(readFileSync(join(file.parentPath, file.name)).includes(Buffer.from(secret))).toBe(false);
});

test('equal bytes meet inside an open task and nowhere else', () => {
  const { vault } = fresh();
  for (const task of ['tsk_1', 'tsk_2']) vault.taskKeys.create(task);
  const name = (task: string) => vault.put(task, secret, 'text/plain').sha256;
  expect(name('tsk_1')).toBe(name('tsk_1'));
  expect(name('tsk_1')).not.toBe(name('tsk_2'));
  expect(name('deployment')).not.toBe(name('deployment'));
});

test('what is staged becomes durable with the transaction that takes it, and only then', () => {
  proves('invariant-2');
  const { dir, db, vault } = fresh();
  vault.taskKeys.create('tsk_1');
  const { sha256: name } = vault.stage('tsk_1', secret, 'text/plain');
  const lost = vault.takeStaged();
  lost.giveBack();
  const after = () => fresh(dir);
  const other = after();
  expect(other.vault.has(name)).toBe(false);
  other.db.close();
  const { write } = vault.takeStaged();
  db.transaction(write);
  const later = after();
  expect(content(later.vault.get(name), name)).toEqual(Buffer.from(secret));
  later.db.close();
});

test('what is not kept is not there; without its key a payload is gone, and another object in its place is refused', async () => {
  const { dir, db, vault } = fresh();
  for (const task of ['tsk_1', 'tsk_2']) vault.taskKeys.create(task);
  const ref = vault.put('tsk_1', secret, 'text/plain', false);
  expect(ref).toMatchObject({ kept: false, size: secret.length });
  expect(await refused(() => vault.get(ref.sha256))).toBe('vault');
  const [one, two] = ['one', 'two'].map((text) => vault.stage('tsk_1', utf8(text), 'text/plain').sha256);
  db.transaction(vault.takeStaged().write);
  db.transaction((tx) =>
    tx.run(
      'UPDATE payload SET sealed = (SELECT sealed FROM payload WHERE name = ?) WHERE name = ?',
      one ?? '',
      two ?? '',
    ),
  );
  expect(await refused(() => vault.get(two ?? ''))).toBe('vault');
  db.transaction((tx) => vault.eraseRows(tx, [one ?? ''], null));
  expect(vault.has(one ?? '')).toBe(false);
  const kept = vault.put('tsk_2', secret, 'text/plain').sha256;
  const { rmSync } = await import('node:fs');
  rmSync(join(dir, 'keys', 'tasks', 'tsk_2'));
  db.close();
  expect(await refused(() => fresh(dir).vault.get(kept))).toBe('vault');
});

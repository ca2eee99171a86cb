import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { utf8 } from '@deed/evidence';
import { openDatabase } from '@deed/store';
import { afterAll, expect, test } from 'vitest';
import { openSealedFiles } from '../../src/brokers/sealed-files.ts';
import { newP256 } from '../../src/keys/p256.ts';
import { authorityMigrations } from '../../src/schema.ts';

const folder = mkdtempSync(join(tmpdir(), 'deed-sealed-'));
const db = openDatabase(folder, { migrations: authorityMigrations });
afterAll(() => {
  db.close();
  rmSync(folder, { recursive: true, force: true });
});

const key = newP256();
const files = openSealedFiles(db, key);
const vault = expect.objectContaining({ code: 'vault' });
const sealed = (path: string) =>
  db.get<{ sealed: Uint8Array }>('SELECT sealed FROM sealed_file WHERE path = ?', path)?.sealed ?? new Uint8Array();

test('a file is kept byte for byte, in the place of what was there, until it is removed', () => {
  const bytes = Uint8Array.from({ length: 300_000 }, (_, i) => i % 256);
  files.put('/a', utf8('before'));
  files.put('/a', bytes);
  expect(Buffer.compare(files.get('/a') ?? new Uint8Array(), bytes)).toBe(0);
  expect(files.paths()).toEqual(['/a']);
  files.remove('/a');
  expect(files.get('/a')).toBeUndefined();
});

test('it opens by its key alone, under its own path alone, and unchanged alone', () => {
  files.put('/a', utf8('a secret of mine'));
  files.put('/b', utf8('another'));
  expect(Buffer.from(sealed('/a')).includes('secret')).toBe(false);
  expect(() => openSealedFiles(db, newP256()).get('/a')).toThrow(vault);
  const swap = (path: string, bytes: Uint8Array) =>
    db.transaction((tx) => tx.run('UPDATE sealed_file SET sealed = ? WHERE path = ?', bytes, path));
  swap('/b', sealed('/a'));
  expect(() => files.get('/b')).toThrow(vault);
  const bent = sealed('/a').slice();
  bent[bent.length - 1] = (bent.at(-1) ?? 0) ^ 1;
  swap('/a', bent);
  expect(() => files.get('/a')).toThrow(vault);
});

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { proves } from '../../../tests/promises.ts';
import { lockFolder, type Migration, openDatabase, openReadOnly, StoreError } from '../src/index.ts';

const root = fs.mkdtempSync(join(tmpdir(), 'deed-database-'));
afterAll(() => fs.rmSync(root, { recursive: true }));
let count = 0;
const fresh = () => join(root, `${count++}`);
const code = (run: () => unknown) => {
  try {
    run();
  } catch (error) {
    return error instanceof StoreError ? error.code : error;
  }
  return 'nothing thrown';
};
const first: Migration = {
  id: 'room/1',
  up: `CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;
       CREATE TABLE tag (note INTEGER NOT NULL REFERENCES note DEFERRABLE INITIALLY DEFERRED) STRICT;`,
};
const second: Migration = { id: 'room/2', up: 'ALTER TABLE note ADD COLUMN more TEXT' };

describe('the database', () => {
  test('commits all of a transaction or nothing', () => {
    const database = openDatabase(fresh(), { migrations: [first] });
    const reader = database.readOnly();
    expect(() =>
      database.transaction((tx) => {
        tx.run('INSERT INTO note (id, text) VALUES (?, ?)', 1, 'a');
        expect(reader.all('SELECT * FROM note')).toEqual([]);
        throw new Error('no');
      }),
    ).toThrow('no');
    expect(database.transaction((tx) => tx.run('INSERT INTO note (id, text) VALUES (?, ?)', 2, 'b'))).toBe(1);
    expect(reader.all<{ id: number }>('SELECT id FROM note').map((row) => row.id)).toEqual([2]);
    expect(() => reader.all('DELETE FROM note')).toThrow(/readonly/);
    reader.close();
    database.close();
  });

  test('never goes on after a commit that failed', () => {
    const database = openDatabase(fresh(), { migrations: [first] });
    // A deferred foreign key is a real error of COMMIT itself.
    expect(code(() => database.transaction((tx) => tx.run('INSERT INTO tag (note) VALUES (99)')))).toBe('fatal');
    expect(code(() => database.transaction(() => undefined))).toBe('fatal');
    database.close();
  });

  test('is private, in WAL mode, and fsyncs every commit', () => {
    const folder = fresh();
    const database = openDatabase(folder, { migrations: [first] });
    expect(fs.statSync(join(folder, 'deed.db')).mode & 0o777).toBe(0o600);
    expect(database.get('PRAGMA journal_mode')).toEqual({ journal_mode: 'wal' });
    expect(database.get('PRAGMA synchronous')).toEqual({ synchronous: 2 });
    database.close();
  });

  test('applies new migrations once, and refuses a folder that knows more than this version', () => {
    proves('no-newer-data');
    const folder = fresh();
    openDatabase(folder, { migrations: [first] }).close();
    openDatabase(folder, { migrations: [first, second] }).close();
    openDatabase(folder, { migrations: [first, second] }).close();
    expect(code(() => openDatabase(folder, { migrations: [first] }))).toBe('newer');

    const database = openDatabase(folder, { migrations: [first, second] });
    database.transaction((tx) => tx.run("UPDATE meta SET value = '2' WHERE key = 'format'"));
    database.close();
    expect(code(() => openDatabase(folder, { migrations: [first, second] }))).toBe('newer');
    expect(code(() => openReadOnly(folder))).toBe('newer');
    expect(code(() => openReadOnly(fresh()))).toBe('absent');
  });
});

describe('what was deleted', () => {
  test('is nowhere in the files of the database, however often rows were moved about', () => {
    const folder = fresh();
    const up = 'CREATE TABLE thing (name TEXT PRIMARY KEY, body BLOB NOT NULL) STRICT';
    const database = openDatabase(folder, { migrations: [{ id: 'test/1', up }] });
    const rows = Array.from({ length: 600 }, (_, i) => ({
      name: randomBytes(32).toString('hex'),
      body: randomBytes(60 + (i % 7) * 40),
    }));
    database.transaction((tx) => {
      for (const { name, body } of rows) tx.run('INSERT INTO thing (name, body) VALUES (?, ?)', name, body);
    });
    rows.sort((a, b) => (a.name < b.name ? -1 : 1));
    const traces: Buffer[] = [];
    for (let from = 0; from < rows.length - 1; from += 100) {
      const some = rows.slice(from, Math.min(from + 100, rows.length - 1));
      database.transaction((tx) => {
        for (const { name } of some) tx.run('DELETE FROM thing WHERE name = ?', name);
      });
      traces.push(...some.map(({ body }) => body.subarray(0, 32)));
      database.purge(traces);
    }
    const raw = Buffer.concat(fs.readdirSync(folder).map((file) => fs.readFileSync(join(folder, file))));
    expect(traces.filter((trace) => raw.includes(trace))).toEqual([]);
    expect(raw.includes(rows.at(-1)?.body ?? 'absent')).toBe(true);
    database.close();
  });

  test('is looked for in the whole file, and a copy that is found makes the file anew', () => {
    const folder = fresh();
    const up = 'CREATE TABLE thing (name TEXT PRIMARY KEY, body BLOB NOT NULL) STRICT';
    const database = openDatabase(folder, { migrations: [{ id: 'test/1', up }] });
    const trace = randomBytes(32);
    const insert = (name: string, body: Uint8Array) =>
      database.transaction((tx) => tx.run('INSERT INTO thing (name, body) VALUES (?, ?)', name, body));
    insert('large', randomBytes(9_000_000));
    insert('stands for a copy', trace);
    database.transaction((tx) => tx.run("DELETE FROM thing WHERE name = 'large'"));
    const size = () => fs.statSync(join(folder, 'deed.db')).size;
    database.purge([randomBytes(32)]);
    expect(size()).toBeGreaterThan(9_000_000);
    database.purge([trace]);
    expect(size()).toBeLessThan(1_000_000);
    expect(database.get('SELECT body FROM thing')).toBeDefined();
    database.close();
  });
});

describe('the folder lock', () => {
  test('admits one holder, in this process and in others, and is free again when the holder is killed', async () => {
    proves('one-writer');
    const folder = fresh();
    const mine = lockFolder(folder);
    expect(code(() => lockFolder(folder))).toBe('locked');
    mine.release();

    const program = `import { lockFolder } from ${JSON.stringify(new URL('../src/index.ts', import.meta.url).href)};
      lockFolder(${JSON.stringify(folder)}); console.log('held'); setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--conditions=deed-source', '--input-type=module', '-e', program]);
    child.stderr.pipe(process.stderr);
    await once(child.stdout, 'data');
    expect(() => lockFolder(folder)).toThrow(`process ${child.pid}`);
    child.kill('SIGKILL');
    await once(child, 'exit');
    lockFolder(folder).release();
  });
});

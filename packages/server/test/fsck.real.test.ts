import * as fs from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { ledgerTables } from '@deed/ledger';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { proves } from '../../../tests/promises.ts';
import { examinations, examineFolder } from '../src/examination.ts';
import { World } from './support/world.ts';

let world: World;
beforeAll(async () => {
  world = await World.begin();
  const argv = await world.scripted();
  const worker = await world.worker();
  const connection = await world.connect(argv, worker);
  await connection.call('echo', { text: 'one' });
  await connection.close();
  await world.closeTask(worker.task);
  await world.worker();
  await world.serving.close();
  world.serving = { ...world.serving, close: async () => undefined };
  const database = new DatabaseSync(join(world.dir, 'deed.db'));
  database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  database.close();
}, 120_000);
afterAll(() => world.end());

const files = () =>
  fs
    .readdirSync(world.dir, { recursive: true, encoding: 'utf8' })
    .filter((file) => fs.statSync(join(world.dir, file)).isFile())
    .filter((file) => !/^deed\.db-(wal|shm)$/.test(file))
    .sort();

/** What no entry tells: a change there is not noticed, and docs/guides/fsck.md says so. */
const free = new Set([
  ...['people.label', 'tasks.opened_ms', 'grants.nothing', 'pin.seen', 'migration.id', 'migration.at', 'meta.value'],
  ...['invitations', 'jti'].flatMap((table) =>
    ['name', 'code_hash', 'definition', 'expires_ms', 'agent', 'exp', 'jti', 'task', 'statement', 'replayed'].map(
      (column) => `${table}.${column}`,
    ),
  ),
  ...['source.position', 'source.watermark'],
  'checkpoint.kept',
  'checkpoint.witnessed',
]);

/** All that any query can return, but what is free; undefined where SQLite gives up. */
function content(): string | undefined {
  const database = new DatabaseSync(join(world.dir, 'deed.db'), { readOnly: true });
  try {
    const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
    return JSON.stringify(
      tables.map(({ name }) =>
        database
          .prepare(`SELECT * FROM ${name}`)
          .all()
          .map((row) =>
            Object.entries(row)
              .filter(([column]) => !free.has(`${name}.${column}`))
              .map(([column, value]) => [
                column,
                ArrayBuffer.isView(value) ? Buffer.from(value as Uint8Array).toString('hex') : value,
              ]),
          ),
      ),
    );
  } catch {
    return undefined;
  } finally {
    database.close();
  }
}

test('a sound data folder has no problem, and every table and every file has one room that answers for it', () => {
  expect(examineFolder(world.dir).problems).toEqual([]);
  const database = new DatabaseSync(join(world.dir, 'deed.db'), { readOnly: true });
  const tables = database
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")
    .all()
    .map(({ name }) => name);
  database.close();
  expect([...ledgerTables, ...examinations.flatMap((room) => room.tables)].sort()).toEqual(tables);
  for (const file of files().filter((name) => !/^(log\/|deed\.db|lock\.)/.test(name))) {
    expect(
      examinations.filter((room) => room.owns(file)),
      file,
    ).toHaveLength(1);
  }
});

/** A format number that was changed is called a newer version, and nothing is read. */
function problemsOrNewer(): readonly { readonly where: string }[] {
  try {
    return examineFolder(world.dir).problems;
  } catch (error) {
    if ((error as { code?: string }).code === 'newer') return [{ where: 'deed.db' }];
    throw error;
  }
}

test('a flipped bit in any file is named, or changed nothing that is ever read', () => {
  proves('every-file');
  const before = content();
  const all = files().filter((file) => !file.startsWith('lock.') && fs.statSync(join(world.dir, file)).size > 0);
  let named = 0;
  const check = (file: string, at: number, bit: number) => {
    const path = join(world.dir, file);
    const bytes = fs.readFileSync(path);
    const changed = Uint8Array.from(bytes);
    const place = Math.floor(at * bytes.length);
    changed[place] = (changed[place] ?? 0) ^ (1 << bit);
    fs.writeFileSync(path, changed);
    try {
      const problems = problemsOrNewer();
      const wheres = problems.map(({ where }) => where);
      const where = file.replace(/^log\//, '');
      if (file === 'deed.db')
        expect(problems.length > 0 || content() === before, `byte ${place} bit ${bit}`).toBe(true);
      else if (/\.pem$|^deployment\.json$/.test(file)) {
        // Text around the key, white space: bytes without a meaning for the log.
        if (problems.length > 0) expect(wheres).toContain(file);
      } else if (file.startsWith('keys/')) {
        const used = problems.length > 0 || !isUsed(file);
        expect(used, `${file} byte ${place}`).toBe(true);
      } else expect(wheres, `${file} byte ${place}`).toContain(where);
      if (problems.length > 0) named++;
    } finally {
      fs.writeFileSync(path, bytes);
    }
  };
  for (const file of all) check(file, 0.5, 2);
  const runs = process.env.SLOW ? 2000 : 40;
  fc.assert(
    fc.property(
      fc.constantFrom('deed.db', ...all),
      fc.double({ min: 0, max: 0.999999, noNaN: true }),
      fc.nat(7),
      check,
    ),
    { numRuns: runs },
  );
  expect(named).toBeGreaterThan(all.length / 2);
  expect(examineFolder(world.dir).problems).toEqual([]);
}, 600_000);

/** Whether anything is sealed with this key, or salted by this secret. */
function isUsed(file: string): boolean {
  const task = file.split('/')[2] ?? '';
  const database = new DatabaseSync(join(world.dir, 'deed.db'), { readOnly: true });
  try {
    return database
      .prepare('SELECT sealed FROM payload')
      .all()
      .some(({ sealed }) => {
        const bytes = Buffer.from(sealed as Uint8Array);
        return bytes.subarray(2, 2 + (bytes[1] ?? 0)).toString() === task;
      });
  } finally {
    database.close();
  }
}

test('what is lost or added is named', () => {
  for (const file of files().filter((name) => /^(objects|policy|keys\/.*\.pem|deployment|config)/.test(name))) {
    const path = join(world.dir, file);
    const bytes = fs.readFileSync(path);
    fs.rmSync(path);
    expect(
      examineFolder(world.dir).problems.map(({ where }) => where),
      file,
    ).toContain(file);
    fs.writeFileSync(path, bytes);
  }
  for (const stray of ['notes.txt', 'keys/other.pem', 'keys/tasks/me', 'objects/ab/x', 'witness/state']) {
    fs.mkdirSync(join(world.dir, stray, '..'), { recursive: true });
    fs.writeFileSync(join(world.dir, stray), 'x');
    expect(examineFolder(world.dir).problems.map(({ where }) => where)).toEqual([stray]);
    fs.rmSync(join(world.dir, stray));
  }
});

test('a row that no entry gives is named, and so is one that is gone', () => {
  const database = new DatabaseSync(join(world.dir, 'deed.db'));
  const wheres = () =>
    examineFolder(world.dir)
      .problems.map(({ where }) => where)
      .join();
  const changes: readonly (readonly [string, string])[] = [
    ["UPDATE tasks SET state = 'open'", 'table tasks'],
    ['UPDATE tasks SET budget = budget + 1', 'table tasks'],
    ["UPDATE grants SET ceiling = 'approve'", 'table grants'],
    ['DELETE FROM agents', 'table agents'],
    ['UPDATE policies SET version = 9', 'table policies'],
    ["UPDATE intents SET status = 'error'", 'table intents'],
    ["UPDATE pin SET definition = 'x'", 'table pin'],
    ['DELETE FROM payload', 'objects/'],
    ["INSERT INTO finding VALUES ('f', NULL, 'a', 'b', 'c', 'd', 'e', 'f', 'open', NULL, '[]')", 'table finding'],
    ["INSERT INTO confirmation VALUES ('o', 't', 's')", 'table confirmation'],
    ["INSERT INTO batch VALUES ('d', 's', '{}')", 'table batch'],
    ["INSERT INTO reconciliation VALUES ('t', 0, 's')", 'table reconciliation'],
    ["INSERT INTO contract VALUES ('s', 'd', 'p')", 'table contract'],
    ["INSERT INTO approvals VALUES ('d', 't', 'a', 'r', 'p', 'h', 'A0', 'e', NULL)", 'table approvals'],
    [
      "INSERT INTO credentials (id, task, broker, blind, blinded, state, minted_ms) VALUES ('i', 't', 'b', x'00', 'n', 'live', 1)",
      'table credentials',
    ],
    ["INSERT INTO jti VALUES (1, 'j', 'tsk', 's', 0)", 'table jti'],
    ['CREATE TABLE future (x)', 'table future'],
  ];
  const whole = join(world.base, 'whole.db');
  database.close();
  fs.copyFileSync(join(world.dir, 'deed.db'), whole);
  for (const [sql, expected] of changes) {
    const writer = new DatabaseSync(join(world.dir, 'deed.db'));
    expect(writer.prepare(sql).run().changes !== 0 || sql.startsWith('CREATE'), sql).toBe(true);
    writer.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    writer.close();
    expect(wheres(), sql).toContain(expected);
    fs.copyFileSync(whole, join(world.dir, 'deed.db'));
  }
  expect(wheres()).toBe('');
});

import * as fs from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fsck, fsckOnAllCores } from '../src/index.ts';
import { draft, World } from './world.ts';

let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(() => world.tidy());

async function grown(): Promise<void> {
  const { endpoint } = await world.witness();
  const ledger = await world.ledger({ witnesses: [endpoint] });
  const task = 'tsk_01ARZ3NDEKTSV4RRFFQ69G5FAV';
  ledger.record(draft('', 0, { place: { task, chain: 'seq' } }));
  ledger.record(draft('', 0, { place: { task, chain: 'after' } }));
  for (let n = 0; n < 300; n++) ledger.record(draft('deployment', n));
  await ledger.record(draft('deployment', 300)).witnessed();
  expect(fsck(world.folder), 'with the server running').toMatchObject({ ok: true, entries: 303, publishedSize: 303 });
  await world.close(ledger);
}

const flip = (bytes: Uint8Array, at: number) => Uint8Array.from(bytes, (byte, i) => (i === at ? byte ^ 4 : byte));

describe('fsck', () => {
  test('finds nothing wrong with a sound folder, and names the file in which a bit was flipped', async () => {
    await grown();
    expect(fsck(world.folder)).toMatchObject({ ok: true, entries: 303, problems: [] });
    const log = join(world.folder, 'log');
    const files = fs
      .readdirSync(log, { recursive: true, encoding: 'utf8' })
      .filter((f) => fs.statSync(join(log, f)).isFile());
    expect(files.length).toBeGreaterThan(5);
    for (const file of files) {
      const path = join(log, file);
      const bytes = fs.readFileSync(path);
      for (const at of [0, Math.floor(bytes.length / 2), bytes.length - 2]) {
        fs.writeFileSync(path, flip(bytes, at));
        expect(
          fsck(world.folder).problems.map((problem) => problem.where),
          `${file} byte ${at}`,
        ).toContain(file);
      }
      fs.rmSync(path);
      expect(
        fsck(world.folder).problems.map((problem) => problem.where),
        `${file} removed`,
      ).toContain(file);
      fs.writeFileSync(path, bytes);
    }
    for (const stray of ['tile/0/777', 'tile/0/000.p/9', 'notes.txt', 'tile/entries/x000/001', '.deed-tmp-00']) {
      fs.mkdirSync(join(log, stray, '..'), { recursive: true });
      fs.writeFileSync(join(log, stray), 'x');
      expect(fsck(world.folder).problems.map((problem) => problem.where)).toEqual([stray]);
      fs.rmSync(join(log, stray));
    }
    expect(fsck(world.folder).ok).toBe(true);
  }, 120_000);

  test('calls what a crash leaves unfinished, and only that', async () => {
    await grown();
    const path = join(world.folder, 'log/checkpoint');
    const older = fs.readFileSync(path);
    const only = () => fsck(world.folder).problems.map(({ code, where }) => `${code} ${where}`);
    const ledger = await world.ledger();
    await ledger.record(draft('deployment', 301)).published();
    await world.close(ledger);
    const newest = fs.readFileSync(path);
    fs.writeFileSync(path, older);
    fs.writeFileSync(join(world.folder, 'log/tile/.deed-tmp-0011'), 'half');
    expect(only()).toEqual(['unfinished checkpoint', 'unfinished tile/.deed-tmp-0011']);
    expect(fsck(world.folder).ok).toBe(true);
    await world.close(await world.ledger());
    expect(only()).toEqual([]);
    expect(fs.readFileSync(path)).toEqual(newest);

    const database = new DatabaseSync(join(world.folder, 'deed.db'));
    database.exec(
      `DELETE FROM checkpoint WHERE size = 304; UPDATE head SET size = 303; DELETE FROM entry WHERE idx = 303`,
    );
    database.close();
    expect(only(), 'a database that is behind is no crash').toContain('checkpoint checkpoint');
  });

  test('names the row in which anything was changed', async () => {
    await grown();
    const database = new DatabaseSync(join(world.folder, 'deed.db'));
    const column = (table: string, name: string, where: string) =>
      database.prepare(`SELECT ${name} AS value FROM ${table} WHERE ${where}`).get()?.value;
    const changes: readonly (readonly [string, string, string, string])[] = [
      ['entry', 'body', 'idx = 17', 'entry 17'],
      ['entry', 'sig', 'idx = 18', 'entry 18'],
      ['entry', 'n', 'idx = 302', 'entry 302'],
      ['entry', 'series', 'idx = 302', 'entry 302'],
      ['entry', 'leaf_version', 'idx = 19', 'entry 19'],
      ['key', 'spki', 'id = 1', 'entry 0'],
      ['key', 'keyid', 'id = 1', 'entry 0'],
      ['checkpoint', 'note', 'size = 303', 'checkpoint row 303'],
      ['checkpoint', 'root', 'size = 303', 'checkpoint row 303'],
      ['head', 'size', 'id = 1', 'entry'],
    ];
    for (const [table, name, where, expected] of changes) {
      const before = column(table, name, where) as Uint8Array | string | number;
      const changed =
        typeof before === 'number'
          ? before + 1
          : typeof before === 'string'
            ? before.replace(/[a-z](?=[^a-z]*$)/, (letter) => (letter === 'x' ? 'y' : 'x'))
            : flip(before, before.length - 1);
      const update = database.prepare(`UPDATE ${table} SET ${name} = ? WHERE ${where}`);
      update.run(changed);
      const report = fsck(world.folder);
      expect(report.problems.map((problem) => problem.where).join(), `${table}.${name}`).toContain(expected);
      update.run(before);
    }
    expect(fsck(world.folder).ok).toBe(true);
    database.exec('PRAGMA foreign_keys = OFF; DELETE FROM entry WHERE idx = 40');
    expect(fsck(world.folder).problems.map((problem) => problem.where)).toContain('entry 40');
    database.close();
  });

  test('accepts only the keys it is told to trust', async () => {
    await grown();
    const other = new World();
    const report = fsck(world.folder, { trustedVkeys: other.logKeys.vkeys });
    expect(report.problems.map((problem) => problem.where)).toContain('checkpoint');
    await other.tidy();
  });

  test('on threads finds the same, in the same order', async () => {
    await grown();
    const onThreads = () => fsckOnAllCores(world.folder, { threads: 2, worthThreads: 1 });
    expect(await onThreads()).toEqual(fsck(world.folder));
    const database = new DatabaseSync(join(world.folder, 'deed.db'));
    database.exec(`
      UPDATE entry SET sig = (SELECT sig FROM entry WHERE idx = 1) WHERE idx IN (0, 7, 100, 301);
      UPDATE entry SET body = CAST(replace(CAST(body AS TEXT), 'deployment:test', 'deployment:best') AS BLOB) WHERE idx = 50;
      UPDATE entry SET n = 900 WHERE idx = 200`);
    const { problems } = fsck(world.folder);
    expect(problems.filter(({ what }) => what === 'the signature does not verify').map(({ where }) => where)).toEqual(
      [0, 7, 50, 100, 301].map((index) => `entry ${index}`),
    );
    expect(await onThreads()).toEqual(fsck(world.folder));
    database.exec('PRAGMA foreign_keys = OFF; DELETE FROM entry WHERE idx = 120');
    database.close();
    expect(await onThreads(), 'up to the first that is absent').toEqual(fsck(world.folder));
  }, 120_000);

  test('asks the database for a series that it no longer has in mind', async () => {
    const ledger = await world.ledger();
    const tasks = ['1', '2', '3'].map((digit) => `tsk_${digit.repeat(26)}`);
    for (let n = 0; n < 12; n++) {
      for (const task of tasks) {
        ledger.record(draft('', n, { place: { task, chain: n % 3 === 2 ? 'after' : 'seq' } }));
      }
      ledger.record(draft('deployment', n));
    }
    await world.close(ledger);
    const forgetful = () => fsck(world.folder, { keptSeries: 1 });
    expect(forgetful()).toMatchObject({ ok: true, entries: 48, problems: [] });
    const database = new DatabaseSync(join(world.folder, 'deed.db'));
    for (const change of [
      'UPDATE entry SET body = CAST(replace(CAST(body AS TEXT), \'"count":0\', \'"count":9\') AS BLOB) WHERE idx = 0',
      'UPDATE entry SET n = 90 WHERE idx = 20',
      "UPDATE entry SET series = 'other' WHERE idx = 30",
    ]) {
      database.exec(change);
      const { problems } = fsck(world.folder);
      expect(problems.length, change).toBeGreaterThan(1);
      expect(forgetful().problems, change).toEqual(problems);
    }
    database.close();
  });
});

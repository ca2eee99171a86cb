import * as fs from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { readLogKeys, readServerKeys } from '@deed/authority';
import { fsck, openLedger } from '@deed/ledger';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { proves } from '../../../tests/promises.ts';
import { backup } from '../src/backup/backup.ts';
import { incompleteFile } from '../src/backup/manifest.ts';
import { restore, verifyBackup } from '../src/backup/restore.ts';
import { migrations } from '../src/deployment.ts';
import { readConfig } from '../src/index.ts';
import { World } from './support/world.ts';

let world: World;
let to: string;
let keysTo: string;
beforeEach(async () => {
  world = await World.begin();
  to = join(world.base, 'backup');
  keysTo = join(world.base, 'backup-keys');
});
afterEach(() => world.end());

const filesOf = (folder: string) =>
  fs.readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((f) => fs.statSync(join(folder, f)).isFile());
const codeOf = (work: () => unknown) => {
  try {
    work();
    return 'done';
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe('a backup', () => {
  test('is made while the server runs, holds no key and no secret, and is sound by its own manifest and by fsck', async () => {
    const { task } = await world.worker();
    const report = backup({ dir: world.dir, to, keysTo });
    expect(report.entries).toBe(world.serving.deployment.ledger.size);
    expect(verifyBackup(to)).toMatchObject({ ok: true, problems: [] });
    expect(verifyBackup(keysTo, 'keys')).toMatchObject({ ok: true, problems: [] });
    expect(fsck(to)).toMatchObject({ ok: true, problems: [] });
    expect(filesOf(to).filter((file) => /pem|keys|secrets|witness/.test(file))).toEqual([]);
    expect(filesOf(keysTo)).toContain(join('tasks', task));
    expect(filesOf(keysTo).filter((file) => file.includes('secrets'))).toEqual([]);
    const modes = [...filesOf(keysTo).map((f) => join(keysTo, f)), join(to, 'deed.db')];
    for (const file of modes) expect(fs.statSync(file).mode & 0o077, file).toBe(0);
  });

  test('is brought up to date without copying again what never changes', async () => {
    await world.worker();
    backup({ dir: world.dir, to, keysTo });
    const again = backup({ dir: world.dir, to, keysTo });
    expect(again.copied).toBe(9); // the database, config.json, deployment.json, the server's five keys
    await world.worker();
    const more = backup({ dir: world.dir, to, keysTo });
    expect(more.entries).toBeGreaterThan(again.entries);
    expect(verifyBackup(to).problems).toEqual([]);
  });

  test('of which any file was changed, lost or added is not sound, and is not restored', async () => {
    await world.worker();
    backup({ dir: world.dir, to, keysTo });
    for (const file of filesOf(to).filter((name) => name !== 'manifest.json')) {
      const path = join(to, file);
      const bytes = fs.readFileSync(path);
      fs.writeFileSync(
        path,
        Uint8Array.from(bytes, (byte, i) => (i === bytes.length >> 1 ? byte ^ 1 : byte)),
      );
      expect(
        verifyBackup(to).problems.map(({ where }) => where),
        file,
      ).toContain(file);
      fs.rmSync(path);
      expect(
        verifyBackup(to).problems.map(({ where }) => where),
        `${file} lost`,
      ).toContain(file);
      fs.writeFileSync(path, bytes);
    }
    fs.writeFileSync(join(to, 'objects-more'), 'x');
    expect(verifyBackup(to).problems.map(({ where }) => where)).toEqual(['objects-more']);
    expect(codeOf(() => restore(to, keysTo, join(world.base, 'new')))).toBe('backup');
    expect(fs.existsSync(join(world.base, 'new'))).toBe(false);
  });

  test('that did not end says so, is refused, and is mended by the next run', async () => {
    await world.worker();
    backup({ dir: world.dir, to, keysTo });
    const [notice] =
      fs
        .readFileSync(join(to, 'manifest.json'), 'utf8')
        .match(/"origin": "([^"]+)/)
        ?.slice(1) ?? [];
    const text = `A backup of the data of ${notice} has not ended. Run the same deed backup again before you rely on this folder.\n`;
    fs.writeFileSync(join(to, incompleteFile), text);
    fs.writeFileSync(join(to, '.deed-tmp-0123'), 'half');
    expect(codeOf(() => verifyBackup(to))).toBe('backup');
    expect(codeOf(() => restore(to, keysTo, join(world.base, 'new')))).toBe('backup');
    backup({ dir: world.dir, to, keysTo });
    expect(verifyBackup(to).problems).toEqual([]);
    expect(filesOf(to)).not.toContain('.deed-tmp-0123');
  });

  test('goes into no folder with something else in it, nor into the data folder, nor beside its keys', () => {
    expect(codeOf(() => backup({ dir: world.dir, to: join(world.dir, 'backup') }))).toBe('backup');
    expect(codeOf(() => backup({ dir: world.dir, to, keysTo: join(to, 'keys') }))).toBe('backup');
    fs.mkdirSync(join(world.base, 'full'));
    fs.writeFileSync(join(world.base, 'full', 'photo.jpg'), 'x');
    expect(codeOf(() => backup({ dir: world.dir, to: join(world.base, 'full') }))).toBe('backup');
  });

  test('keeps the key of an erased task only until it is pruned', async () => {
    const { task } = await world.worker();
    backup({ dir: world.dir, to, keysTo });
    fs.rmSync(join(world.dir, 'keys', 'tasks', task));
    expect(backup({ dir: world.dir, to, keysTo })).toMatchObject({ goneKeys: [task], pruned: false });
    expect(backup({ dir: world.dir, to, keysTo, pruneKeys: true })).toMatchObject({ goneKeys: [task], pruned: true });
    expect(filesOf(keysTo)).not.toContain(join('tasks', task));
    expect(verifyBackup(keysTo, 'keys').ok).toBe(true);
  });
});

describe('the drill: the data folder is lost', () => {
  test('a backup of the very head is restored, and the log goes on', async () => {
    await world.worker();
    await world.serving.close();
    const { entries } = backup({ dir: world.dir, to, keysTo });
    fs.rmSync(world.dir, { recursive: true });
    restore(to, keysTo, world.dir);
    world.serving = await world.serve();
    expect(world.serving.deployment.ledger.size).toBe(entries);
    await world.worker();
    const { ledger } = world.serving.deployment;
    expect((await ledger.witnessed(ledger.size - 1)).size).toBe(ledger.size);
  });

  test('an older backup does not fork the log: the start is refused, nothing is signed, the witness has not moved', async () => {
    proves('restore-never-forks');
    await world.worker();
    const { entries } = backup({ dir: world.dir, to, keysTo });
    await world.worker();
    const { ledger } = world.serving.deployment;
    await ledger.witnessed(ledger.size - 1);
    const head = ledger.size;
    await world.serving.close();
    expect(head).toBeGreaterThan(entries);
    fs.rmSync(world.dir, { recursive: true });
    restore(to, keysTo, world.dir);
    const published = fs.readFileSync(join(world.dir, 'log', 'checkpoint'), 'utf8');
    const stateOf = () => {
      const state = new DatabaseSync(join(world.base, 'witness', 'witness.db'), { readOnly: true });
      const heads = state.prepare('SELECT origin, size, root FROM head').all();
      state.close();
      return heads;
    };
    const known = stateOf();
    expect(known).toMatchObject([{ size: head }]);
    world.serving = { ...world.serving, close: async () => undefined };

    await expect(world.serve()).rejects.toMatchObject({
      code: 'forked',
      message: expect.stringContaining('docs/restore.md says in step 3'),
    });
    expect(fs.readFileSync(join(world.dir, 'log', 'checkpoint'), 'utf8')).toBe(published);
    expect(fsck(world.dir)).toMatchObject({ ok: true, entries });
    expect(stateOf()).toEqual(known);

    const config = readConfig(world.dir);
    const unreachable = await openLedger({
      folder: world.dir,
      logKeys: readLogKeys(world.dir, config.origin),
      signer: readServerKeys(world.dir).receipt,
      migrations: migrations,
      witnesses: [{ name: 'local', vkey: config.witness.vkey, url: 'http://127.0.0.1:9' }],
    });
    expect(unreachable.isReady).toBe(false);
    expect(unreachable.logResponse('GET', '/log/checkpoint').status).toBe(200);
    expect(unreachable.entry(0)).toBeDefined();
    const draft = { predicate: 'rejects-counted', place: { series: 'deployment' } } as never;
    expect(codeOf(() => unreachable.record(draft))).toBe('not-ready');
    await unreachable.close();
    expect(fs.readFileSync(join(world.dir, 'log', 'checkpoint'), 'utf8')).toBe(published);
    expect(fsck(world.dir)).toMatchObject({ ok: true, entries });
  });
});

import * as fs from 'node:fs';
import { join } from 'node:path';
import { openReadOnly, snapshotDatabase } from '@deed/store';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fsck, layOutLog } from '../src/index.ts';
import { codeOf, draft, World } from './world.ts';

let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(() => world.tidy());

const layOut = (folder: string) => {
  const database = openReadOnly(folder);
  try {
    return layOutLog(database, join(folder, 'log'));
  } finally {
    database.close();
  }
};

test('the log of a copied database is made again from its rows, as far as its newest checkpoint goes', async () => {
  const ledger = await world.ledger();
  for (let n = 0; n < 299; n++) ledger.record(draft('deployment', n));
  await ledger.record(draft('deployment', 299)).published();
  const copy = join(world.root, 'copy');
  fs.mkdirSync(copy);
  snapshotDatabase(world.folder, join(copy, 'deed.db'));
  expect(layOut(copy)).toBe(300);
  expect(fsck(copy)).toMatchObject({ ok: true, entries: 300, publishedSize: 300, problems: [] });
  await ledger.record(draft('deployment', 300)).published();
  snapshotDatabase(world.folder, join(copy, 'deed.db'));
  expect(layOut(copy)).toBe(301);
  expect(fsck(copy).problems).toEqual([]);

  const tile = join(copy, 'log/tile/entries/000');
  fs.writeFileSync(tile, 'other bytes');
  fs.rmSync(join(copy, 'log/tile/0/000'));
  expect(() => layOut(copy)).toThrow(expect.objectContaining({ code: 'damaged' }));
  await world.close(ledger);
});

test('there is no copy of what is not there', () => {
  let code: unknown;
  try {
    snapshotDatabase(world.root, join(world.root, 'copy.db'));
  } catch (error) {
    code = codeOf(error);
  }
  expect(code).toBe('absent');
  expect(fs.readdirSync(world.root)).toEqual([]);
});

import * as fs from 'node:fs';
import { join, relative, sep } from 'node:path';
import { concat, equalBytes } from '@deed/evidence';
import { isTemp } from '@deed/store';
import { leafOf, readEntries } from '../entry.ts';
import { parseTilePath, type TileName, tilePath, tileWidth } from '../tile-path.ts';
import { bundleOf } from '../tile-tree.ts';
import type { Examined } from './examined.ts';

/** Compares every file of the log's folder with what the rows give, and looks for those that must be there. */
export function checkFiles(examined: Examined, publishedSize: number): void {
  const { logFolder, add } = examined;
  const seen = new Set<string>();
  for (const item of fs.existsSync(logFolder)
    ? fs.readdirSync(logFolder, { withFileTypes: true, recursive: true })
    : []) {
    if (item.isDirectory()) continue;
    examined.breathe();
    const path = relative(logFolder, join(item.parentPath, item.name)).split(sep).join('/');
    if (path === 'checkpoint') continue;
    const bytes = readIfThere(join(logFolder, path));
    // A running server drops partial tiles and temps at any time.
    if (!bytes) continue;
    seen.add(path);
    const name = parseTilePath(path);
    const expected = name && expectedBytes(examined, name);
    if (!name && isTemp(path)) add('unfinished', path, 'a write that did not end');
    else if (!name) add('stray', path, 'no file of a log has this name');
    else if (expected === 'unknown') continue;
    else if (!expected) add('stray', path, 'is outside the tree');
    else if (!equalBytes(bytes, expected)) add('tile', path, 'differs from what the entries give');
  }
  for (const name of required(publishedSize)) {
    const path = tilePath(name);
    const full = tilePath({ ...name, width: tileWidth });
    if (!seen.has(path) && !fs.existsSync(join(logFolder, path)) && !fs.existsSync(join(logFolder, full))) {
      add('missing', path, `the published size ${publishedSize} needs it`);
    }
  }
}

/** The bytes of a tile, undefined outside the tree, `unknown` where only entries newer than this check could tell. */
function expectedBytes(examined: Examined, name: TileName): Uint8Array | 'unknown' | undefined {
  const { database, tree, size } = examined;
  const leaves = name.level === 'entries' ? 1 : tileWidth ** name.level;
  const end = (name.index * tileWidth + name.width) * leaves;
  if (end > size) {
    const now = database.get<{ size: number }>('SELECT size FROM head')?.size ?? 0;
    return end <= now ? 'unknown' : undefined;
  }
  const first = name.index * tileWidth;
  if (name.level === 'entries') {
    return bundleOf(readEntries(database, first, first + name.width).map(leafOf));
  }
  const height = name.level * 8;
  return concat(...Array.from({ length: name.width }, (_, i) => tree(height, first + i)));
}

function* required(size: number): Generator<TileName> {
  const bundles = Math.floor(size / tileWidth);
  for (let index = 0; index < bundles; index++) yield { level: 'entries', index, width: tileWidth };
  if (size % tileWidth > 0) yield { level: 'entries', index: bundles, width: size % tileWidth };
  for (let level = 0, hashes = size; hashes > 0; level++) {
    const full = Math.floor(hashes / tileWidth);
    for (let index = 0; index < full; index++) yield { level, index, width: tileWidth };
    if (hashes % tileWidth > 0) yield { level, index: full, width: hashes % tileWidth };
    hashes = full;
  }
}

export function readIfThere(path: string): Buffer | undefined {
  try {
    return fs.readFileSync(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

import * as fs from 'node:fs';
import { join } from 'node:path';
import { type TileName, tilePath, tileWidth } from '../tile-path.ts';

/** The files below a folder by their paths with slashes, folder by folder. Holds the names of one folder at a time. */
export function* filesBelow(root: string): Generator<string> {
  const folders = [''];
  for (let folder = folders.shift(); folder !== undefined; folder = folders.shift()) {
    for (const item of fs.readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = folder === '' ? item.name : `${folder}/${item.name}`;
      if (item.isDirectory()) folders.push(path);
      else yield path;
    }
  }
}

export function isThere(root: string, tile: TileName): boolean {
  return fs.existsSync(join(root, tilePath(tile)));
}

/** The names of a tile that are there: its own, and of its beginnings those that a smaller size of the log left behind. */
export function* namesOf(root: string, tile: TileName): Generator<TileName> {
  if (isThere(root, tile)) yield tile;
  const partials = join(root, `${tilePath({ ...tile, width: tileWidth })}.p`);
  if (!fs.statSync(partials, { throwIfNoEntry: false })?.isDirectory()) return;
  for (const file of fs.readdirSync(partials)) {
    const width = Number(file);
    if (/^[1-9][0-9]{0,2}$/.test(file) && width < tile.width) yield { ...tile, width };
  }
}

/** Every file of a log of a size but its checkpoint. */
export function* filesOfSize(size: number): Generator<TileName> {
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

/** No such file, a file for a folder, a link to itself, a socket. */
const isAbsent: readonly unknown[] = ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO'];
/** A bundle of the longest entries; of a longer file one byte more is read, so that it differs from every good one. */
const maxFileBytes = tileWidth * (2 + 0xffff);

/** Reads files below a folder, undefined for what is no file. One buffer for all: the bytes are good until the next call. */
export function fileReader(root: string): (path: string) => Buffer | undefined {
  let buffer = Buffer.alloc(0);
  return (path) => {
    let handle: number | undefined;
    try {
      handle = fs.openSync(join(root, path), fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
      const stat = fs.fstatSync(handle);
      if (!stat.isFile()) return undefined;
      const sizeBytes = Math.min(stat.size, maxFileBytes + 1);
      if (buffer.length < sizeBytes) buffer = Buffer.alloc(sizeBytes);
      let read = 0;
      for (let more = 1; more > 0 && read < sizeBytes; read += more) {
        more = fs.readSync(handle, buffer, read, sizeBytes - read, read);
      }
      return buffer.subarray(0, read);
    } catch (error) {
      if (error instanceof Error && 'code' in error && isAbsent.includes(error.code)) return undefined;
      throw error;
    } finally {
      if (handle !== undefined) fs.closeSync(handle);
    }
  };
}

export function readIfThere(path: string): Buffer | undefined {
  try {
    return fs.readFileSync(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

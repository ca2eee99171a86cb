import * as fs from 'node:fs';
import { leafHash, type NodeReader, rootFromLeaves, treeHashBytes } from '@deed/evidence';
import { isTemp, type ReadDatabase } from '@deed/store';
import { leafOf, readEntries } from '../entry.ts';
import { LedgerError } from '../errors.ts';
import { fileReader, filesBelow, filesOfSize, isThere, namesOf } from '../log-folder/log-files.ts';
import { firstEntries, TileStream } from '../log-folder/tile-stream.ts';
import { parseTilePath, type TileName, tilePath, tileWidth } from '../tile-path.ts';
import type { Examined } from './examined.ts';

const maxDiffering = 1000;
const maxLeafBytes = 0xffff;

/**
 * The log's folder beside the leaves that the rows give: each bundle and tile is compared when it is complete. Memory: one of
 * each level, and the tiles above the lowest level (32 bytes for 256 entries), from which roots of smaller sizes are made.
 */
export class FolderComparison {
  private readonly logFolder: string;
  private readonly read: (path: string) => Buffer | undefined;
  private readonly stream: TileStream;
  private readonly differing = new Set<string>();
  private readonly upper: Buffer[][] = [];
  private bundle = Buffer.alloc(256 * 1024);
  private bundleBytes = 0;
  private count = 0;

  constructor(logFolder: string) {
    this.logFolder = logFolder;
    this.read = fileReader(logFolder);
    this.stream = new TileStream((name, bytes) => {
      this.compare(name, (width) => bytes.subarray(0, width * treeHashBytes));
      if (name.level === 0) return;
      this.upper[name.level] ??= [];
      this.upper[name.level]?.push(Buffer.from(bytes));
    });
  }

  /** @throws LedgerError damaged (too long for a bundle) */
  append(leaf: Uint8Array): void {
    const { length } = leaf;
    if (length > maxLeafBytes) throw new LedgerError('damaged', `its leaf has ${length} bytes, more than any leaf`);
    if (this.bundleBytes + 2 + length > this.bundle.length) {
      this.bundle = Buffer.concat([this.bundle], 2 * this.bundle.length);
    }
    this.bundle.writeUInt16BE(length, this.bundleBytes);
    this.bundle.set(leaf, this.bundleBytes + 2);
    this.bundleBytes += 2 + length;
    this.count++;
    if (this.count % tileWidth === 0) this.endBundle(tileWidth);
  }

  /** After the last leaf. */
  end(): void {
    if (this.count % tileWidth > 0) this.endBundle(this.count % tileWidth);
    this.stream.end();
  }

  private endBundle(width: number): void {
    const bundle = this.bundle.subarray(0, this.bundleBytes);
    const index = Math.ceil(this.count / tileWidth) - 1;
    this.compare({ level: 'entries', index, width }, (first) => firstEntries(bundle, first));
    this.stream.append(bundle);
    this.bundleBytes = 0;
  }

  private compare(name: TileName, expected: (width: number) => Buffer): void {
    for (const there of namesOf(this.logFolder, name)) {
      const path = tilePath(there);
      // A running server drops partial tiles at any time.
      const bytes = this.read(path);
      if (bytes && !bytes.equals(expected(there.width)) && this.differing.size < maxDiffering) this.differing.add(path);
    }
  }

  /** The tree of the leaves: hashes below the tiles that were kept are made from the rows again. */
  tree(database: ReadDatabase): NodeReader {
    return (level, index) => {
      const tileLevel = Math.floor(level / 8);
      const width = 2 ** (level % 8);
      const start = index * width;
      if (tileLevel === 0) {
        return rootFromLeaves(readEntries(database, start, start + width).map((entry) => leafHash(leafOf(entry))));
      }
      const tile = this.upper[tileLevel]?.[Math.floor(start / tileWidth)];
      const hashAt = (i: number) => tile?.subarray(i * treeHashBytes, (i + 1) * treeHashBytes) ?? Buffer.alloc(0);
      return rootFromLeaves(Array.from({ length: width }, (_, i) => hashAt((start % tileWidth) + i)));
    };
  }

  /** Names what differs, what is no file of this log, and what must be there and is not. */
  report({ database, size, add, breathe }: Examined, publishedSize: number): void {
    const { logFolder } = this;
    for (const path of fs.existsSync(logFolder) ? filesBelow(logFolder) : []) {
      breathe();
      if (path === 'checkpoint') continue;
      const name = parseTilePath(path);
      if (!name && isTemp(path)) add('unfinished', path, 'a write that did not end');
      else if (!name) add('stray', path, 'no file of a log has this name');
      else if (this.differing.has(path)) add('tile', path, 'differs from what the entries give');
      else if (endOf(name) > size && endOf(name) > sizeNow(database)) add('stray', path, 'is outside the tree');
    }
    for (const name of filesOfSize(publishedSize)) {
      if (isThere(logFolder, name) || isThere(logFolder, { ...name, width: tileWidth })) continue;
      add('missing', tilePath(name), `the published size ${publishedSize} needs it`);
    }
  }
}

/** How many entries a log has at least that has this tile. */
function endOf({ level, index, width }: TileName): number {
  return (index * tileWidth + width) * (level === 'entries' ? 1 : tileWidth ** level);
}

/** A server may have grown the log since the check began. */
function sizeNow(database: ReadDatabase): number {
  return database.get<{ size: number }>('SELECT size FROM head')?.size ?? 0;
}

import * as crypto from 'node:crypto';
import { emptyRoot, treeHashBytes } from '@deed/evidence';
import { LedgerError } from '../errors.ts';
import { type TileName, tileWidth } from '../tile-path.ts';

/** The bytes are good until it returns. */
export type TakeTile = (name: TileName & { readonly level: number }, bytes: Buffer) => void;

interface Level {
  /** Room for a full tile; the first `width` hashes count. */
  readonly hashes: Buffer;
  width: number;
  /** Full tiles before this one. */
  index: number;
}

const lengthBytes = 2;

/**
 * Makes a log's tiles from its bundles as they come, and hands out each when it is full and those of the right edge at the end.
 * Memory: one tile a level, whatever the size. It hashes in place and takes digests as text, which is what Node does fastest.
 */
export class TileStream {
  private readonly take: TakeTile;
  private readonly first: number;
  private readonly levels: Level[] = [];
  private readonly pair = Buffer.alloc(1 + 2 * treeHashBytes, 1);

  /** `first`: of which entry the stream begins; what is before it counts for the names of tiles only. */
  constructor(take: TakeTile, first = 0) {
    this.take = take;
    this.first = first;
  }

  /**
   * Appends the entries of a bundle, each after its length in two bytes (C2SP tlog-tiles), and returns how many there were.
   * The bytes are overwritten. @throws LedgerError damaged (it ends in the middle of an entry)
   */
  append(bundle: Buffer): number {
    let count = 0;
    for (let at = 0; at < bundle.length; count++) {
      const end = entryEnd(bundle, at);
      bundle[at + 1] = 0; // the prefix of a leaf, in the place of its length
      this.push(0, digestText(bundle.subarray(at + 1, end)));
      at = end;
    }
    return count;
  }

  /** Appends what another stream made: a hash of that level, and with it all tiles below. The levels below are empty. */
  appendSubtree(level: number, root: Uint8Array): void {
    for (let below = 0; below < level; below++) this.level(below).index += tileWidth ** (level - 1 - below);
    this.push(level, Buffer.from(root).toString('latin1'));
  }

  /** Hands out the incomplete tiles, and gives the root. Nothing can be appended afterwards. */
  end(): Uint8Array {
    for (const [level, { hashes, width, index }] of this.levels.entries()) {
      if (width > 0) this.take({ level, index, width }, hashes.subarray(0, width * treeHashBytes));
    }
    return this.root();
  }

  /** The root of what was appended. Nothing can be appended afterwards. */
  root(): Uint8Array {
    let root: Buffer | undefined;
    for (const { hashes, width } of this.levels) {
      // Complete subtrees from the right, so from the smallest: as many as the width has bits.
      for (let [left, size] = [width, 1]; left > 0; size *= 2) {
        if (left % (2 * size) === 0) continue;
        left -= size;
        const subtree = Buffer.alloc(treeHashBytes);
        const from = left * treeHashBytes;
        subtree.write(this.subtree(hashes.subarray(from, from + size * treeHashBytes)), 'latin1');
        root = root ? Buffer.from(this.parent(Buffer.concat([subtree, root]), 0), 'latin1') : subtree;
      }
    }
    return root ?? emptyRoot();
  }

  private push(level: number, hash: string): void {
    const tile = this.level(level);
    put(hash, tile.hashes, tile.width * treeHashBytes);
    tile.width++;
    if (tile.width < tileWidth) return;
    this.take({ level, index: tile.index, width: tileWidth }, tile.hashes);
    tile.width = 0;
    tile.index++;
    this.push(level + 1, this.subtree(tile.hashes));
  }

  private level(level: number): Level {
    for (let made = this.levels.length; made <= level; made++) {
      const index = Math.floor(this.first / tileWidth ** (made + 1));
      this.levels.push({ hashes: Buffer.alloc(tileWidth * treeHashBytes), width: 0, index });
    }
    return this.levels[level] as Level;
  }

  /** Hash over a complete row, which is overwritten row by row. */
  private subtree(row: Buffer): string {
    for (let width = row.length / treeHashBytes; width > 1; width /= 2) {
      for (let i = 0; i < width / 2; i++) put(this.parent(row, 2 * i), row, i * treeHashBytes);
    }
    return row.toString('latin1', 0, treeHashBytes);
  }

  private parent(row: Buffer, left: number): string {
    for (let i = 1, from = left * treeHashBytes; i < this.pair.length; i++, from++) this.pair[i] = row[from] ?? 0;
    return digestText(this.pair);
  }
}

/** The first `width` entries of a bundle that has as many. @throws LedgerError damaged */
export function firstEntries(bundle: Buffer, width: number): Buffer {
  let end = 0;
  for (let i = 0; i < width; i++) end = entryEnd(bundle, end);
  return bundle.subarray(0, end);
}

function entryEnd(bundle: Buffer, at: number): number {
  const end = at + lengthBytes <= bundle.length ? at + lengthBytes + bundle.readUInt16BE(at) : Number.POSITIVE_INFINITY;
  if (end > bundle.length) throw new LedgerError('damaged', 'ends in the middle of an entry');
  return end;
}

/** Byte by byte, which for so few is faster than a call into Node. */
function put(hash: string, into: Buffer, at: number): void {
  for (let i = 0; i < treeHashBytes; i++) into[at + i] = hash.charCodeAt(i);
}

function digestText(bytes: Uint8Array): string {
  return crypto.hash('sha256', bytes, 'binary');
}

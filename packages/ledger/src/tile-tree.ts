import { concat, leafHash, type NodeReader, nodeHash, rootFromLeaves, rootOf, treeHashBytes } from '@deed/evidence';
import { LedgerError } from './errors.ts';
import type { TileFolder } from './tile-folder.ts';
import { tileWidth } from './tile-path.ts';

/** Tile level n holds the hashes of complete subtrees of 256^n leaves. */
const bitsPerLevel = 8;

/**
 * The tree as tiles: full ones in the folder, the incomplete one of each level (the right edge) in memory. It only grows, and
 * what it writes is a pure function of the entries it is given.
 */
export class TileTree {
  private readonly folder: TileFolder;
  /** By level: the hashes of the incomplete tile, fewer than 256. */
  private readonly edge: Uint8Array[][] = [];
  /** Entries of the incomplete bundle, each with its length before it. */
  private bundle: Uint8Array[] = [];
  private count = 0;

  constructor(folder: TileFolder) {
    this.folder = folder;
  }

  get size(): number {
    return this.count;
  }

  /**
   * Takes up the tree at a size whose full tiles are in the folder. `lastLeaves` are the entries of the incomplete bundle.
   * Nothing is checked here but presence: compare {@link root} with the signed one.
   * @throws LedgerError damaged (a full tile is absent)
   */
  resume(size: number, lastLeaves: readonly Uint8Array[]): void {
    this.count = size;
    this.bundle = lastLeaves.map(framed);
    this.edge.length = 0;
    this.edge.push(lastLeaves.map((leaf) => leafHash(leaf)));
    for (let level = 1, tiles = Math.floor(size / tileWidth); tiles > 0; level++) {
      const first = tiles - (tiles % tileWidth);
      this.edge.push(
        Array.from({ length: tiles % tileWidth }, (_, i) => rootFromLeaves(this.fullTile(level - 1, first + i))),
      );
      tiles = Math.floor(tiles / tileWidth);
    }
  }

  /** Appends one entry; completed tiles and bundles are written at once. @throws LedgerError damaged */
  append(leaf: Uint8Array): void {
    this.bundle.push(framed(leaf));
    if (this.bundle.length === tileWidth) {
      const index = Math.floor(this.count / tileWidth);
      this.folder.write({ level: 'entries', index, width: tileWidth }, concat(...this.bundle));
      this.bundle = [];
    }
    this.count++;
    this.push(0, leafHash(leaf));
  }

  /** Writes the incomplete tiles and the incomplete bundle of the present size. @throws LedgerError damaged */
  writePartials(options: { readonly repairPartial?: boolean } = {}): void {
    const width = this.bundle.length;
    if (width > 0) {
      const index = Math.floor(this.count / tileWidth);
      this.folder.write({ level: 'entries', index, width }, concat(...this.bundle), options);
    }
    this.edge.forEach((hashes, level) => {
      if (hashes.length === 0) return;
      const index = this.fullTiles(level);
      this.folder.write({ level, index, width: hashes.length }, concat(...hashes), options);
    });
  }

  root(): Uint8Array {
    return rootOf(this.read, this.count);
  }

  /** Root at a smaller size. */
  rootAt(size: number): Uint8Array {
    return rootOf(this.read, size);
  }

  /** Hash of a complete subtree. @throws LedgerError absent, damaged */
  readonly read: NodeReader = (level, index) => {
    const tileLevel = Math.floor(level / bitsPerLevel);
    const width = 2 ** (level % bitsPerLevel);
    const start = index * width;
    const tile = Math.floor(start / tileWidth);
    const from = start % tileWidth;
    const full = this.fullTiles(tileLevel);
    const hashes = tile < full ? this.fullTile(tileLevel, tile) : (this.edge[tileLevel] ?? []);
    const part = hashes.slice(from, from + width);
    if (tile > full || part.length !== width) {
      throw new LedgerError('absent', `subtree ${index} of level ${level} is outside the tree of ${this.count}`);
    }
    return complete(part);
  };

  private fullTiles(level: number): number {
    return Math.floor(this.count / tileWidth ** (level + 1));
  }

  private fullTile(level: number, index: number): readonly Uint8Array[] {
    const bytes = this.folder.readFull(level, index);
    if (bytes?.length !== tileWidth * treeHashBytes) {
      throw new LedgerError('damaged', `full tile ${index} of level ${level} is absent or cut; run \`deed log fsck\``);
    }
    return Array.from({ length: tileWidth }, (_, i) => bytes.subarray(i * treeHashBytes, (i + 1) * treeHashBytes));
  }

  private push(level: number, hash: Uint8Array): void {
    this.edge[level] ??= [];
    const hashes = this.edge[level];
    hashes.push(hash);
    if (hashes.length < tileWidth) return;
    const index = this.fullTiles(level) - 1;
    this.folder.write({ level, index, width: tileWidth }, concat(...hashes));
    this.edge[level] = [];
    this.push(level + 1, complete(hashes));
  }
}

/** Big-endian 16-bit length, then the entry. */
export function framed(leaf: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(leaf.length >> 8, leaf.length & 0xff), leaf);
}

function complete(hashes: readonly Uint8Array[]): Uint8Array {
  let row = hashes;
  while (row.length > 1) {
    const above: Uint8Array[] = [];
    for (let i = 0; i + 1 < row.length; i += 2) {
      const [left, right] = [row[i], row[i + 1]];
      if (left && right) above.push(nodeHash(left, right));
    }
    row = above;
  }
  const [root] = row;
  if (!root) throw new LedgerError('damaged', 'empty tile');
  return root;
}

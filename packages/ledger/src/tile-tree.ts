import { leafHash, treeHashBytes } from '@deed/evidence';
import type { TileFolder } from './tile-folder.ts';
import { tileWidth } from './tile-path.ts';
import { fullTile, subtreeRoot, TileView, type TreeState } from './tile-view.ts';

/** An incomplete tile. */
interface Growing {
  readonly bytes: Uint8Array;
  width: number;
}

/**
 * The tree as it grows: full tiles go to the folder, the incomplete one of each level (the right edge) is in memory. What it
 * writes is a pure function of the entries it is given.
 */
export class TileTree {
  private readonly folder: TileFolder;
  private edge: Growing[] = [];
  /** Entries of the incomplete bundle. */
  private bundle: Uint8Array[] = [];
  private count = 0;
  /** The size whose incomplete tiles are in the folder. */
  private partialsOf = 0;

  constructor(folder: TileFolder) {
    this.folder = folder;
  }

  get size(): number {
    return this.count;
  }

  /** Reads it as it is now. */
  view(): TileView {
    const view = new TileView(this.folder);
    view.show(this.state());
    return view;
  }

  /** A copy of the right edge. */
  state(): TreeState {
    return { size: this.count, edge: this.edge.map(({ bytes, width }) => bytes.slice(0, width * treeHashBytes)) };
  }

  /**
   * Takes up the tree at a size whose full tiles are in the folder. `lastLeaves` are the entries of the incomplete bundle.
   * Nothing is checked here but presence: compare the root with the signed one.
   * @throws LedgerError damaged (a full tile is absent)
   */
  resume(size: number, lastLeaves: readonly Uint8Array[]): void {
    this.count = size;
    this.partialsOf = 0;
    this.bundle = [...lastLeaves];
    this.edge = [];
    for (const leaf of lastLeaves) put(this.growing(0), leafHash(leaf));
    for (let level = 1, tiles = Math.floor(size / tileWidth); tiles > 0; level++) {
      const first = tiles - (tiles % tileWidth);
      const growing = this.growing(level);
      for (let tile = first; tile < tiles; tile++) put(growing, subtreeRoot(fullTile(this.folder, level - 1, tile)));
      tiles = Math.floor(tiles / tileWidth);
    }
  }

  /** Appends one entry. Completed tiles and bundles are in the folder after {@link flush}. @throws LedgerError damaged */
  append(leaf: Uint8Array): void {
    this.bundle.push(leaf);
    if (this.bundle.length === tileWidth) {
      const index = Math.floor(this.count / tileWidth);
      this.folder.write({ level: 'entries', index, width: tileWidth }, bundleOf(this.bundle));
      this.bundle = [];
    }
    this.count++;
    this.push(0, leafHash(leaf));
  }

  /** Makes the full tiles of the present size durable. @throws LedgerError damaged */
  flush(): void {
    this.folder.flush();
  }

  /** Writes the incomplete tiles and the incomplete bundle of the present size, after the full ones. @throws LedgerError damaged */
  writePartials(options: { readonly repairPartial?: boolean } = {}): void {
    if (this.partialsOf === this.count) return;
    this.flush();
    const width = this.bundle.length;
    if (width > 0) {
      const index = Math.floor(this.count / tileWidth);
      this.folder.write({ level: 'entries', index, width }, bundleOf(this.bundle), options);
    }
    this.edge.forEach((tile, level) => {
      if (tile.width === 0) return;
      const index = Math.floor(this.count / tileWidth ** (level + 1));
      this.folder.write({ level, index, width: tile.width }, hashesOf(tile), options);
    });
    this.partialsOf = this.count;
  }

  private growing(level: number): Growing {
    this.edge[level] ??= { bytes: new Uint8Array(tileWidth * treeHashBytes), width: 0 };
    return this.edge[level];
  }

  private push(level: number, hash: Uint8Array): void {
    const tile = this.growing(level);
    put(tile, hash);
    if (tile.width < tileWidth) return;
    const index = Math.floor(this.count / tileWidth ** (level + 1)) - 1;
    this.folder.write({ level, index, width: tileWidth }, tile.bytes.slice());
    tile.width = 0;
    this.push(level + 1, subtreeRoot(tile.bytes));
  }
}

/** The bytes of an entry bundle: before each entry its length, 16 bits, big-endian. */
export function bundleOf(entries: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(entries.reduce((length, entry) => length + 2 + entry.length, 0));
  let at = 0;
  for (const entry of entries) {
    out[at] = entry.length >> 8;
    out[at + 1] = entry.length & 0xff;
    out.set(entry, at + 2);
    at += 2 + entry.length;
  }
  return out;
}

function put(tile: Growing, hash: Uint8Array): void {
  tile.bytes.set(hash, tile.width * treeHashBytes);
  tile.width++;
}

function hashesOf({ bytes, width }: Growing): Uint8Array {
  return bytes.subarray(0, width * treeHashBytes);
}

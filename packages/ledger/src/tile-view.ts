import { type NodeReader, nodeHash, rootOf, treeHashBytes } from '@deed/evidence';
import { LedgerError } from './errors.ts';
import type { TileFolder } from './tile-folder.ts';
import { tileWidth } from './tile-path.ts';

/** Tile level n holds the hashes of complete subtrees of 256^n leaves. */
const bitsPerLevel = 8;

/** A tree whose full tiles are in the folder: its size, and by level the hashes of the incomplete tile, one after the other. */
export interface TreeState {
  readonly size: number;
  /** Of each level fewer than 256 hashes of 32 bytes. */
  readonly edge: readonly Uint8Array[];
}

/** Reads the tree at a size: full tiles from the folder, the right edge from memory. */
export class TileView implements TreeState {
  readonly folder: TileFolder;
  private state: TreeState = { size: 0, edge: [] };

  constructor(folder: TileFolder) {
    this.folder = folder;
  }

  get size(): number {
    return this.state.size;
  }

  get edge(): readonly Uint8Array[] {
    return this.state.edge;
  }

  /** The tree has grown: the full tiles below the new size are in the folder. */
  show(state: TreeState): void {
    this.state = state;
  }

  root(): Uint8Array {
    return rootOf(this.read, this.size);
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
    const full = Math.floor(this.size / tileWidth ** (tileLevel + 1));
    const hashes = tile < full ? fullTile(this.folder, tileLevel, tile) : (this.edge[tileLevel] ?? new Uint8Array());
    const from = (start % tileWidth) * treeHashBytes;
    const part = hashes.subarray(from, from + width * treeHashBytes);
    if (tile > full || part.length !== width * treeHashBytes) {
      throw new LedgerError('absent', `subtree ${index} of level ${level} is outside the tree of ${this.size}`);
    }
    return subtreeRoot(part);
  };
}

/** The 256 hashes of a full tile. @throws LedgerError damaged */
export function fullTile(folder: TileFolder, level: number, index: number): Uint8Array {
  const bytes = folder.readFull(level, index);
  if (bytes?.length !== tileWidth * treeHashBytes) {
    throw new LedgerError('damaged', `full tile ${index} of level ${level} is absent or cut; run \`deed log fsck\``);
  }
  return bytes;
}

/** Root over 2^n hashes that stand one after the other. */
export function subtreeRoot(hashes: Uint8Array): Uint8Array {
  if (hashes.length === treeHashBytes) return hashes;
  const half = hashes.length / 2;
  return nodeHash(subtreeRoot(hashes.subarray(0, half)), subtreeRoot(hashes.subarray(half)));
}

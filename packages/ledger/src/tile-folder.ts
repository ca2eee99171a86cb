import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { createNew, makeFolder, replace, StoreError } from '@deed/store';
import { LedgerError } from './errors.ts';
import { type TileName, tilePath, tileWidth } from './tile-path.ts';

const folderMode = 0o755;
const fileMode = 0o644;
const cachedTiles = 512;
/** No such file, a file for a folder, a link for a file. */
const isAbsent: readonly string[] = ['ENOENT', 'ENOTDIR', 'ELOOP', 'EISDIR', 'ENXIO'];

/** The log's public folder: tiles, bundles and the checkpoint, at the paths of their URLs. */
export class TileFolder {
  readonly root: string;
  private readonly folders = new Set<string>();
  private readonly cache = new Map<string, Uint8Array>();

  constructor(root: string) {
    makeFolder(root, folderMode);
    this.root = fs.realpathSync(root);
  }

  /**
   * Writes a full tile once, durably, and drops the partial ones it replaces. A partial one is not fsynced: it can be made
   * again from the database.
   * @throws LedgerError damaged (there are other bytes under its name)
   */
  write(name: TileName, bytes: Uint8Array, options: { readonly repairPartial?: boolean } = {}): void {
    const path = join(this.root, tilePath(name));
    const isFull = name.width === tileWidth;
    this.makeFolder(dirname(path));
    try {
      createNew(path, bytes, { mode: fileMode, sync: isFull });
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      if (isFull || !options.repairPartial) {
        throw new LedgerError('damaged', `${path} differs from the database; run \`deed log fsck\``, { cause: error });
      }
      replace(path, bytes, { mode: fileMode, sync: false });
    }
    if (!isFull) return;
    fs.rmSync(`${path}.p`, { recursive: true, force: true });
    this.folders.delete(`${path}.p`);
  }

  /** A full tile of hashes, remembered; undefined if it is not there. */
  readFull(level: number, index: number): Uint8Array | undefined {
    const path = tilePath({ level, index, width: tileWidth });
    const known = this.cache.get(path);
    if (known) return known;
    const bytes = this.read(path);
    if (!bytes) return undefined;
    if (this.cache.size >= cachedTiles) this.cache.clear();
    this.cache.set(path, bytes);
    return bytes;
  }

  /** A file of the folder by its path in it; undefined if there is none, or if a link stands in its way. */
  read(path: string): Uint8Array | undefined {
    const full = join(this.root, path);
    let handle: number | undefined;
    try {
      if (fs.realpathSync(dirname(full)) !== dirname(full)) return undefined;
      handle = fs.openSync(full, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK);
      return fs.fstatSync(handle).isFile() ? fs.readFileSync(handle) : undefined;
    } catch (error) {
      if (error instanceof Error && 'code' in error && isAbsent.includes(String(error.code))) return undefined;
      throw error;
    } finally {
      if (handle !== undefined) fs.closeSync(handle);
    }
  }

  readCheckpoint(): string | undefined {
    const bytes = this.read('checkpoint');
    return bytes && Buffer.from(bytes).toString('utf8');
  }

  writeCheckpoint(note: string): void {
    replace(join(this.root, 'checkpoint'), Buffer.from(note), { mode: fileMode });
  }

  private makeFolder(path: string): void {
    if (this.folders.has(path)) return;
    makeFolder(path, folderMode);
    this.folders.add(path);
  }
}

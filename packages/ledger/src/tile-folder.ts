import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { createAllNew, createNew, makeFolder, type NewFile, replace, StoreError } from '@deed/store';
import { LedgerError } from './errors.ts';
import { type TileName, tilePath, tileWidth } from './tile-path.ts';

const folderMode = 0o755;
const fileMode = 0o644;
const cachedTiles = 512;
/** More full tiles than this do not wait. */
const flushedAtOnce = 64;
/** No such file, a file for a folder, a link for a file. */
const isAbsent: readonly string[] = ['ENOENT', 'ENOTDIR', 'ELOOP', 'EISDIR', 'ENXIO'];

/** The log's public folder: tiles, bundles and the checkpoint, at the paths of their URLs. */
export class TileFolder {
  readonly root: string;
  private readonly folders = new Set<string>();
  private readonly cache = new Map<string, Uint8Array>();
  private full: NewFile[] = [];

  constructor(root: string) {
    makeFolder(root, folderMode);
    this.root = fs.realpathSync(root);
  }

  /**
   * Takes a full tile, which {@link flush} writes; or writes a partial one at once. A partial one is not fsynced: it can be made
   * again from the database.
   * @throws LedgerError damaged (there are other bytes under its name)
   */
  write(name: TileName, bytes: Uint8Array, options: { readonly repairPartial?: boolean } = {}): void {
    const path = join(this.root, tilePath(name));
    this.makeFolder(dirname(path));
    if (name.width === tileWidth) {
      this.full.push({ path, bytes });
      if (this.full.length >= flushedAtOnce) this.flush();
      return;
    }
    try {
      createNew(path, bytes, { mode: fileMode, sync: false });
    } catch (error) {
      if (!(error instanceof StoreError) || !options.repairPartial) throw damageOf(error);
      replace(path, bytes, { mode: fileMode, sync: false });
    }
  }

  /** Writes the full tiles that were taken, each once and durably, and drops the partial ones they replace. @throws LedgerError damaged */
  flush(): void {
    const written = this.full;
    this.full = [];
    try {
      createAllNew(written, { mode: fileMode });
    } catch (error) {
      throw damageOf(error);
    }
    for (const { path } of written) {
      fs.rmSync(`${path}.p`, { recursive: true, force: true });
      this.folders.delete(`${path}.p`);
    }
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

function damageOf(error: unknown): unknown {
  if (!(error instanceof StoreError)) return error;
  return new LedgerError('damaged', `${error.message}: it differs from the database; run \`deed log fsck\``, {
    cause: error,
  });
}

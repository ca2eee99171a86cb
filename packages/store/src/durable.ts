/**
 * The one place that writes files which must survive a crash. The order of system calls, for both ways:
 *
 *   open(folder)                      held open, so that a write-back error of the folder cannot be lost with its inode
 *   open(temp, O_CREAT|O_EXCL)        random name in the same folder
 *   write, fsync(temp), close(temp)
 *   createNew: link(temp, path), unlink(temp)      replace: rename(temp, path)
 *   fsync(folder), close(folder)
 *
 * createAllNew takes each of these steps for all files before the next step.
 * After a crash a name holds all of its bytes or does not exist (replace: the old or the new bytes); at worst a temp is
 * left, which sweepTemps removes. With `sync: false` nothing is fsynced: for files that can be made again.
 */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { StoreError } from './errors.ts';

export interface WriteOptions {
  /** Permission bits of a new file. Default 0o600. */
  readonly mode?: number;
  /** Default true. */
  readonly sync?: boolean;
}

const tempPrefix = '.deed-tmp-';

/**
 * Writes a file that must not exist yet. A file that holds the same bytes already is fine.
 * @throws StoreError conflict (it holds other bytes)
 */
export function createNew(path: string, bytes: Uint8Array, options: WriteOptions = {}): 'created' | 'present' {
  return withTemp(path, bytes, options, (temp) => linkNew(temp, path, bytes));
}

export interface NewFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/**
 * As {@link createNew} for each of them, in a fraction of the time: all are written, then all fsynced, then all named, and each
 * folder is fsynced once. When it throws, some may have their names and none is promised.
 * @throws StoreError conflict
 */
export function createAllNew(files: readonly NewFile[], { mode = 0o600 }: Pick<WriteOptions, 'mode'> = {}): void {
  const folders = new Map<string, number>();
  const written: { readonly file: NewFile; readonly temp: string; readonly handle: number }[] = [];
  try {
    for (const file of files) {
      const folder = dirname(file.path);
      if (!folders.has(folder)) folders.set(folder, fs.openSync(folder, 'r'));
      const temp = tempIn(folder);
      const handle = fs.openSync(temp, 'wx', mode);
      written.push({ file, temp, handle });
      writeAll(handle, file.bytes);
    }
    for (const { handle } of written) fs.fsyncSync(handle);
    for (let one = written.shift(); one; one = written.shift()) {
      fs.closeSync(one.handle);
      linkNew(one.temp, one.file.path, one.file.bytes);
    }
    for (const handle of folders.values()) fs.fsyncSync(handle);
  } finally {
    for (const { handle, temp } of written) {
      fs.closeSync(handle);
      fs.rmSync(temp, { force: true });
    }
    for (const handle of folders.values()) fs.closeSync(handle);
  }
}

/** Names what lies in a temp, which goes in any case. */
function linkNew(temp: string, path: string, bytes: Uint8Array): 'created' | 'present' {
  try {
    fs.linkSync(temp, path);
    return 'created';
  } catch (error) {
    if (!isCode(error, 'EEXIST')) throw error;
    if (Buffer.compare(fs.readFileSync(path), bytes) === 0) return 'present';
    throw new StoreError('conflict', `${path} already holds other bytes; it is never overwritten`, { cause: error });
  } finally {
    fs.unlinkSync(temp);
  }
}

/** Puts the bytes under the name, whatever was there before. Readers see the old or the new bytes, never a mixture. */
export function replace(path: string, bytes: Uint8Array, options: WriteOptions = {}): void {
  withTemp(path, bytes, options, (temp) => fs.renameSync(temp, path));
}

/** Removes a file for good. False if there was none. */
export function remove(path: string): boolean {
  try {
    fs.unlinkSync(path);
  } catch (error) {
    if (isCode(error, 'ENOENT')) return false;
    throw error;
  }
  syncFolder(dirname(path));
  return true;
}

/**
 * Overwrites a file with zeros before it is removed. What the disk keeps of it elsewhere (a journal, copied blocks, worn cells)
 * is beyond a program. False if there was none.
 */
export function shred(path: string): boolean {
  let handle: number;
  try {
    handle = fs.openSync(path, 'r+');
  } catch (error) {
    if (isCode(error, 'ENOENT')) return false;
    throw error;
  }
  try {
    writeAll(handle, new Uint8Array(fs.fstatSync(handle).size));
    fs.fsyncSync(handle);
  } finally {
    fs.closeSync(handle);
  }
  return remove(path);
}

/** Makes a folder and its missing parents, each durable in its parent. Existing folders keep their mode. */
export function makeFolder(path: string, mode = 0o700): void {
  if (fs.existsSync(path)) return;
  const parent = dirname(path);
  if (parent !== path) makeFolder(parent, mode);
  try {
    fs.mkdirSync(path, { mode });
  } catch (error) {
    if (!isCode(error, 'EEXIST')) throw error;
  }
  syncFolder(parent);
}

/** Removes what a crash left behind in a folder and below it. Only for the one writer of the folder. Returns the count. */
export function sweepTemps(folder: string): number {
  let swept = 0;
  for (const item of fs.readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (!item.isFile() || !isTemp(item.name)) continue;
    fs.rmSync(join(item.parentPath, item.name), { force: true });
    swept++;
  }
  return swept;
}

/** A file that a write left behind, or is about to rename. */
export function isTemp(path: string): boolean {
  return basename(path).startsWith(tempPrefix);
}

/** A name that {@link sweepTemps} knows for one of ours. */
export function tempName(random: string): string {
  return `${tempPrefix}${random}`;
}

function tempIn(folder: string): string {
  return join(folder, tempName(randomBytes(8).toString('hex')));
}

function withTemp<T>(path: string, bytes: Uint8Array, options: WriteOptions, place: (temp: string) => T): T {
  const { mode = 0o600, sync = true } = options;
  const folder = dirname(path);
  const folderHandle = sync ? fs.openSync(folder, 'r') : undefined;
  try {
    const temp = tempIn(folder);
    const handle = fs.openSync(temp, 'wx', mode);
    try {
      writeAll(handle, bytes);
      if (sync) fs.fsyncSync(handle);
    } catch (error) {
      fs.rmSync(temp, { force: true });
      throw error;
    } finally {
      fs.closeSync(handle);
    }
    const result = place(temp);
    if (folderHandle !== undefined) fs.fsyncSync(folderHandle);
    return result;
  } finally {
    if (folderHandle !== undefined) fs.closeSync(folderHandle);
  }
}

function writeAll(handle: number, bytes: Uint8Array): void {
  let at = 0;
  while (at < bytes.length) at += fs.writeSync(handle, bytes, at);
}

/** Brings to the disk what was written without `sync`, or by somebody else. */
export function syncFile(path: string): void {
  const handle = fs.openSync(path, 'r');
  try {
    fs.fsyncSync(handle);
  } finally {
    fs.closeSync(handle);
  }
}

/** Brings a folder's names to the disk. */
export function syncFolder(path: string): void {
  const handle = fs.openSync(path, 'r');
  try {
    fs.fsyncSync(handle);
  } finally {
    fs.closeSync(handle);
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

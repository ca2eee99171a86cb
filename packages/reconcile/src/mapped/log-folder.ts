import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { ReconcileError } from '../errors.ts';

/** How much of a file's beginning, and of what was read last, is remembered to notice that it was changed. */
const markBytes = 64 * 1024;

/** How far a file was read. */
export interface FilePlace {
  readonly bytes: number;
  /** SHA-256 (hex) of its first bytes, and of those before the place, 64 KiB of each at the most. */
  readonly head: string;
  readonly tail: string;
}

export const startOfFile: FilePlace = { bytes: 0, head: '', tail: '' };

export interface NamedFile {
  /** Below the folder; empty if the log is one file. */
  readonly name: string;
  readonly path: string;
}

/** The files of a log, sorted by name: the file itself, or all below a folder whose names end so. */
export function filesOf(path: string, endings: RegExp): readonly NamedFile[] {
  try {
    if (!statSync(path).isDirectory()) return [{ name: '', path }];
    const entries = readdirSync(path, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile() && endings.test(entry.name))
      .map((entry) => join(entry.parentPath, entry.name))
      .map((file) => ({ name: relative(path, file).split(sep).join('/'), path: file }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (cause) {
    throw new ReconcileError('unreachable', `${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

/** An open file; what it holds may still grow. */
export class LogFile {
  readonly size: number;
  private readonly fd: number;

  /** @throws ReconcileError unreachable */
  constructor(path: string) {
    try {
      this.fd = openSync(path, 'r');
    } catch (cause) {
      throw new ReconcileError('unreachable', `${path} cannot be read: ${(cause as Error).message}`, { cause });
    }
    this.size = fstatSync(this.fd).size;
  }

  close(): void {
    closeSync(this.fd);
  }

  read(from: number, length: number): Uint8Array {
    const buffer = Buffer.allocUnsafe(Math.max(0, Math.min(length, this.size - from)));
    let filled = 0;
    while (filled < buffer.length) {
      const got = readSync(this.fd, buffer, filled, buffer.length - filled, from + filled);
      if (got === 0) break;
      filled += got;
    }
    return buffer.subarray(0, filled);
  }

  placeAt(bytes: number): FilePlace {
    const start = Math.max(0, bytes - markBytes);
    return {
      bytes,
      head: this.digest(0, Math.min(bytes, markBytes)),
      tail: this.digest(start, bytes - start),
    };
  }

  /** True if what was read before is there as it was. */
  continues(place: FilePlace): boolean {
    if (this.size < place.bytes) return false;
    if (place.bytes === 0) return true;
    const now = this.placeAt(place.bytes);
    return now.head === place.head && now.tail === place.tail;
  }

  private digest(from: number, length: number): string {
    return createHash('sha256').update(this.read(from, length)).digest('hex');
  }
}

/** A file, and from where it is read on. */
export interface PlacedFile {
  readonly file: NamedFile;
  readonly place: FilePlace | undefined;
  /** Why something of it may never have been read; null: nothing was lost. */
  readonly lost: string | null;
}

/**
 * Finds again what was read before, also under another name: logs are rotated. A file that is neither where it was nor anywhere else, or
 * whose past is another, may have held more than was read; what stands there now is read from its beginning.
 * @throws ReconcileError unreachable
 */
export function placesOf(
  files: readonly NamedFile[],
  known: Readonly<Record<string, FilePlace>>,
): readonly PlacedFile[] {
  const left = new Map(Object.entries(known).filter(([, place]) => place.bytes > 0));
  const placed = new Map<string, FilePlace>();
  const take = (file: NamedFile, name: string, place: FilePlace) => {
    if (placed.has(file.name) || !continues(file.path, place)) return;
    placed.set(file.name, place);
    left.delete(name);
  };
  for (const file of files) {
    const place = left.get(file.name);
    if (place) take(file, file.name, place);
  }
  for (const [name, place] of left) for (const file of files) if (left.has(name)) take(file, name, place);
  return files.map((file) => {
    const before = left.get(file.name);
    const lost = before
      ? `${file.name || 'the file'} shrank or its past was changed: the bytes before ${before.bytes} are not those read before`
      : null;
    return { file, place: placed.get(file.name), lost };
  });
}

function continues(path: string, place: FilePlace): boolean {
  const open = new LogFile(path);
  try {
    return open.continues(place);
  } finally {
    open.close();
  }
}

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';

/** How far a file was read, and the SHA-256 (hex) of all bytes before, so that a rewritten past is noticed. */
export interface FilePosition {
  readonly bytes: number;
  readonly lines: number;
  readonly sha256: string;
}

export interface LogLine {
  readonly offset: number;
  /** The exact bytes, newline excluded. */
  readonly raw: Uint8Array;
}

export interface LogFile {
  /** Every whole line from the start of the file. */
  readonly lines: readonly LogLine[];
  /** False when the bytes before the position are gone or are not the same: then nothing after it is trusted. */
  readonly continues: boolean;
  /** Bytes of a last line that has no newline yet; they are left for the next reading. */
  readonly unfinishedBytes: number;
  /** The position behind a line of `lines`, given by its index; -1 is the start. */
  after(index: number): FilePosition;
}

export const startOfFile: FilePosition = {
  bytes: 0,
  lines: 0,
  sha256: createHash('sha256').digest('hex'),
};

/** Reads a log of lines whole; a missing file is an empty one. Log files here are those of one small forge. */
export async function readLogFile(path: string, from: FilePosition): Promise<LogFile> {
  const bytes = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return Buffer.alloc(0);
    throw cause;
  });
  const lines: LogLine[] = [];
  let offset = 0;
  for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, offset)) {
    lines.push({ offset, raw: bytes.subarray(offset, end) });
    offset = end + 1;
  }
  const digest = (size: number): string => createHash('sha256').update(bytes.subarray(0, size)).digest('hex');
  return {
    lines,
    continues: from.bytes <= offset && digest(from.bytes) === from.sha256,
    unfinishedBytes: bytes.length - offset,
    after(index) {
      const line = lines[index];
      const size = line === undefined ? 0 : line.offset + line.raw.length + 1;
      return { bytes: size, lines: index + 1, sha256: digest(size) };
    },
  };
}

import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  lstatSync,
  openSync,
  readFileSync,
  readlinkSync,
  realpathSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { ServerError } from '@deed/server';
import { replace } from '@deed/store';

/** Larger configuration is not read. */
const maxBytes = 16 * 1024 * 1024;

/** A file of the one who types, as it was read. */
export interface OwnFile {
  /** Absolute, no symbolic link in it. */
  readonly path: string;
  readonly bytes: Uint8Array;
  /** The same, decoded: UTF-8 without a byte order mark. */
  readonly text: string;
  /** Permission bits. */
  readonly mode: number;
}

/**
 * Reads a configuration file that is to be rewritten. Only a plain file that belongs to the one who types and that nobody else can
 * write: who can, decides what your client starts.
 * @param missing what is taken for its content if it does not exist
 * @throws ServerError request, with the mend
 */
export function readOwnFile(name: string, { missing }: { readonly missing?: string } = {}): OwnFile {
  const given = resolve(name);
  if (missing !== undefined && existsSync(dirname(given)) && !lstatSync(given, { throwIfNoEntry: false })) {
    const path = join(realpathSync(dirname(given)), basename(given));
    return { path, bytes: new Uint8Array(), text: missing, mode: 0o600 };
  }
  const link = lstatSync(given).isSymbolicLink();
  if (link) throw refusal(given, `is a symbolic link to ${readlinkSync(given)}: name the file itself`);
  const path = realpathSync(given);
  const handle = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const { mode, uid, nlink, size } = fstatSync(handle);
    if ((mode & constants.S_IFMT) !== constants.S_IFREG) throw refusal(path, 'is no plain file');
    if (uid !== process.getuid?.()) throw refusal(path, 'belongs to somebody else: let its owner do this');
    if (nlink > 1) throw refusal(path, 'has another name too (a hard link), which would keep the old content');
    if ((mode & 0o022) !== 0)
      throw refusal(path, `can be written by others (mode ${(mode & 0o777).toString(8)}): chmod go-w ${path}`);
    if (size > maxBytes) throw refusal(path, 'is too large for a configuration');
    const bytes = new Uint8Array(readFileSync(handle));
    return { path, bytes, text: decode(path, bytes), mode: mode & 0o777 };
  } finally {
    closeSync(handle);
  }
}

/** Puts other content in its place, in one step and with its permissions. @throws ServerError request (it was changed since) */
export function replaceOwnFile(file: OwnFile, content: string | Uint8Array): void {
  const { path, bytes, mode } = file;
  const now = existsSync(path) ? readFileSync(path) : new Uint8Array();
  if (Buffer.compare(now, bytes) !== 0) throw refusal(path, 'was changed meanwhile: try again');
  const umask = process.umask(0); // the same permissions as before, whatever they were
  try {
    replace(path, typeof content === 'string' ? Buffer.from(content) : content, { mode });
  } finally {
    process.umask(umask);
  }
}

function decode(path: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw refusal(path, 'is not UTF-8');
  }
}

function refusal(path: string, why: string): ServerError {
  return new ServerError('request', `${path} ${why}`);
}

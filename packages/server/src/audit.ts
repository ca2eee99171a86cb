import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import {
  type AuditReport,
  auditLog,
  decodeEnvelope,
  type Envelope,
  indexOfStatement,
  members,
  openContainer,
  parseCheckpoint,
  parseNote,
  parseTrust,
} from '@deed/evidence';
import { readEntries, tilePath, tileWidth } from '@deed/ledger';
import { openReadOnly } from '@deed/store';
import { ServerError } from './errors.ts';

export interface AuditOptions {
  /** Where the log is published: the URL of its `/log/`, or a folder that holds the same files. */
  readonly log: string;
  /** The trust file's text. */
  readonly trust: string;
  /** Statements: a data folder (which has them all), or cases. */
  readonly dir?: string;
  readonly cases?: readonly string[];
}

const maxFileBytes = 16 * 1024 * 1024;
const readAtOnce = 512;

/**
 * `deed log audit`: reads the published log as anyone would and opens each entry with the statements given.
 * Memory: the statements, about 6 KB each.
 * @throws ServerError request (nothing to open with; the log cannot be read); EvidenceError trust, note, container
 */
export async function audit({ log, trust, dir, cases = [] }: AuditOptions): Promise<AuditReport> {
  if (dir === undefined && cases.length === 0) {
    throw new ServerError('request', 'name cases, or a data folder: without statements no leaf can be opened');
  }
  const read = readerOf(log);
  const note = (await read('checkpoint')).toString('utf8');
  const { size } = parseCheckpoint(parseNote(note).text);
  const leaves: Uint8Array[] = [];
  for (let at = 0; at < size; at += tileWidth) {
    const width = Math.min(tileWidth, size - at);
    const path = tilePath({ level: 'entries', index: at / tileWidth, width });
    const full = tilePath({ level: 'entries', index: at / tileWidth, width: tileWidth });
    // A log that has grown meanwhile may have dropped the partial bundle.
    const bundle = await read(path).catch((error: unknown) => {
      if (path === full) throw error;
      return read(full);
    });
    leaves.push(...split(bundle, path).slice(0, width));
  }
  const envelopes = dir === undefined ? fromCases(cases) : fromFolder(dir, size);
  return auditLog({ note, leaves, envelopes, trust: parseTrust(trust), whole: dir !== undefined });
}

type Read = (path: string) => Promise<Buffer>;

function readerOf(log: string): Read {
  if (!/^https?:\/\//.test(log)) {
    return async (path) => {
      const file = join(log, path);
      try {
        if (statSync(file).size <= maxFileBytes) return readFileSync(file);
      } catch (cause) {
        throw new ServerError('request', `${file} cannot be read: is ${log} the folder of a log?`, { cause });
      }
      throw new ServerError('request', `${file} is too large for a file of a log`);
    };
  }
  const base = log.endsWith('/') ? log : `${log}/`;
  return async (path) => {
    const url = new URL(path, base);
    const response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(30_000) }).catch(
      (cause: unknown) => {
        throw new ServerError('request', `${url} does not answer`, { cause });
      },
    );
    if (!response.ok) throw new ServerError('request', `${url} answers ${response.status}`);
    const parts: Uint8Array[] = [];
    let sizeBytes = 0;
    for await (const part of response.body ?? []) {
      sizeBytes += part.length;
      if (sizeBytes > maxFileBytes) throw new ServerError('request', `${url} is too large for a file of a log`);
      parts.push(part);
    }
    return Buffer.concat(parts);
  };
}

/** A bundle: each entry after its length in two bytes (C2SP tlog-tiles). */
function split(bundle: Buffer, path: string): readonly Uint8Array[] {
  const entries: Uint8Array[] = [];
  for (let at = 0; at < bundle.length; ) {
    const end = at + 2 <= bundle.length ? at + 2 + bundle.readUInt16BE(at) : Number.POSITIVE_INFINITY;
    if (end > bundle.length) throw new ServerError('request', `${path} ends in the middle of an entry`);
    entries.push(bundle.subarray(at + 2, end));
    at = end;
  }
  return entries;
}

type Given = { readonly envelope: Envelope; readonly from: string };

function* fromFolder(dir: string, size: number): Generator<Given> {
  const database = openReadOnly(dir);
  try {
    for (let at = 0; at < size; at += readAtOnce) {
      for (const { envelope, index } of readEntries(database, at, Math.min(size, at + readAtOnce))) {
        yield { envelope, from: `entry ${index} of ${dir}` };
      }
    }
  } finally {
    database.close();
  }
}

function* fromCases(cases: readonly string[]): Generator<Given> {
  for (const file of cases) {
    for (const [name, bytes] of openContainer(readFileSync(file))) {
      if (indexOfStatement(name) === undefined && name !== members.exported) continue;
      yield { envelope: decodeEnvelope(bytes), from: `${file}, ${name}` };
    }
  }
}

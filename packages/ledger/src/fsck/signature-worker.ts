import { parentPort, workerData } from 'node:worker_threads';
import { keyId, pae, verifyP256 } from '@deed/evidence';
import { openReadOnly } from '@deed/store';
import { readAtOnce } from './entries.ts';
import { maxProblems } from './found.ts';

/** The work of all threads. They take one range after the other, so that none is idle before the end. */
export interface Ranges {
  readonly folder: string;
  readonly size: number;
  /** How many ranges were taken: one 32-bit number. */
  readonly taken: SharedArrayBuffer;
}

export interface Verified {
  /** Indexes of the first thousand entries whose signature fails. */
  readonly unsigned: readonly number[];
  /** What SQLite said of a range that it could not read. */
  readonly unread: string | null;
}

interface Row {
  readonly idx: number;
  readonly key: number;
  readonly sig: Uint8Array;
  readonly body: Uint8Array;
}

const select = 'SELECT idx, key, sig, body FROM entry WHERE idx >= ? AND idx < ? ORDER BY idx';
const { folder, size, taken } = workerData as Ranges;
const counter = new Int32Array(taken);
const database = openReadOnly(folder);
const keys = new Map<number, { readonly spki: Uint8Array; readonly isNamed: boolean }>();
const unsigned: number[] = [];
let unread: string | null = null;
for (let at = take(); at < size; at = take()) {
  try {
    for (const row of database.all<Row>(select, at, Math.min(size, at + readAtOnce))) {
      if (unsigned.length < maxProblems && !isSigned(row)) unsigned.push(row.idx);
    }
  } catch (error) {
    unread ??= error instanceof Error ? error.message : String(error);
  }
}
database.close();
parentPort?.postMessage({ unsigned, unread } satisfies Verified);

/** As verifyEnvelope says it, with what is the same for all entries of a key asked once. */
function isSigned({ key: id, sig, body }: Row): boolean {
  const key = keys.get(id) ?? readKey(id);
  return key.isNamed && verifyP256(key.spki, pae(body), sig);
}

/** A row without a key ends the walk through the log, so nothing is said of it here. */
function readKey(id: number) {
  const row = database.get<{ keyid: string; spki: Uint8Array }>('SELECT keyid, spki FROM key WHERE id = ?', id);
  const key = { spki: row?.spki ?? new Uint8Array(), isNamed: row !== undefined && row.keyid === keyId(row.spki) };
  keys.set(id, key);
  return key;
}

function take(): number {
  return Atomics.add(counter, 0, 1) * readAtOnce;
}

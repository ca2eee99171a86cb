import { parentPort, workerData } from 'node:worker_threads';
import { verifyEnvelope } from '@deed/evidence';
import { openReadOnly } from '@deed/store';
import { readEntries } from '../entry.ts';
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

const { folder, size, taken } = workerData as Ranges;
const counter = new Int32Array(taken);
const database = openReadOnly(folder);
const unsigned: number[] = [];
let unread: string | null = null;
for (let at = take(); at < size; at = take()) {
  try {
    for (const { index, envelope, spki } of readEntries(database, at, Math.min(size, at + readAtOnce))) {
      if (unsigned.length < maxProblems && !verifyEnvelope(envelope, spki)) unsigned.push(index);
    }
  } catch (error) {
    unread ??= error instanceof Error ? error.message : String(error);
  }
}
database.close();
parentPort?.postMessage({ unsigned, unread } satisfies Verified);

function take(): number {
  return Atomics.add(counter, 0, 1) * readAtOnce;
}

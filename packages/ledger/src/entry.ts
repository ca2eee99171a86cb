import { type Envelope, encodeLeaf, leafHash, leafVersion, statementDigest } from '@deed/evidence';
import type { Reading } from '@deed/store';
import { LedgerError } from './errors.ts';

/** One line of the log, as the database holds it. */
export interface Entry {
  readonly index: number;
  /** `tsk_…`, `tsk_…/after` or the name of a series. */
  readonly series: string;
  readonly n: number;
  readonly envelope: Envelope;
  /** Signer's SPKI DER. */
  readonly spki: Uint8Array;
  readonly leafVersion: number;
}

interface EntryRow {
  readonly idx: number;
  readonly leaf_version: number;
  readonly series: string;
  readonly n: number;
  readonly keyid: string;
  readonly spki: Uint8Array;
  readonly sig: Uint8Array;
  readonly body: Uint8Array;
}

const select =
  'SELECT idx, leaf_version, series, n, keyid, spki, sig, body FROM entry JOIN key ON key.id = entry.key WHERE';

export function readEntry(database: Reading, index: number): Entry | undefined {
  const row = database.get<EntryRow>(`${select} idx = ?`, index);
  return row && toEntry(row);
}

/** Entries from `start` to before `end`, in the log's order. */
export function readEntries(database: Reading, start: number, end: number): readonly Entry[] {
  return database.all<EntryRow>(`${select} idx >= ? AND idx < ? ORDER BY idx`, start, end).map(toEntry);
}

/** Entries of a series with `from <= n <= to`. */
export function readSeries(database: Reading, series: string, from: number, to: number): readonly Entry[] {
  return database.all<EntryRow>(`${select} series = ? AND n >= ? AND n <= ? ORDER BY n`, series, from, to).map(toEntry);
}

/** The newest entry of a series. */
export function readSeriesHead(database: Reading, series: string): Entry | undefined {
  const row = database.get<EntryRow>(`${select} series = ? ORDER BY n DESC LIMIT 1`, series);
  return row && toEntry(row);
}

/** The leaf's bytes: the same for ever for the same row. @throws LedgerError damaged (unknown leaf version) */
export function leafOf(entry: Entry): Uint8Array {
  return leafWith(entry, statementDigest(entry.envelope.payload));
}

/** {@link leafOf}, for a caller who has the digest of the statement already. */
export function leafWith(entry: Entry, digest: Uint8Array): Uint8Array {
  if (entry.leafVersion !== leafVersion) {
    throw new LedgerError('damaged', `entry ${entry.index} has leaf version ${entry.leafVersion}, which is unknown`);
  }
  return encodeLeaf({ digest, signature: entry.envelope.signature, spki: entry.spki });
}

export function leafHashOf(entry: Entry): Uint8Array {
  return leafHash(leafOf(entry));
}

function toEntry(row: EntryRow): Entry {
  return {
    index: row.idx,
    series: row.series,
    n: row.n,
    envelope: { payload: row.body, keyid: row.keyid, signature: row.sig },
    spki: row.spki,
    leafVersion: row.leaf_version,
  };
}

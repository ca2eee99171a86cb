import type { SourceEvent } from '@deed/evidence';
import type { z } from 'zod';

/** One record as the source holds it. */
export interface SourceRecord {
  /** The exact bytes: hashed before anything is parsed. */
  readonly raw: Uint8Array;
  /** What the bytes say, by the connector's rule. */
  readonly event: SourceEvent;
}

/** A stretch of the source's own time of which records are missing. */
export interface Gap {
  readonly from: string;
  readonly to: string;
  /** How that is known, in words. */
  readonly why: string;
}

/** What one reading brought. */
export interface Reading<Position> {
  readonly records: readonly SourceRecord[];
  /** Where the next reading starts: plain data, kept in the transaction that keeps the records. */
  readonly to: Position;
  /** All that happened at the source before this time is in this reading or an earlier one. Null: nothing is known. */
  readonly watermark: string | null;
  /** What the source records at all, in words. What is not named here is not covered. */
  readonly coverage: readonly string[];
  /** What keeps this reading from being the whole truth, in words: a gap, a changed past, a line that is no record. */
  readonly problems: readonly string[];
  /** Where records are missing although the watermark is past it: what is not found there is no proof that it did not happen. */
  readonly gaps?: readonly Gap[];
  /** True while the source holds more than was read: a reading is bounded (`limit` records, and about 16 MiB). */
  readonly more: boolean;
}

/** One thing that a source needs, and whether it is there. */
export interface SourceCheck {
  readonly what: string;
  readonly ok: boolean;
  /** What was found; where it is not well, how to mend it. */
  readonly detail: string;
}

/**
 * How one kind of source is read. Four duties: read with resume, keep the raw bytes, normalise, say how far it reaches.
 * A record that cannot be understood is a problem and is passed over, never an exception; a source that cannot be reached
 * is a ReconcileError `unreachable`, and nothing moves.
 */
export interface Connector<Config, Position> {
  readonly kind: string;
  /** Rises whenever the same bytes would give another event. */
  readonly version: string;
  readonly config: z.ZodType<Config, unknown>;
  /** The position from which only what happens from now on is read. @throws ReconcileError unreachable */
  start(config: Config): Promise<Reading<Position>>;
  /** @throws ReconcileError unreachable */
  read(config: Config, from: Position, limit: number): Promise<Reading<Position>>;
  /** The mapping by which anybody can read its raw bytes again, where it has one: kept, and named by each batch. */
  rule?(config: Config): Uint8Array;
  /** Looks whether all is there that the source needs, where that can be looked at. @throws ReconcileError unreachable, source */
  check?(config: Config): Promise<readonly SourceCheck[]>;
  /** Its records are sent, and can be lost on the way: that one is not there proves nothing. */
  readonly isLossy?: boolean;
  /** By how much the source's clock may differ from ours where nothing else is configured, in milliseconds. */
  readonly skewMs: number;
}

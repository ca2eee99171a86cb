import { noPredecessor, statementDigest, toHex } from '@deed/evidence';
import type { Reading } from '@deed/store';
import { readEntry, readSeries, readSeriesHead } from './entry.ts';
import { LedgerError } from './errors.ts';

/** Where a task's statement or a statement of no task is to stand; its number is given by the ledger. */
export type Place = { readonly task: string; readonly chain: 'seq' | 'after' } | { readonly series: string };

/** The next free place of a series. */
export interface Reserved {
  readonly series: string;
  readonly n: number;
  readonly prev: string;
}

interface Head {
  /** Statements so far, those still to be committed included. */
  count: number;
  /** Digest of the newest of them. */
  last: string;
  /** Digest of the first: a task's `after` begins from it. */
  first: string;
  /** Statements not yet committed. While there are any, memory knows more than the database. */
  pending: number;
}

const rememberedSeries = 10_000;

/** The newest statement of each series, ahead of the database by what is being signed and committed. */
export class SeriesHeads {
  private readonly heads = new Map<string, Head>();
  private readonly database: Reading;

  constructor(database: Reading) {
    this.database = database;
  }

  /** Looks up the next place without taking it. @throws LedgerError draft (`after` of a task that was never opened) */
  next(place: Place): Reserved {
    const series = seriesName(place);
    const head = this.head(series);
    if (head.count > 0) return { series, n: head.count, prev: head.last };
    if (!('chain' in place) || place.chain === 'seq') return { series, n: 0, prev: noPredecessor };
    const opened = this.head(place.task);
    if (opened.count === 0) throw new LedgerError('draft', `task ${place.task} was never opened`);
    return { series, n: 0, prev: opened.first };
  }

  /** Takes the place that {@link next} gave, for the statement with this digest. */
  take(reserved: Reserved, digest: string): void {
    const head = this.head(reserved.series);
    if (head.count === 0) head.first = digest;
    head.count++;
    head.last = digest;
    head.pending++;
  }

  pending(series: string): number {
    return this.heads.get(series)?.pending ?? 0;
  }

  committed(series: string): void {
    const head = this.head(series);
    head.pending--;
    if (this.heads.size > rememberedSeries) this.forget();
  }

  private head(series: string): Head {
    let head = this.heads.get(series);
    if (!head) {
      const newest = readSeriesHead(this.database, series);
      const [first] = newest ? readSeries(this.database, series, 0, 0) : [];
      head = {
        count: newest ? newest.n + 1 : 0,
        last: newest ? digestOf(newest.envelope.payload) : noPredecessor,
        first: first ? digestOf(first.envelope.payload) : noPredecessor,
        pending: 0,
      };
      this.heads.set(series, head);
    }
    return head;
  }

  private forget(): void {
    for (const [series, head] of this.heads) {
      if (head.pending === 0) this.heads.delete(series);
      if (this.heads.size <= rememberedSeries / 2) return;
    }
  }
}

/** Time of the newest entry in milliseconds, 0 for an empty log: no later statement may be earlier. */
export function newestTimeMs(database: Reading, size: number): number {
  const entry = size > 0 ? readEntry(database, size - 1) : undefined;
  if (!entry) return 0;
  const statement: { predicate: { time: string } } = JSON.parse(Buffer.from(entry.envelope.payload).toString('utf8'));
  return Date.parse(statement.predicate.time);
}

function seriesName(place: Place): string {
  if ('series' in place) return place.series;
  return place.chain === 'seq' ? place.task : `${place.task}/after`;
}

function digestOf(payload: Uint8Array): string {
  return toHex(statementDigest(payload));
}

import { noPredecessor, statementDigest, toHex } from '@deed/evidence';
import type { Reading } from '@deed/store';
import type { Entry } from '../entry.ts';

/** Where a series stands before its next entry. */
export interface SeriesEnd {
  /** Number of the next entry. */
  readonly count: number;
  /** Digest of the last one, or what stands for it. */
  readonly last: string;
  /** Digest of the first one; null if it is to be asked for. */
  readonly first: string | null;
}

interface Row {
  readonly n: number;
  readonly body: Uint8Array;
}

const keptSeries = 1024;

/** The ends of all series on the way through the log: those in use from memory, a long forgotten one from the rows again. */
export class SeriesEnds {
  private readonly database: Reading;
  private readonly kept: number;
  private readonly ends = new Map<string, SeriesEnd>();

  constructor(database: Reading, kept = keptSeries) {
    this.database = database;
    this.kept = kept;
  }

  /** The end of the entry's series before that entry. A task's `after` begins from the digest of its task-opened. */
  before({ series, n, index }: Entry): SeriesEnd {
    const known = this.ends.get(series);
    if (known) return known;
    const previous = this.at(series, n - 1, index) ?? this.newest(series, index);
    if (previous) return { count: previous.n + 1, last: digestOf(previous), first: null };
    const task = /^(.+)\/after$/.exec(series)?.[1];
    return { count: 0, last: task === undefined ? noPredecessor : this.first(task, index), first: '' };
  }

  put({ series, n }: Entry, digest: string, { count, first }: SeriesEnd): void {
    this.ends.delete(series);
    if (this.ends.size >= this.kept) {
      const [longestUnused = ''] = this.ends.keys();
      this.ends.delete(longestUnused);
    }
    this.ends.set(series, { count: n + 1, last: digest, first: count === 0 ? digest : first });
  }

  private first(series: string, before: number): string {
    const known = this.ends.get(series)?.first;
    if (known) return known;
    const row = this.at(series, 0, before);
    return row ? digestOf(row) : 'no task-opened';
  }

  private at(series: string, n: number, before: number): Row | undefined {
    return this.database.get('SELECT n, body FROM entry WHERE series = ? AND n = ? AND idx < ?', series, n, before);
  }

  private newest(series: string, before: number): Row | undefined {
    const sql = 'SELECT n, body FROM entry WHERE series = ? AND idx < ? ORDER BY n DESC LIMIT 1';
    return this.database.get(sql, series, before);
  }
}

function digestOf({ body }: Row): string {
  return toHex(statementDigest(body));
}

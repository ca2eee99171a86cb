import { statementDigest, toHex } from '@deed/evidence';
import type { ReadDatabase } from '@deed/store';
import { type Entry, leafWith, readEntries } from '../entry.ts';
import type { Examined } from './examined.ts';
import { SeriesEnds } from './series-ends.ts';

interface Header {
  readonly origin?: unknown;
  readonly prev?: unknown;
  readonly task?: unknown;
  readonly seq?: unknown;
  readonly after?: unknown;
  readonly series?: unknown;
  readonly n?: unknown;
}

/** Few, so that they are forgotten before V8 takes them for something that stays. */
export const readAtOnce = 64;

export interface EntryChecks {
  readonly origin: string;
  /** Whether the signature holds: asked first for each entry, in their order. */
  isSigned(entry: Entry): boolean;
  /** A sound row's leaf, in the order of the log. */
  leaf(leaf: Uint8Array): void;
  /** After the entry was looked at. */
  done(entry: Entry): void;
  /** How many series it keeps in mind. */
  readonly keptSeries?: number | undefined;
}

/** Checks every row, as far as there are rows without a gap. Returns how many these are. */
export function checkEntries(
  database: ReadDatabase,
  size: number,
  { origin, isSigned, leaf, done, keptSeries }: EntryChecks,
  add: Examined['add'],
): number {
  const rows = database.get<{ count: number }>('SELECT count(*) AS count FROM entry WHERE idx < ?', size)?.count ?? 0;
  if (rows !== size) add('entry', `entry ${rows}`, `the head counts ${size} entries, ${rows} are there`);
  const series = new SeriesEnds(database, keptSeries);
  let next = 0;
  for (let at = 0; at < size; at += readAtOnce) {
    for (const entry of readEntries(database, at, Math.min(size, at + readAtOnce))) {
      if (entry.index !== next) {
        add('entry', `entry ${next}`, `absent; the next row is ${entry.index}, or its key is absent`);
        return next;
      }
      const digest = statementDigest(entry.envelope.payload);
      try {
        leaf(leafWith(entry, digest));
      } catch (error) {
        add('entry', `entry ${entry.index}`, error instanceof Error ? error.message : String(error));
        return next;
      }
      next++;
      if (!isSigned(entry)) add('entry', `entry ${entry.index}`, 'the signature does not verify');
      for (const what of faults(entry, toHex(digest), origin, series)) add('entry', `entry ${entry.index}`, what);
      done(entry);
    }
  }
  return next;
}

/** What is wrong with its place. */
function faults(entry: Entry, digest: string, origin: string, series: SeriesEnds): readonly string[] {
  const found: string[] = [];
  const end = series.before(entry);
  if (entry.n !== end.count) found.push(`is number ${entry.n} of ${entry.series}, expected ${end.count}`);
  const header = headerOf(entry);
  if (!header) found.push('the statement is not JSON with a header');
  else {
    if (header.prev !== end.last) found.push('prev is not the digest of the statement before');
    if (header.origin !== origin) found.push(`names the origin ${String(header.origin)}`);
    const place = placeOf(header);
    if (place !== `${entry.series} ${entry.n}`)
      found.push(`says it stands at ${place}, the row at ${entry.series} ${entry.n}`);
  }
  series.put(entry, digest, end);
  return found;
}

function headerOf(entry: Entry): Header | undefined {
  try {
    const statement: { readonly predicate?: Header } = JSON.parse(Buffer.from(entry.envelope.payload).toString('utf8'));
    return statement.predicate;
  } catch {
    return undefined;
  }
}

function placeOf(header: Header): string {
  if (header.series !== undefined) return `${String(header.series)} ${String(header.n)}`;
  if (header.after !== undefined) return `${String(header.task)}/after ${String(header.after)}`;
  return `${String(header.task)} ${String(header.seq)}`;
}

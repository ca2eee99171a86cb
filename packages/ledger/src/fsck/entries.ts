import { noPredecessor, statementDigest, toHex, verifyEnvelope } from '@deed/evidence';
import type { ReadDatabase } from '@deed/store';
import { type Entry, leafHashOf, readEntries } from '../entry.ts';
import type { Examined } from './examined.ts';

interface SeriesState {
  readonly count: number;
  readonly last: string;
  readonly first: string;
}

interface Header {
  readonly origin?: unknown;
  readonly prev?: unknown;
  readonly task?: unknown;
  readonly seq?: unknown;
  readonly after?: unknown;
  readonly series?: unknown;
  readonly n?: unknown;
}

const readAtOnce = 512;

/** Checks every row and returns the leaf hashes, as far as there are rows without a gap. */
export function checkEntries(
  database: ReadDatabase,
  size: number,
  origin: string,
  add: Examined['add'],
  onEntry: (entry: Entry) => void = () => {},
): readonly Uint8Array[] {
  const rows = database.get<{ count: number }>('SELECT count(*) AS count FROM entry WHERE idx < ?', size)?.count ?? 0;
  if (rows !== size) add('entry', `entry ${rows}`, `the head counts ${size} entries, ${rows} are there`);
  const leafHashes: Uint8Array[] = [];
  const series = new Map<string, SeriesState>();
  for (let at = 0; at < size; at += readAtOnce) {
    for (const entry of readEntries(database, at, Math.min(size, at + readAtOnce))) {
      if (entry.index !== leafHashes.length) {
        add('entry', `entry ${leafHashes.length}`, `absent; the next row is ${entry.index}, or its key is absent`);
        return leafHashes;
      }
      try {
        leafHashes.push(leafHashOf(entry));
      } catch (error) {
        add('entry', `entry ${entry.index}`, error instanceof Error ? error.message : String(error));
        return leafHashes;
      }
      for (const what of faults(entry, origin, series)) add('entry', `entry ${entry.index}`, what);
      onEntry(entry);
    }
  }
  return leafHashes;
}

function faults(entry: Entry, origin: string, series: Map<string, SeriesState>): readonly string[] {
  const found: string[] = [];
  if (!verifyEnvelope(entry.envelope, entry.spki)) found.push('the signature does not verify');
  const state = series.get(entry.series) ?? begun(entry, series);
  const digest = toHex(statementDigest(entry.envelope.payload));
  if (entry.n !== state.count) found.push(`is number ${entry.n} of ${entry.series}, expected ${state.count}`);
  const header = headerOf(entry);
  if (!header) found.push('the statement is not JSON with a header');
  else {
    if (header.prev !== state.last) found.push('prev is not the digest of the statement before');
    if (header.origin !== origin) found.push(`names the origin ${String(header.origin)}`);
    const place = placeOf(header);
    if (place !== `${entry.series} ${entry.n}`)
      found.push(`says it stands at ${place}, the row at ${entry.series} ${entry.n}`);
  }
  series.set(entry.series, {
    count: entry.n + 1,
    last: digest,
    first: state.count === 0 ? digest : state.first,
  });
  return found;
}

/** A task's `after` begins from the digest of its task-opened. */
function begun(entry: Entry, series: ReadonlyMap<string, SeriesState>): SeriesState {
  const task = /^(.+)\/after$/.exec(entry.series)?.[1];
  const last = task === undefined ? noPredecessor : (series.get(task)?.first ?? 'no task-opened');
  return { count: 0, last, first: '' };
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

import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative, sep } from 'node:path';
import { DeedError, parseStatement, parseVkey, verifyEnvelope } from '@deed/evidence';
import { isTemp, openReadOnly, type ReadDatabase, StoreError } from '@deed/store';
import type { Entry } from '../entry.ts';
import { readLogKeySpans } from '../log-key-spans.ts';
import { checkCheckpoints } from './checkpoints.ts';
import { checkEntries, type EntryChecks } from './entries.ts';
import type { Examined, Problem } from './examined.ts';
import { FolderComparison } from './files.ts';
import { type Found, inOrder, maxProblems } from './found.ts';
import type { RoomExamination } from './room.ts';
import { verifyOnThreads } from './signatures.ts';
import { checkTimestamps } from './timestamps.ts';

export interface FsckReport {
  /** No problem but unfinished ones. */
  readonly ok: boolean;
  readonly entries: number;
  readonly publishedSize: number;
  readonly problems: readonly Problem[];
}

/** What the ledger itself answers for. */
export const ledgerTables = [
  'key',
  'entry',
  'head',
  'checkpoint',
  'log_key',
  'witness_key',
  'meta',
  'migration',
  'timestamp',
] as const;
const ledgerFile = /^(log\/.*|deed\.db(-wal|-shm)?|lock\.db(-journal)?|lock\.pid)$/;

export interface FsckOptions {
  /** The log's and witnesses' keys to accept. Default: those that the database itself names. */
  readonly trustedVkeys?: readonly string[];
  /** The rooms above, each with its own tables and files. Without any, only the log is examined. */
  readonly rooms?: readonly RoomExamination[];
  /** How many series are kept in mind at once; a forgotten one is asked of the database again. */
  readonly keptSeries?: number;
  /** Called between small pieces of work: who wants it slow sleeps there. */
  readonly breathe?: () => void;
}

/**
 * Derives everything again from the database's rows and compares: every statement's signature and place, every tile and
 * bundle, every checkpoint; then what each room says of its tables and files. Only reads; a server may run meanwhile: rows
 * are read as one transaction sees them. Memory does not grow with the log, but for the tables of the rooms: those are held
 * whole.
 * @throws StoreError absent, newer
 */
export function fsck(folder: string, options: FsckOptions = {}): FsckReport {
  const examined = examine(folder, options, ({ envelope, spki }) => verifyEnvelope(envelope, spki));
  return reportOf(examined, inOrder(examined.found));
}

/** Fewer entries are verified before a thread has begun. */
const worthThreads = 8192;

export interface ThreadOptions extends Omit<FsckOptions, 'breathe'> {
  /** Default: one for each processor. */
  readonly threads?: number;
  /** Entries from which on there are threads. */
  readonly worthThreads?: number;
}

/** {@link fsck} as fast as the machine goes: signatures are verified by threads of their own. The same report. */
export async function fsckOnAllCores(folder: string, options: ThreadOptions = {}): Promise<FsckReport> {
  const size = sizeOf(folder);
  if (size < (options.worthThreads ?? worthThreads)) return fsck(folder, options);
  const verifying = verifyOnThreads(folder, size, options.threads ?? availableParallelism());
  try {
    const examined = examine(folder, options, () => true, size);
    const { unsigned, unread } = await verifying.done;
    const problems = inOrder(
      examined.found,
      unsigned.filter((index) => index < examined.reached),
    );
    if (unread !== null && problems.every(({ code }) => code !== 'database')) {
      problems.push({ code: 'database', where: 'deed.db', what: unread });
    }
    return reportOf(examined, problems);
  } finally {
    await verifying.stop();
  }
}

function reportOf({ entries, publishedSize }: Examination, problems: readonly Problem[]): FsckReport {
  return { ok: problems.every(({ code }) => code === 'unfinished'), entries, publishedSize, problems };
}

/** 0 where the database does not tell, which is said elsewhere. */
function sizeOf(folder: string): number {
  const database = openReadOnly(folder);
  try {
    return database.get<{ size: number }>('SELECT size FROM head')?.size ?? 0;
  } catch (error) {
    if (isDamage(error)) return 0;
    throw error;
  } finally {
    database.close();
  }
}

interface Examination {
  /** As many as are there without a gap; 0 if the database cannot be read. */
  readonly entries: number;
  readonly publishedSize: number;
  /** Entries that were looked at before anything ended it. */
  readonly reached: number;
  readonly found: readonly Found[];
}

function examine(
  folder: string,
  { trustedVkeys, rooms = [], breathe = () => {}, keptSeries }: FsckOptions,
  isSigned: (entry: Entry) => boolean,
  atMost = Number.POSITIVE_INFINITY,
): Examination {
  const found: Found[] = [];
  let at = -1;
  const add: Examined['add'] = (code, where, what) => {
    if (found.length < maxProblems) found.push({ at, problem: { code, where, what } });
  };
  let reached = 0;
  const open: ReadDatabase[] = [];
  const reader = (): ReadDatabase => {
    const made = openReadOnly(folder);
    open.push(made);
    return made;
  };
  try {
    const [database, snapshot] = [reader(), reader()];
    for (const { integrity_check: line } of database.all<{ integrity_check: string }>('PRAGMA integrity_check')) {
      if (line !== 'ok') add('database', 'deed.db', line);
    }
    snapshot.get('BEGIN');
    const size = Math.min(atMost, snapshot.get<{ size: number }>('SELECT size FROM head')?.size ?? 0);
    const logKeys = readLogKeySpans(database);
    const witnessVkeys = database.all<{ vkey: string }>('SELECT vkey FROM witness_key').map((row) => row.vkey);
    const keys = (trustedVkeys ?? [...logKeys.map(({ vkey }) => vkey), ...witnessVkeys]).map(parseVkey);
    const origin = keys.find((key) => key.type === 1)?.name ?? '';
    // A folder that was made and never served has the tables of the first rooms only.
    const isMade = ({ tables }: RoomExamination) =>
      tables.length === 0 || tables.some((name) => snapshot.get('SELECT 1 FROM sqlite_schema WHERE name = ?', name));
    const begun = rooms.filter(isMade).map((room) => room.begin({ folder, database: snapshot, add, breathe }));
    const files = new FolderComparison(join(folder, 'log'));
    const checks: EntryChecks = {
      origin,
      keptSeries,
      leaf: (leaf) => files.append(leaf),
      isSigned(entry) {
        at = entry.index;
        reached = at + 1;
        return isSigned(entry);
      },
      done({ index, envelope }) {
        if (index % 256 === 0) breathe();
        if (begun.length === 0) return;
        try {
          const statement = parseStatement(envelope.payload);
          for (const room of begun) room.statement({ index, statement });
        } catch (error) {
          if (!(error instanceof DeedError)) throw error;
          add('entry', `entry ${index}`, error.message);
        }
      },
    };
    checkEntries(snapshot, size, checks, add);
    at = Number.POSITIVE_INFINITY;
    if (rooms.length > 0) checkOwners(folder, database, rooms, add);
    for (const room of begun) room.end();
    if (reached < size) return { entries: reached, publishedSize: 0, reached, found };
    files.end();
    const examined: Examined = {
      database,
      logFolder: join(folder, 'log'),
      size,
      tree: files.tree(snapshot),
      add,
      breathe,
    };
    const publishedSize = checkCheckpoints(examined, keys, origin);
    checkTimestamps(database, add);
    files.report(examined, publishedSize);
    return { entries: size, publishedSize, reached, found };
  } catch (error) {
    if (!isDamage(error)) throw error;
    at = Number.POSITIVE_INFINITY;
    add('database', 'deed.db', error.message);
    return { entries: 0, publishedSize: 0, reached, found };
  } finally {
    for (const one of open) one.close();
  }
}

/** What SQLite, or the reading of a vkey, says of a damaged database. */
function isDamage(error: unknown): error is Error {
  if (!(error instanceof Error) || !('code' in error)) return false;
  return error.code === 'ERR_SQLITE_ERROR' || (error instanceof DeedError && !(error instanceof StoreError));
}

/** Each table and each file has a room that answers for it; what nobody knows is a stray. */
function checkOwners(
  folder: string,
  database: ReadDatabase,
  rooms: readonly RoomExamination[],
  add: Examined['add'],
): void {
  const known = new Set<string>([...ledgerTables, ...rooms.flatMap(({ tables }) => tables)]);
  for (const { name } of database.all<{ name: string }>(
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
  )) {
    if (!known.has(name)) add('stray', `table ${name}`, 'no room knows this table');
  }
  for (const item of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (item.isDirectory()) continue;
    const path = relative(folder, join(item.parentPath, item.name)).split(sep).join('/');
    if (ledgerFile.test(path) || rooms.some((room) => room.owns(path))) continue;
    if (isTemp(path)) add('unfinished', path, 'a write that did not end');
    else add('stray', path, 'no file of a data folder has this name');
  }
}

import { readdirSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { DeedError, memoryTree, parseStatement, parseVkey } from '@deed/evidence';
import { isTemp, openReadOnly, type ReadDatabase, StoreError } from '@deed/store';
import { readLogKeySpans } from '../log-key-spans.ts';
import { checkCheckpoints } from './checkpoints.ts';
import { checkEntries } from './entries.ts';
import type { Examined, Problem } from './examined.ts';
import { checkFiles } from './files.ts';
import type { RoomExamination } from './room.ts';

export interface FsckReport {
  /** No problem but unfinished ones. */
  readonly ok: boolean;
  readonly entries: number;
  readonly publishedSize: number;
  readonly problems: readonly Problem[];
}

const maxProblems = 1000;

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
  /** Called between small pieces of work: who wants it slow sleeps there. */
  readonly breathe?: () => void;
}

/**
 * Derives everything again from the database's rows and compares: every statement's signature and place, every tile and
 * bundle, every checkpoint; then what each room says of its tables and files. Only reads; a server may run meanwhile: rows
 * are read as one transaction sees them. Memory: about 200 bytes an entry, and a row of each table.
 * @throws StoreError absent, newer
 */
export function fsck(folder: string, options: FsckOptions = {}): FsckReport {
  const problems: Problem[] = [];
  const add: Examined['add'] = (code, where, what) => {
    if (problems.length < maxProblems) problems.push({ code, where, what });
  };
  const report = (entries: number, publishedSize: number) => ({
    ok: problems.every(({ code }) => code === 'unfinished'),
    entries,
    publishedSize,
    problems,
  });
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
    const size = snapshot.get<{ size: number }>('SELECT size FROM head')?.size ?? 0;
    const logKeys = readLogKeySpans(database);
    const witnessVkeys = database.all<{ vkey: string }>('SELECT vkey FROM witness_key').map((row) => row.vkey);
    const keys = (options.trustedVkeys ?? [...logKeys.map(({ vkey }) => vkey), ...witnessVkeys]).map(parseVkey);
    const origin = keys.find((key) => key.type === 1)?.name ?? '';
    const { rooms = [], breathe = () => {} } = options;
    // A folder that was made and never served has the tables of the first rooms only.
    const isMade = ({ tables }: RoomExamination) =>
      tables.length === 0 || tables.some((name) => snapshot.get('SELECT 1 FROM sqlite_schema WHERE name = ?', name));
    const begun = rooms.filter(isMade).map((room) => room.begin({ folder, database: snapshot, add, breathe }));
    const leafHashes = checkEntries(snapshot, size, origin, add, ({ index, envelope }) => {
      if (index % 256 === 0) breathe();
      if (begun.length === 0) return;
      try {
        const statement = parseStatement(envelope.payload);
        for (const room of begun) room.statement({ index, statement });
      } catch (error) {
        if (!(error instanceof DeedError)) throw error;
        add('entry', `entry ${index}`, error.message);
      }
    });
    if (rooms.length > 0) checkOwners(folder, database, rooms, add);
    for (const room of begun) room.end();
    if (leafHashes.length < size) return report(leafHashes.length, 0);
    const examined: Examined = {
      database,
      logFolder: join(folder, 'log'),
      size,
      tree: memoryTree(leafHashes),
      add,
      breathe,
    };
    const publishedSize = checkCheckpoints(examined, keys, origin);
    checkFiles(examined, publishedSize);
    return report(size, publishedSize);
  } catch (error) {
    if (!isDamage(error)) throw error;
    add('database', 'deed.db', error.message);
    return report(0, 0);
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

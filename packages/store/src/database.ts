import * as fs from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { createNew, makeFolder } from './durable.ts';
import { StoreError } from './errors.ts';

/** Numbered per room and never changed once released: `{ id: 'ledger/1', up: 'CREATE TABLE ...' }`. */
export interface Migration {
  readonly id: string;
  readonly up: string;
}

export type SqlValue = SQLInputValue;

/** Reads SQL. Rows come back as the caller's declared shape, unchecked; blobs are Uint8Array. */
export interface Reading {
  get<Row>(sql: string, ...values: readonly SqlValue[]): Row | undefined;
  all<Row>(sql: string, ...values: readonly SqlValue[]): readonly Row[];
}

/** The inside of the one transaction door. */
export interface Transaction extends Reading {
  /** Returns how many rows changed. */
  run(sql: string, ...values: readonly SqlValue[]): number;
}

export interface ReadDatabase extends Reading {
  close(): void;
}

export interface Database extends ReadDatabase {
  /**
   * Runs `work` in one durable transaction; what it throws undoes everything and is thrown on. Synchronous: no await inside.
   * @throws StoreError fatal: the commit itself failed, nobody knows what the disk holds, and the process must end
   */
  transaction<T>(work: (tx: Transaction) => T): T;
  /**
   * Takes what was deleted off the disk. Deleted content is overwritten where it lay, and this empties the write-ahead log, which
   * holds pages as they were. SQLite may have left a copy of a row where it moved others about: given bytes by which the
   * deleted rows are known (`traces`), this looks for them, and makes the whole file anew where it finds one.
   * @throws StoreError busy (a reader holds the log)
   */
  purge(traces?: readonly Uint8Array[]): void;
  /** As {@link purge}, and makes the whole file anew. */
  rebuild(): void;
  /** A second connection that sees committed rows only. */
  readOnly(): ReadDatabase;
}

export interface DatabaseOptions {
  readonly migrations: readonly Migration[];
  /** Default `deed.db`. */
  readonly file?: string;
  /** How long to wait for another process's transaction, milliseconds. Default 5000. */
  readonly busyMs?: number;
}

/** Raised when a change to the folder makes older versions unable to work with it. */
const formatNumber = 1;
const defaultFile = 'deed.db';

/**
 * Opens the folder's database for writing (WAL, every commit fsynced) and brings it up to date.
 * @throws StoreError newer
 */
export function openDatabase(folder: string, options: DatabaseOptions): Database {
  makeFolder(folder);
  const path = join(folder, options.file ?? defaultFile);
  // SQLite would make it readable by others; the WAL takes over this mode.
  if (!fs.existsSync(path)) createNew(path, new Uint8Array(), { mode: 0o600 });
  const connection = new DatabaseSync(path, { timeout: options.busyMs ?? 5000 });
  try {
    connection.exec(
      'PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA fullfsync=TRUE; PRAGMA foreign_keys=ON; PRAGMA secure_delete=ON',
    );
    migrate(connection, options.migrations);
  } catch (error) {
    connection.close();
    throw error;
  }
  return new SqliteDatabase(connection, path);
}

/** Opens an existing database for reading, with or without a writer beside it. @throws StoreError newer, absent */
export function openReadOnly(folder: string, file = defaultFile): ReadDatabase {
  const path = join(folder, file);
  if (!fs.existsSync(path)) throw new StoreError('absent', `${path} does not exist; is this the data folder?`);
  const connection = new DatabaseSync(path, { readOnly: true, timeout: 5000 });
  try {
    checkFormat(connection);
  } catch (error) {
    connection.close();
    throw error;
  }
  return new Connection(connection);
}

class Connection implements ReadDatabase {
  protected readonly connection: DatabaseSync;
  private readonly statements = new Map<string, StatementSync>();

  constructor(connection: DatabaseSync) {
    this.connection = connection;
  }

  get<Row>(sql: string, ...values: readonly SqlValue[]): Row | undefined {
    return this.prepared(sql).get(...values) as Row | undefined;
  }

  all<Row>(sql: string, ...values: readonly SqlValue[]): readonly Row[] {
    return this.prepared(sql).all(...values) as Row[];
  }

  close(): void {
    this.statements.clear();
    this.connection.close();
  }

  protected prepared(sql: string): StatementSync {
    let statement = this.statements.get(sql);
    if (!statement) {
      statement = this.connection.prepare(sql);
      this.statements.set(sql, statement);
    }
    return statement;
  }
}

class SqliteDatabase extends Connection implements Database {
  private readonly path: string;
  private broken: unknown;
  private inside = false;

  constructor(connection: DatabaseSync, path: string) {
    super(connection);
    this.path = path;
  }

  transaction<T>(work: (tx: Transaction) => T): T {
    if (this.broken) throw fatal('the database failed before', this.broken);
    if (this.inside) throw new Error('transactions do not nest');
    this.prepared('BEGIN IMMEDIATE').run();
    this.inside = true;
    try {
      let result: T;
      try {
        result = work(this);
      } catch (error) {
        this.end('ROLLBACK');
        throw error;
      }
      this.end('COMMIT');
      return result;
    } finally {
      this.inside = false;
    }
  }

  run(sql: string, ...values: readonly SqlValue[]): number {
    if (!this.inside) throw new Error('writes go through transaction()');
    return Number(this.prepared(sql).run(...values).changes);
  }

  purge(traces: readonly Uint8Array[] = []): void {
    const { busy } = this.prepared('PRAGMA wal_checkpoint(TRUNCATE)').get() as { busy: number };
    if (busy !== 0) throw new StoreError('busy', 'a reader holds the write-ahead log of the database; try again');
    if (traces.length > 0 && fileHolds(this.path, traces)) this.rebuild();
  }

  rebuild(): void {
    this.connection.exec('VACUUM');
    this.purge();
  }

  readOnly(): ReadDatabase {
    return new Connection(new DatabaseSync(this.path, { readOnly: true, timeout: 5000 }));
  }

  private end(how: 'COMMIT' | 'ROLLBACK'): void {
    try {
      this.prepared(how).run();
    } catch (cause) {
      this.broken = cause;
      throw fatal(`${how} failed`, cause);
    }
  }
}

const scanBytes = 4 * 1024 * 1024;

/** True if any of the traces stands in the file. Reads in pieces that overlap by the longest trace. */
function fileHolds(path: string, traces: readonly Uint8Array[]): boolean {
  const wanted = traces.map((trace) => Buffer.from(trace));
  const overlap = Math.max(...traces.map(({ length }) => length));
  const buffer = Buffer.alloc(scanBytes + overlap);
  const handle = fs.openSync(path, 'r');
  try {
    for (let at = 0; ; at += scanBytes) {
      const piece = buffer.subarray(0, fs.readSync(handle, buffer, 0, buffer.length, at));
      if (wanted.some((trace) => piece.includes(trace))) return true;
      if (piece.length <= scanBytes) return false;
    }
  } finally {
    fs.closeSync(handle);
  }
}

function migrate(connection: DatabaseSync, migrations: readonly Migration[]): void {
  connection.exec('BEGIN IMMEDIATE');
  try {
    checkFormat(connection);
    connection.exec(`
      CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
      CREATE TABLE IF NOT EXISTS migration (id TEXT PRIMARY KEY, at TEXT NOT NULL) STRICT;
      INSERT OR IGNORE INTO meta (key, value) VALUES ('format', '${formatNumber}')`);
    const done = new Set(
      connection
        .prepare('SELECT id FROM migration')
        .all()
        .map((row) => String(row.id)),
    );
    const unknown = [...done].filter((id) => !migrations.some((migration) => migration.id === id));
    if (unknown.length > 0) throw newer(`it holds ${unknown.join(', ')}`);
    const record = connection.prepare('INSERT INTO migration (id, at) VALUES (?, ?)');
    for (const migration of migrations) {
      if (done.has(migration.id)) continue;
      connection.exec(migration.up);
      record.run(migration.id, new Date().toISOString());
    }
    connection.exec('COMMIT');
  } catch (error) {
    if (connection.isTransaction) connection.exec('ROLLBACK');
    throw error;
  }
}

function checkFormat(connection: DatabaseSync): void {
  const table = connection.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'meta'").get();
  const format = table && connection.prepare("SELECT value FROM meta WHERE key = 'format'").get()?.value;
  if (format !== undefined && Number(format) !== formatNumber) throw newer(`its format is ${String(format)}`);
}

function newer(what: string): StoreError {
  return new StoreError(
    'newer',
    `this data folder was written by a newer version of Deed (${what}, this version knows format ${formatNumber}); use that version`,
  );
}

function fatal(what: string, cause: unknown): StoreError {
  return new StoreError('fatal', `${what}; stop, and look at the disk before starting again`, { cause });
}

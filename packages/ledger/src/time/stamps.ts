import type { Database, Migration } from '@deed/store';
import type { Stamped } from './authority-client.ts';

/**
 * One row for each checkpoint that is to be stamped: `wanted` is when that was found (milliseconds), `response` the authority's
 * answer as it came, null as long as there is none.
 */
export const timestampMigration: Migration = {
  id: 'ledger/timestamp',
  up: `
    CREATE TABLE timestamp (
      size INTEGER PRIMARY KEY,
      wanted INTEGER NOT NULL,
      response BLOB,
      certificate TEXT,
      time INTEGER
    ) STRICT;`,
};

export interface StoredStamp {
  readonly size: number;
  /** A TimeStampResp. */
  readonly response: Uint8Array;
  /** Hex SHA-256 of the authority's certificate. */
  readonly certificate: string;
  /** When it was stamped, in milliseconds. */
  readonly time: number;
}

const columns = 'SELECT timestamp.size, response, certificate, time FROM timestamp';

/** The stamps that there are and those that are wanted. */
export class Stamps {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  at(size: number): StoredStamp | undefined {
    return this.database.get<StoredStamp>(`${columns} WHERE size = ? AND response IS NOT NULL`, size);
  }

  get newest(): StoredStamp | undefined {
    return this.database.get<StoredStamp>(`${columns} WHERE response IS NOT NULL ORDER BY size DESC LIMIT 1`);
  }

  /** The earliest checkpoint of at least this size that is stamped and witnessed. */
  earliestFrom(size: number): StoredStamp | undefined {
    return this.database.get<StoredStamp>(
      `${columns} JOIN checkpoint ON checkpoint.size = timestamp.size
       WHERE timestamp.size >= ? AND response IS NOT NULL AND witnessed = 1 ORDER BY timestamp.size LIMIT 1`,
      size,
    );
  }

  /** Notes the checkpoints from this size on that somebody waited for and that nobody noted yet. */
  wantKept(from: number, nowMs: number): void {
    const sizes = this.database.all<{ size: number }>(
      `SELECT size FROM checkpoint WHERE given IS NOT NULL AND size >= ?
       AND NOT EXISTS (SELECT 1 FROM timestamp WHERE timestamp.size = checkpoint.size)`,
      from,
    );
    for (const { size } of sizes) this.want(size, nowMs);
  }

  /** Keeps a checkpoint and notes that it is to be stamped. */
  want(size: number, nowMs: number): void {
    this.database.transaction((tx) => {
      tx.run('UPDATE checkpoint SET given = note WHERE size = ? AND given IS NULL', size);
      tx.run('INSERT OR IGNORE INTO timestamp (size, wanted) VALUES (?, ?)', size, nowMs);
    });
  }

  /** What was noted last. */
  get last(): { readonly size: number; readonly wanted: number } | undefined {
    return this.database.get('SELECT size, wanted FROM timestamp ORDER BY size DESC LIMIT 1');
  }

  /** Sizes and notes of checkpoints that wait for a stamp since this moment or later, the smallest first. */
  waiting(sinceMs: number): readonly { readonly size: number; readonly note: string }[] {
    return this.database.all(
      `SELECT timestamp.size, note FROM timestamp JOIN checkpoint ON checkpoint.size = timestamp.size
       WHERE response IS NULL AND wanted > ? ORDER BY timestamp.size`,
      sinceMs,
    );
  }

  /** How many wait since this moment or later. */
  count(sinceMs: number): number {
    const sql = 'SELECT count(*) AS count FROM timestamp WHERE response IS NULL AND wanted > ?';
    return this.database.get<{ count: number }>(sql, sinceMs)?.count ?? 0;
  }

  /** Noted at this moment or earlier. */
  isOlder(size: number, thanMs: number): boolean {
    return this.database.get('SELECT 1 FROM timestamp WHERE size = ? AND wanted <= ?', size, thanMs) !== undefined;
  }

  put(size: number, { response, timestamp }: Stamped): void {
    this.database.transaction((tx) =>
      tx.run(
        'UPDATE timestamp SET response = ?, certificate = ?, time = ? WHERE size = ? AND response IS NULL',
        response,
        timestamp.certificate,
        timestamp.timeMs,
        size,
      ),
    );
  }
}

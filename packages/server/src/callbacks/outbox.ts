import { parseStatement } from '@deed/evidence';
import { readEntries, readEntry } from '@deed/ledger';
import type { Database, Reading } from '@deed/store';
import { bodyOf, type CallbackTopic, eventOf } from './event.ts';

/** Not evidence: what is still to be told to whom. Which events there are follows from the entries alone. */
export const callbackMigrations = [
  {
    id: 'server/c1',
    up: `
      -- next: the first log index that was not looked at for it
      CREATE TABLE callback (
        name TEXT PRIMARY KEY, url TEXT NOT NULL, network TEXT NOT NULL, topics TEXT NOT NULL, next INTEGER NOT NULL,
        gone INTEGER NOT NULL
      ) STRICT;
      CREATE TABLE callback_delivery (
        callback TEXT NOT NULL REFERENCES callback ON DELETE CASCADE, idx INTEGER NOT NULL, tries INTEGER NOT NULL,
        due_ms INTEGER NOT NULL, dead INTEGER NOT NULL, why TEXT, PRIMARY KEY (callback, idx)
      ) STRICT, WITHOUT ROWID;
    `,
  },
] as const;

export const callbackTables = ['callback', 'callback_delivery'] as const;

export interface Callback {
  readonly name: string;
  readonly url: string;
  readonly network: 'public' | 'private';
  readonly topics: readonly CallbackTopic[];
  /** It answered 410: nothing is sent until somebody says retry. */
  readonly gone: boolean;
}

export interface Delivery {
  readonly index: number;
  readonly tries: number;
  readonly why: string | null;
}

interface Row {
  readonly name: string;
  readonly url: string;
  readonly network: Callback['network'];
  readonly topics: string;
  readonly next: number;
  readonly gone: number;
}

const batch = 500;

/** What is to be sent, durably: an entry is looked at once for each callback, and leaves when it arrived. */
export class Outbox {
  private readonly db: Database;

  constructor(db: Database) {
    this.db = db;
  }

  list(): readonly Callback[] {
    return rowsOf(this.db).map(({ next: _, ...row }) => ({
      ...row,
      topics: JSON.parse(row.topics) as CallbackTopic[],
      gone: row.gone === 1,
    }));
  }

  /** Puts it in the place of one of this name, which keeps its place in the log. */
  add({ name, url, network, topics }: Omit<Callback, 'gone'>, fromIndex: number): void {
    this.db.transaction((tx) =>
      tx.run(
        `INSERT INTO callback (name, url, network, topics, next, gone) VALUES (?, ?, ?, ?, ?, 0)
         ON CONFLICT (name) DO UPDATE SET url = excluded.url, network = excluded.network, topics = excluded.topics, gone = 0`,
        ...[name, url, network, JSON.stringify(topics), fromIndex],
      ),
    );
  }

  remove(name: string): boolean {
    return this.db.transaction((tx) => tx.run('DELETE FROM callback WHERE name = ?', name)) > 0;
  }

  /**
   * Looks at committed entries that no callback was told of yet, some hundred at a time. Place and deliveries change in one
   * transaction, so that a crash neither loses nor doubles one. True: there are more.
   */
  collect(size: number): boolean {
    let more = false;
    for (const { name, topics, next } of rowsOf(this.db)) {
      if (next >= size) continue;
      const end = Math.min(size, next + batch);
      const wanted = new Set<string>(JSON.parse(topics) as string[]);
      const found = readEntries(this.db, next, end).flatMap(({ index, envelope }) => {
        const topic = eventOf(parseStatement(envelope.payload))?.topic;
        return topic !== undefined && wanted.has(topic) ? [index] : [];
      });
      this.db.transaction((tx) => {
        for (const index of found) tx.run('INSERT INTO callback_delivery VALUES (?, ?, 0, 0, 0, NULL)', name, index);
        tx.run('UPDATE callback SET next = ? WHERE name = ?', end, name);
      });
      more ||= end < size;
    }
    return more;
  }

  /** The next that is due. */
  due(name: string, nowMs: number): Delivery | undefined {
    return this.db.get<Delivery>(
      `SELECT idx AS "index", tries, why FROM callback_delivery
       WHERE callback = ? AND dead = 0 AND due_ms <= ? ORDER BY due_ms, idx LIMIT 1`,
      ...[name, nowMs],
    );
  }

  dead(name: string): readonly Delivery[] {
    return this.db.all<Delivery>(
      'SELECT idx AS "index", tries, why FROM callback_delivery WHERE callback = ? AND dead = 1 ORDER BY idx',
      name,
    );
  }

  waiting(name: string): number {
    const sql = 'SELECT count(*) AS n FROM callback_delivery WHERE callback = ? AND dead = 0';
    return this.db.get<{ n: number }>(sql, name)?.n ?? 0;
  }

  arrived(name: string, index: number): void {
    this.db.transaction((tx) => tx.run('DELETE FROM callback_delivery WHERE callback = ? AND idx = ?', name, index));
  }

  /** @param dueMs when it is tried again; null: never by itself */
  failed(name: string, index: number, why: string, dueMs: number | null): void {
    this.db.transaction((tx) =>
      tx.run(
        'UPDATE callback_delivery SET tries = tries + 1, why = ?, due_ms = ?, dead = ? WHERE callback = ? AND idx = ?',
        ...[why, dueMs ?? 0, dueMs === null ? 1 : 0, name, index],
      ),
    );
  }

  /** It said that it is gone for good. */
  gone(name: string): void {
    this.db.transaction((tx) => {
      tx.run('UPDATE callback SET gone = 1 WHERE name = ?', name);
      tx.run("UPDATE callback_delivery SET dead = 1, why = 'answered 410' WHERE callback = ? AND dead = 0", name);
    });
  }

  /** Everything that is dead is due anew. Gives how many. */
  retry(name: string): number {
    return this.db.transaction((tx) => {
      tx.run('UPDATE callback SET gone = 0 WHERE name = ?', name);
      return tx.run(
        'UPDATE callback_delivery SET dead = 0, tries = 0, due_ms = 0 WHERE callback = ? AND dead = 1',
        name,
      );
    });
  }

  /** What the entry says to a callback: its id is stable, as its bytes are. */
  message(index: number): { readonly id: string; readonly body: string } | undefined {
    const entry = readEntry(this.db, index);
    const statement = entry && parseStatement(entry.envelope.payload);
    const event = statement && eventOf(statement);
    return event && statement ? { id: statement.digest, body: bodyOf(event, statement, index) } : undefined;
  }
}

function rowsOf(db: Reading): readonly Row[] {
  return db.all<Row>('SELECT name, url, network, topics, next, gone FROM callback ORDER BY name');
}

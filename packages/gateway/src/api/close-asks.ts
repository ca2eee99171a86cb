import type { Database } from '@deed/store';

/** Open tasks whose agent asked for them to be closed. It can only ask: whoever answers for the task closes it. */
export class CloseAsks {
  private readonly db: Database;

  constructor(db: Database) {
    this.db = db;
  }

  /** @param at RFC 3339 @returns when it was asked for first */
  add(task: string, at: string): string {
    return this.db.transaction((tx) => {
      tx.run('INSERT INTO close_ask (task, at) VALUES (?, ?) ON CONFLICT DO NOTHING', task, at);
      return tx.get<{ at: string }>('SELECT at FROM close_ask WHERE task = ?', task)?.at ?? at;
    });
  }

  /** When its agent asked, if it did. */
  of(task: string): string | null {
    return this.db.get<{ at: string }>('SELECT at FROM close_ask WHERE task = ?', task)?.at ?? null;
  }

  forget(task: string): void {
    this.db.transaction((tx) => tx.run('DELETE FROM close_ask WHERE task = ?', task));
  }
}

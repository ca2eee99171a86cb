import { newId, sha256, toHex, utf8 } from '@deed/evidence';
import type { Database } from '@deed/store';
import { GatewayError } from '../errors.ts';

/** Who has a key: keys of two agents, or of two tasks, have nothing to do with each other. */
export interface KeyHolder {
  readonly task: string;
  readonly agent: string;
}

/**
 * Which action a caller's own key stands for. It is written before the action can begin, in the database that then says whether it did:
 * after a crash a key leads to the action that began under it, or to one that never will without a further request.
 */
export class KeyedActions {
  private readonly db: Database;
  private readonly now: () => number;

  constructor(db: Database, now: () => number) {
    this.db = db;
    this.now = now;
  }

  /**
   * The action of a key, a new one for a key that was not seen.
   * @param asked what is asked for, in any text that is the same for the same call
   * @throws GatewayError idempotency (the key stands for another call)
   */
  take({ task, agent }: KeyHolder, key: string, asked: string): { readonly action: string; readonly isNew: boolean } {
    const digest = toHex(sha256(utf8(asked)));
    return this.db.transaction((tx) => {
      const known = tx.get<{ action: string; asked: string }>(
        'SELECT action, asked FROM keyed_action WHERE task = ? AND agent = ? AND key = ?',
        ...[task, agent, key],
      );
      if (known && known.asked !== digest)
        throw new GatewayError('idempotency', 'this idempotencyKey stands for another call: take a new one');
      if (known) return { action: known.action, isNew: false };
      const action = newId('action', this.now());
      tx.run(
        'INSERT INTO keyed_action (task, agent, key, asked, action) VALUES (?, ?, ?, ?, ?)',
        ...[task, agent, key, digest, action],
      );
      return { action, isNew: true };
    });
  }

  /** Whether an action was asked for in this task. */
  has(task: string, action: string): boolean {
    return this.db.get('SELECT 1 FROM keyed_action WHERE task = ? AND action = ?', task, action) !== undefined;
  }

  /** Nothing was begun under it: the key is free again. */
  free(action: string): void {
    this.db.transaction((tx) => tx.run('DELETE FROM keyed_action WHERE action = ?', action));
  }

  /** The tasks that have keys. */
  tasks(): readonly string[] {
    return this.db.all<{ task: string }>('SELECT DISTINCT task FROM keyed_action').map(({ task }) => task);
  }

  /** A closed task begins nothing, so its keys say nothing any more. */
  forget(task: string): void {
    this.db.transaction((tx) => tx.run('DELETE FROM keyed_action WHERE task = ?', task));
  }
}

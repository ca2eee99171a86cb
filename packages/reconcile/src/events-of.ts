import { type Belongings, deploymentTask } from '@deed/authority';
import type { BatchJson } from '@deed/evidence';
import type { Database, Transaction } from '@deed/store';

/**
 * The events that were read under a task's credentials, for erasure. What was taken out of them goes with them; that there was
 * one, its name and what explained it stay, because the tree of its batch names it.
 */
export function eventsOf(db: Database): Belongings {
  return {
    of(task) {
      const sql = 'SELECT name FROM event WHERE task IS ?';
      return db.all<{ name: string }>(sql, task === deploymentTask ? null : task).map(({ name }) => name);
    },
    forget(tx, names, statement) {
      for (const name of names) {
        tx.run(
          'UPDATE event SET event = NULL, explained = coalesce(explained, ?) WHERE name = ?',
          ...[statement, name],
        );
        const row = tx.get<{ batch: string; task: string | null }>(
          'SELECT batch, task FROM event WHERE name = ?',
          name,
        );
        if (row && row.task === null) forgetNames(tx, row.batch, new Set(names));
      }
    },
  };
}

/** Whoever is named by no credential of ours is known by what opens the blinded name in the batch: that goes too. */
function forgetNames(tx: Transaction, batch: string, gone: ReadonlySet<string>): void {
  const row = tx.get<{ tree: string }>('SELECT tree FROM batch WHERE digest = ?', batch);
  if (!row) return;
  const tree = JSON.parse(row.tree) as BatchJson;
  const disclosed = tree.disclosed.filter(({ events }) => !events.every((event) => gone.has(event)));
  if (disclosed.length === tree.disclosed.length) return;
  tx.run('UPDATE batch SET tree = ? WHERE digest = ?', JSON.stringify({ ...tree, disclosed }), batch);
}

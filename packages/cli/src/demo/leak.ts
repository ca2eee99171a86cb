import { objectFolder, openVault, TaskKeys } from '@deed/authority';
import { fromUtf8 } from '@deed/evidence';
import { openObjects, openReadOnly } from '@deed/store';

/**
 * Takes the task's git credential out of the data folder. Any process of the same user can do this on a one-user machine:
 * it is what the missing layer `separation` means. The demo uses it to play a leak.
 */
export function leakCredential(data: string, task: string): { readonly id: string; readonly secret: string } {
  const db = openReadOnly(data);
  try {
    const row = db.get<{ id: string; secret: Uint8Array }>(
      "SELECT id, secret FROM credentials WHERE task = ? AND state = 'live'",
      task,
    );
    if (!row) throw new Error('the task has no credential');
    const vault = openVault(openObjects(objectFolder(data)), new TaskKeys(data));
    const secret = JSON.parse(fromUtf8(vault.unseal(task, `credential:${row.id}`, row.secret)));
    return { id: row.id, secret: secret.password };
  } finally {
    db.close();
  }
}

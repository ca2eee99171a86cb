import type { RefusalReason } from '@deed/evidence';
import type { Transaction } from '@deed/store';
import type { AuthorityErrorCode } from '../errors.ts';
import type { Ground } from '../ground.ts';

interface Use {
  readonly action: string;
  /** The action digest that was approved. */
  readonly record: string;
  used: boolean;
}

/** Which approvals may still be used: each once, for its action, for exactly its record. */
export class ApprovalUses {
  private readonly unused = new Map<string, Use>();

  constructor(ground: Ground) {
    const rows = ground.db.all<{ digest: string; action: string; record: string }>(
      'SELECT digest, action, record FROM approvals WHERE used_by IS NULL',
    );
    for (const { digest, action, record } of rows) this.unused.set(digest, { action, record, used: false });
  }

  add(digest: string, action: string, record: string): void {
    this.unused.set(digest, { action, record, used: false });
  }

  writeAdd(tx: Transaction, digest: string, task: string, action: string, record: string): void {
    tx.run('INSERT INTO approvals (digest, task, action, record) VALUES (?, ?, ?, ?)', digest, task, action, record);
  }

  /** What is wrong with using it for this action and record; null if nothing is. */
  hinders(
    digest: string | null,
    action: string,
    record: string,
  ): { readonly code: AuthorityErrorCode; readonly reason: RefusalReason; readonly detail: string } | null {
    const use = digest === null ? undefined : this.unused.get(digest);
    if (!use || use.used || use.action !== action) {
      return { code: 'approval', reason: 'denied', detail: 'there is no unused approval of this action' };
    }
    if (use.record === record) return null;
    return { code: 'operands-changed', reason: 'operands-changed', detail: 'approved was another action record' };
  }

  isUnused(digest: string | null, action: string): boolean {
    const use = digest === null ? undefined : this.unused.get(digest);
    return use !== undefined && !use.used && use.action === action;
  }

  /** Marks it used, in the turn in which the statement is made. False if it was not there to be used for this action. */
  spend(digest: string, action: string): boolean {
    const use = this.unused.get(digest);
    if (!use || use.used || use.action !== action) return false;
    use.used = true;
    return true;
  }

  writeUse(tx: Transaction, digest: string, by: string): void {
    if (tx.run('UPDATE approvals SET used_by = ? WHERE digest = ? AND used_by IS NULL', by, digest) !== 1) {
      throw new Error(`approval ${digest} was used twice`);
    }
    this.unused.delete(digest);
  }
}

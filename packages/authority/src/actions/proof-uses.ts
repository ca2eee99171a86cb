import type { Transaction } from '@deed/store';
import type { Ground } from '../ground.ts';

/** Kept this much longer than they live, so that a clock that is set back revives none. */
const keptMs = 3_600_000;

/** The one use of a proof. */
export interface ProofUse {
  readonly key: string;
  readonly task: string;
  readonly expSeconds: number;
  /** The statement that it was first used for, once that is made. */
  statement: string | null;
  /** An intent was made with it: it serves no second one. */
  spent: boolean;
  /** A replay was refused already; further ones are only counted. */
  replayed: boolean;
  /** A replay waits for the statement it is to cite. */
  onStatement: ((digest: string) => void) | null;
}

interface Row {
  readonly exp: number;
  readonly jti: string;
  readonly task: string;
  readonly statement: string;
  readonly replayed: number;
}

/** Which proofs were used: reserved in memory in the same turn in which they are checked, durable with their statement. */
export class ProofUses {
  private readonly ground: Ground;
  private readonly uses = new Map<string, ProofUse>();
  private sweepAt = 0;

  constructor(ground: Ground) {
    this.ground = ground;
    const before = Math.floor((ground.clock.now() - keptMs) / 1000);
    ground.db.transaction((tx) => tx.run('DELETE FROM jti WHERE exp < ?', before));
    for (const row of ground.db.all<Row>('SELECT exp, jti, task, statement, replayed FROM jti')) {
      const { jti: key, task, exp: expSeconds, statement } = row;
      const replayed = row.replayed === 1;
      this.uses.set(key, { key, task, expSeconds, statement, spent: true, replayed, onStatement: null });
    }
  }

  /** Reserves a proof (its id, under the thumbprint of its key). Returns the first use instead if there was one. */
  reserve(
    jkt: string,
    jti: string,
    expSeconds: number,
    task: string,
  ): { readonly first: boolean; readonly use: ProofUse } {
    this.sweep();
    const key = `${jkt}.${jti}`;
    const known = this.uses.get(key);
    if (known) return { first: false, use: known };
    const use: ProofUse = { key, task, expSeconds, statement: null, spent: false, replayed: false, onStatement: null };
    this.uses.set(key, use);
    return { first: true, use };
  }

  /** To be called in the statement's transaction. Does nothing unless this statement is the proof's first. */
  write(tx: Transaction, use: ProofUse | null, digest: string): void {
    if (!use || use.statement !== digest) return;
    tx.run(
      'INSERT INTO jti (exp, jti, task, statement, replayed) VALUES (?, ?, ?, ?, 0)',
      ...[use.expSeconds, use.key, use.task, digest],
    );
  }

  /** To be called when a statement was made with the proof, in the same turn. */
  used(use: ProofUse | null, digest: string): void {
    if (!use || use.statement !== null) return;
    use.statement = digest;
    const waiting = use.onStatement;
    use.onStatement = null;
    waiting?.(digest);
  }

  writeReplayed(tx: Transaction, use: ProofUse): void {
    tx.run('UPDATE jti SET replayed = 1 WHERE exp = ? AND jti = ?', use.expSeconds, use.key);
  }

  private sweep(): void {
    const now = this.ground.clock.now();
    if (now < this.sweepAt) return;
    this.sweepAt = now + 60_000;
    const before = (now - keptMs) / 1000;
    for (const [key, { expSeconds }] of this.uses) if (expSeconds < before) this.uses.delete(key);
  }
}

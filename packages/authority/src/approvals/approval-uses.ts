import {
  type ApprovalGrade,
  type ApprovalQuorum,
  fromBase64,
  isGrade,
  keyId,
  type PredicateBody,
  parseApproval,
  type RefusalReason,
  spkiOfPerson,
} from '@deed/evidence';
import type { Transaction } from '@deed/store';
import type { AuthorityErrorCode } from '../errors.ts';
import type { Ground } from '../ground.ts';

/** What must be known of an approval to let it be used. */
export interface Given {
  readonly action: string;
  /** The action digest that was approved. */
  readonly record: string;
  readonly person: string;
  /** Id of the key itself, in whatever form the person has it. */
  readonly holder: string;
  readonly grade: ApprovalGrade;
  readonly expires: string;
}

/** The same, of a statement. @throws EvidenceError statement, json, key, encoding */
export function givenBy({ action, record, person, approval, grade }: PredicateBody<'approval'>): Given {
  const { kind, key } = approval.signature;
  const { expires } = parseApproval(fromBase64(approval.bytes));
  const holder = keyId(spkiOfPerson({ kind, public: key }));
  return { action, record: record.sha256, person: person.id, holder, grade, expires };
}

interface Use extends Given {
  used: boolean;
}

/** Time that may pass between the look at an approval and the statement that uses it. */
const marginMs = 1000;

/** Why approvals do not do for an action. */
interface Hindrance {
  readonly code: AuthorityErrorCode;
  readonly reason: RefusalReason;
  readonly detail: string;
}

/** Which approvals may still be used: each once, for its action, for exactly its record, in its time. */
export class ApprovalUses {
  private readonly unused = new Map<string, Use>();

  constructor(ground: Ground) {
    const columns = 'digest, action, record, person, holder, grade, expires';
    for (const { digest, ...given } of ground.db.all<Given & { digest: string }>(
      `SELECT ${columns} FROM approvals WHERE used_by IS NULL`,
    ))
      this.add(digest, given);
  }

  add(digest: string, given: Given): void {
    this.unused.set(digest, { ...given, used: false });
  }

  writeAdd(tx: Transaction, digest: string, task: string, given: Given): void {
    const { action, record, person, holder, grade, expires } = given;
    tx.run(
      'INSERT INTO approvals (digest, task, action, record, person, holder, grade, expires) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
      ...[digest, task, action, record, person, holder, grade, expires],
    );
  }

  /** What is wrong with using these for this action and record; null if nothing is. */
  hinders(
    digests: readonly string[],
    { action, record }: Pick<Given, 'action' | 'record'>,
    quorum: ApprovalQuorum | null,
    nowMs: number,
  ): Hindrance | null {
    const uses = digests.flatMap((digest) => this.usable(digest, action) ?? []);
    if (uses.length < digests.length || uses.length === 0) return without('there is no unused approval of this action');
    if (uses.some((use) => use.record !== record)) {
      return { code: 'operands-changed', reason: 'operands-changed', detail: 'approved was another action record' };
    }
    if (uses.some(({ expires }) => nowMs + marginMs >= Date.parse(expires))) {
      return {
        code: 'approval',
        reason: 'expired',
        detail: 'it was approved, and not begun in the time of the approval',
      };
    }
    const people = new Set(uses.map(({ person }) => person)).size;
    const keys = new Set(uses.map(({ holder }) => holder)).size;
    const needed = quorum?.people ?? 1;
    if (Math.min(people, keys) < Math.max(needed, uses.length))
      return without(`it takes the approvals of ${needed} people, each with a key of their own`);
    const weak = uses.find(({ grade }) => quorum && !isGrade(grade, quorum.grade));
    return weak ? without(`an approval has grade ${weak.grade}, and policy asks for ${quorum?.grade}`) : null;
  }

  isUnused(digest: string, action: string): boolean {
    return this.usable(digest, action) !== undefined;
  }

  /** Marks it used, in the turn in which the statement is made. False if it was not there to be used for this action. */
  spend(digest: string, action: string): boolean {
    const use = this.usable(digest, action);
    if (!use) return false;
    use.used = true;
    return true;
  }

  writeUse(tx: Transaction, digest: string, by: string): void {
    if (tx.run('UPDATE approvals SET used_by = ? WHERE digest = ? AND used_by IS NULL', by, digest) !== 1) {
      throw new Error(`approval ${digest} was used twice`);
    }
    this.unused.delete(digest);
  }

  private usable(digest: string, action: string): Use | undefined {
    const use = this.unused.get(digest);
    return use && !use.used && use.action === action ? use : undefined;
  }
}

function without(detail: string): Hindrance {
  return { code: 'approval', reason: 'denied', detail };
}

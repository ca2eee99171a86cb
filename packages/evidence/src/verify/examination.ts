import type { BatchJson, CaseJson } from '../case/case-json.ts';
import type { Envelope } from '../dsse.ts';
import { DeedError, EvidenceError } from '../errors.ts';
import { type CheckpointJudgement, judgeCheckpoint } from '../log/judge-checkpoint.ts';
import type { TlogProof } from '../log/tlog-proof.ts';
import type { Trust } from '../log/trust.ts';
import { openPayload } from '../payload.ts';
import type { PayloadRef, PredicateName } from '../predicates.ts';
import type { RoleKey } from '../role-keys.ts';
import type { Statement, StatementWith } from '../statement.ts';
import type { Timestamp } from '../time/timestamp.ts';
import { broughtUpToDate } from './log-keys.ts';
import type { Reason } from './report.ts';

/** A timestamp on a checkpoint of the case. */
export interface Stamp {
  /** Entries under the checkpoint. */
  readonly size: number;
  readonly timestamp: Timestamp;
  /** Why it does not count; null if it does. */
  readonly discounted: string | null;
}

/** What a system recorded of an action. */
export interface Touched {
  readonly source: string;
  readonly resource: string;
  /** In a line. */
  readonly text: string;
}

/** A statement at its place in the log. */
export interface Logged<S extends Statement = Statement> {
  readonly index: number;
  readonly envelope: Envelope;
  readonly statement: S;
}

/** A hop that was accepted, and the one by which its delegator held what it passed on; null: the task's own agent. */
export interface HeldHop {
  readonly hop: Logged<StatementWith<'hop'>>;
  readonly accepted: Logged<StatementWith<'hop-accepted'>>;
  readonly parent: HeldHop | null;
}

export interface VerifyOptions {
  readonly trust?: Trust | undefined;
  /** Now, in milliseconds, for `max-age`. */
  readonly nowMs?: number;
}

/**
 * The case on the verifier's table: what has been read so far, and every reason found against it. Each check reads what the
 * checks before it laid down and adds to it.
 */
export class Examination {
  readonly options: VerifyOptions;
  readonly reasons: Reason[] = [];
  readonly keys = new Map<string, RoleKey>();
  readonly series = new Map<string, Logged[]>();
  readonly byDigest = new Map<string, Logged>();
  members: ReadonlyMap<string, Uint8Array> = new Map();
  json: CaseJson | null = null;
  exported: Logged<StatementWith<'case-exported'>> | null = null;
  exportedProof: TlogProof | null = null;
  /** In the order of the log. */
  statements: readonly Logged[] = [];
  private readonly kinds = new Map<PredicateName, Logged[]>();
  private readonly judged = new Map<string, CheckpointJudgement>();
  /** The note under which the proofs of all statements stand. */
  note: string | null = null;
  /** The hops that were accepted, by the digest of their acceptance. */
  readonly hops = new Map<string, HeldHop>();
  /** What each proof of possession was first shown for, by its id under that of its key. */
  readonly proofs = new Map<string, Logged>();
  /** The intents whose anchor a witness quorum of the trust file signed. */
  readonly anchored = new Set<string>();
  /** The note under which the intent of an approve action was anchored, by the digest of the intent. */
  readonly anchors = new Map<string, string>();
  /** Timestamps that hold, by the digest of the checkpoint's text that they stamp. */
  readonly stamps = new Map<string, Stamp>();
  /** Trees of ingested batches that hold, by the digest of their statement. */
  readonly batches = new Map<string, BatchJson>();
  /** The statement that erased a payload object or an event, by the name of that. */
  readonly erased: Map<string, Logged<StatementWith<'erased'>>> = new Map();
  /** What confirmed an outcome was erased since: the outcome's digest, and the name of an event. */
  readonly faded = new Map<string, string>();
  /** What was last said of a finding, by its id. */
  readonly findingStates = new Map<string, { readonly state: string; readonly until: string | null }>();
  /** Outcomes whose effects the touched system's own record confirmed. */
  readonly corroborated = new Set<string>();
  /** What the systems recorded of an outcome, by its digest. */
  readonly touched = new Map<string, readonly Touched[]>();
  /** Intents of which the next turn says which call of the model's they were, and that call. */
  readonly confirmedPrompts = new Map<string, string>();
  /** Events of the task's credentials that no reconciliation has looked at yet. */
  unjudgedEvents = 0;
  check = '';

  constructor(options: VerifyOptions) {
    this.options = options;
  }

  unusable(message: string): void {
    this.reasons.push({ verdict: 'unusable', check: this.check, message });
  }

  forged(message: string): void {
    this.reasons.push({ verdict: 'FORGED', check: this.check, message });
  }

  incomplete(message: string): void {
    this.reasons.push({ verdict: 'INCOMPLETE', check: this.check, message });
  }

  unanchored(message: string): void {
    this.reasons.push({ verdict: 'UNANCHORED', check: this.check, message });
  }

  /** Runs a reader of untrusted parts; a coded error becomes a reason, anything else is the verifier's own failure. */
  attempt<T>(what: string, read: () => T, blame: 'forged' | 'unusable' = 'forged'): T | undefined {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof DeedError)) throw error;
      this[blame](`${what}: ${error.message}`);
      return undefined;
    }
  }

  /** Lays the statements down, in the order of the log. */
  lay(statements: readonly Logged[]): void {
    this.statements = statements;
    for (const logged of statements) {
      const { predicate } = logged.statement;
      const kind = this.kinds.get(predicate);
      if (kind) kind.push(logged);
      else this.kinds.set(predicate, [logged]);
    }
  }

  /** The statements of one kind, in the order of the log. */
  all<Name extends PredicateName>(predicate: Name): readonly Logged<StatementWith<Name>>[] {
    return (this.kinds.get(predicate) ?? []) as Logged<Statement>[] as Logged<StatementWith<Name>>[];
  }

  /** The statement with this digest, if it is in the case and of this kind. */
  find<Name extends PredicateName>(digest: string | null, predicate: Name): Logged<StatementWith<Name>> | undefined {
    const logged = digest === null ? undefined : this.byDigest.get(digest);
    return logged?.statement.predicate === predicate ? (logged as Logged<StatementWith<Name>>) : undefined;
  }

  /** What the trust file says of a checkpoint note; undefined without one. @throws EvidenceError note */
  judge(note: string): CheckpointJudgement | undefined {
    const { trust } = this.options;
    if (!trust) return undefined;
    const judgement = this.judged.get(note) ?? judgeCheckpoint(note, broughtUpToDate(trust, this.keys));
    this.judged.set(note, judgement);
    return judgement;
  }

  /** The bytes of a payload, or undefined where the case does not hold them. */
  payload(ref: PayloadRef | null): Uint8Array | undefined {
    const object = ref === null ? undefined : this.members.get(`payloads/${ref.sha256}`);
    if (ref === null || object === undefined) return undefined;
    try {
      return openPayload(object, ref.sha256).bytes;
    } catch (error) {
      if (error instanceof EvidenceError) return undefined; // reported by the check `payloads`
      throw error;
    }
  }
}

/** Who erased a payload, when and why, in words; undefined if nobody did. */
export function erasureText(exam: Examination, name: string): string | undefined {
  const { statement } = exam.erased.get(name) ?? {};
  if (!statement) return undefined;
  const { by, why } = statement.body;
  const who = by.kind === 'person' ? by.person : `retention (${by.tier}, ${by.days} days)`;
  return `erased by ${who} at ${statement.time}: ${why}`;
}

/** How reasons name a statement. */
export function label({ index, statement }: Logged): string {
  const { position, predicate, series } = statement;
  return `${predicate} (${series} ${position.n}, log index ${index})`;
}

/** A condition of a check; `attempt` turns its failure into a reason. @throws EvidenceError case */
export function need(holds: boolean, otherwise: string): void {
  if (!holds) throw new EvidenceError('case', otherwise);
}

import type { Observed, PredicateBody, Separation, Tier } from '@deed/evidence';
import type { Transaction } from '@deed/store';
import type { Ground } from '../ground.ts';

export type OutcomeStatus = PredicateBody<'outcome'>['status'];

/** An intent and its end, as far as there is one. */
export interface IntentState {
  readonly digest: string;
  readonly task: string;
  readonly action: string;
  /** The action digest. */
  readonly record: string;
  readonly tier: Tier;
  /** The place of the entry of the allowed actions that admitted it; null in an implicit task. */
  readonly entry: number | null;
  readonly observed: Observed;
  readonly separation: Separation;
  /** Digest of the outcome or refusal that ends it. */
  ended: string | null;
  /** Of the outcome; null if a refusal ends it, or nothing yet. */
  status: OutcomeStatus | null;
  /** An `unknown` outcome was superseded. */
  settled: boolean;
}

interface Row {
  readonly digest: string;
  readonly task: string;
  readonly action: string;
  readonly record: string;
  readonly tier: Tier;
  readonly observed: Observed;
  readonly agent_distance: Separation['agent'];
  readonly tool_distance: Separation['tool'];
  readonly ended: string | null;
  readonly status: OutcomeStatus | null;
  readonly settled: number;
  readonly entry: number | null;
}

const select = 'SELECT * FROM intents WHERE';

/** Every intent has one end. What is not ended, or ended as `unknown`, is kept in memory; the rest in its table. */
export class Intents {
  private readonly ground: Ground;
  private readonly alive = new Map<string, IntentState>();

  constructor(ground: Ground) {
    this.ground = ground;
    for (const row of ground.db.all<Row>(`${select} ended IS NULL`)) this.alive.set(row.digest, toState(row));
  }

  get(digest: string): IntentState | undefined {
    return this.alive.get(digest) ?? this.find('digest = ?', digest);
  }

  /** The one intent of an action, if it was begun. */
  ofAction(action: string): IntentState | undefined {
    for (const intent of this.alive.values()) if (intent.action === action) return intent;
    return this.find('action = ?', action);
  }

  /** Intents without an end, oldest first. */
  open(): readonly IntentState[] {
    return [...this.alive.values()].filter(({ ended }) => ended === null);
  }

  begin(intent: IntentState): void {
    this.alive.set(intent.digest, intent);
  }

  writeBegin(tx: Transaction, { digest, task, action, record, tier, entry, observed, separation }: IntentState): void {
    tx.run(
      `INSERT INTO intents (digest, task, action, record, tier, entry, observed, agent_distance, tool_distance, settled)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`,
      ...[digest, task, action, record, tier, entry, observed, separation.agent, separation.tool],
    );
  }

  private find(where: string, value: string): IntentState | undefined {
    const row = this.ground.db.get<Row>(`${select} ${where}`, value);
    if (!row) return undefined;
    const state = toState(row);
    // What can still get an end is one object, in which it is marked.
    if (state.ended === null || (state.status === 'unknown' && !state.settled)) this.alive.set(state.digest, state);
    return state;
  }

  /** Marks the end in memory, in the turn in which its statement is made. */
  end(intent: IntentState, statement: string, status: OutcomeStatus | null): void {
    intent.settled = intent.ended !== null;
    intent.ended = statement;
    intent.status = status;
  }

  /** In the transaction of the ending statement: `replaces` is the outcome that it supersedes, or null. */
  writeEnd(
    tx: Transaction,
    digest: string,
    statement: string,
    status: OutcomeStatus | null,
    replaces: string | null,
  ): void {
    const settled = replaces === null ? 0 : 1;
    const changed = tx.run(
      'UPDATE intents SET ended = ?, status = ?, settled = ? WHERE digest = ? AND ended IS ? AND settled = 0',
      ...[statement, status, settled, digest, replaces],
    );
    if (changed !== 1) throw new Error(`intent ${digest} has its end already`);
    // Not before: until here memory knows more than the table.
    if (status !== 'unknown' || replaces !== null) this.alive.delete(digest);
  }
}

function toState(row: Row): IntentState {
  const { digest, task, action, record, tier, entry, observed, ended, status } = row;
  const separation = { agent: row.agent_distance, tool: row.tool_distance };
  return { digest, task, action, record, tier, entry, observed, separation, ended, status, settled: row.settled === 1 };
}

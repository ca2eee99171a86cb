import { parseStatement, type Tier } from '@deed/evidence';
import { AuthorityError } from '../errors.ts';
import type { Ground } from '../ground.ts';
import type { Erasures } from './erasures.ts';
import { highestTier, statementsOf } from './kept.ts';

/** Days after closing for which what is kept of a task stays; null: for ever. */
export type RetentionRules = Readonly<Record<Tier, number | null>>;

/** Half a year, and seven years, each rounded up. */
export const defaultRetention: RetentionRules = { observe: 184, record: 184, attest: 2557, approve: 2557 };

export interface DueTask {
  readonly task: string;
  /** The rule: that of the highest tier among its actions. */
  readonly tier: Tier;
  readonly days: number;
  readonly closed: string;
}

export interface RetentionRun {
  /** Whose time has come, oldest first, as many as one run takes. */
  readonly due: readonly DueTask[];
  /** Erased in this run. */
  readonly erased: readonly string[];
  /** Why nothing, or nothing more, was erased; null if nothing stood in the way. */
  readonly stopped: string | null;
}

const dayMs = 86_400_000;
/** How far the clock may have moved since retention last looked. */
const longestAbsenceDays = 7;
const tasksOfOneRun = 50;
const tasksOfOneDay = 500;

interface Candidate {
  readonly id: string;
}

/**
 * Erases closed tasks whose time has come. One rule holds for a task as a whole, the longest of its actions' tiers: a payment
 * cannot be understood any more without the reads that led to it.
 */
export class Retention {
  private readonly ground: Ground;
  private readonly erasures: Erasures;
  private readonly rules: RetentionRules;
  private running: Promise<unknown> = Promise.resolve();

  constructor(ground: Ground, erasures: Erasures, rules: RetentionRules) {
    this.ground = ground;
    this.erasures = erasures;
    this.rules = rules;
  }

  /**
   * One run, bounded. A clock that moved by more than a week since the last run (or, before the first, since the newest
   * statement) stops it until somebody who knows the time says that it is right.
   */
  run(options: { readonly dryRun?: boolean; readonly acceptClock?: boolean } = {}): Promise<RetentionRun> {
    const next = this.running.then(() => this.once(options));
    this.running = next.catch(() => undefined);
    return next;
  }

  private async once({ dryRun = false, acceptClock = false }): Promise<RetentionRun> {
    const now = this.ground.clock.now();
    this.erasures.finish();
    const due = this.due(now);
    const stopped = acceptClock ? null : this.clockMoved(now);
    if (dryRun || stopped !== null) return { due, erased: [], stopped };
    this.sawClock(now);
    const erased: string[] = [];
    for (const { task, tier, days } of due) {
      if (this.erasedInOneDay(now) >= tasksOfOneDay)
        return { due, erased, stopped: `${tasksOfOneDay} tasks were erased within a day; the rest follows` };
      try {
        const why = `the ${days} days for which tier ${tier} is kept have passed`;
        await this.erasures.erase({ task, by: { kind: 'retention', tier, days }, why });
        erased.push(task);
      } catch (error) {
        // A hold that came meanwhile, or the like: the next task is not its business.
        if (!(error instanceof AuthorityError)) throw error;
      }
    }
    return { due, erased, stopped: null };
  }

  private due(now: number): readonly DueTask[] {
    const least = Math.min(...Object.values(this.rules).map((days) => days ?? Number.POSITIVE_INFINITY));
    if (!Number.isFinite(least)) return [];
    const rank = `CASE tier WHEN 'approve' THEN 3 WHEN 'attest' THEN 2 WHEN 'record' THEN 1 ELSE 0 END`;
    const { observe, record, attest, approve } = this.rules;
    const days = (value: number | null) => value ?? 1e9;
    const rows = this.ground.db.all<Candidate>(
      `SELECT id FROM (
         SELECT id, opened_ms, (SELECT max(${rank}) FROM intents WHERE task = tasks.id) AS rank FROM tasks
         WHERE state = 'closed' AND opened_ms <= ?
           AND NOT EXISTS (SELECT 1 FROM erasure WHERE task = tasks.id AND whole = 1)
           AND NOT EXISTS (SELECT 1 FROM legal_hold WHERE task = tasks.id AND released IS NULL)
           AND NOT EXISTS (SELECT 1 FROM intents WHERE task = tasks.id AND ended IS NULL))
       WHERE opened_ms + ${dayMs} * CASE rank WHEN 3 THEN ? WHEN 2 THEN ? WHEN 1 THEN ? ELSE ? END <= ?
       ORDER BY opened_ms LIMIT ?`,
      ...[now - least * dayMs, days(approve), days(attest), days(record), days(observe), now, tasksOfOneRun],
    );
    return rows.flatMap(({ id }) => this.dueTask(id, now));
  }

  /** What the task's own statements say: the verifier will look at the same. */
  private dueTask(task: string, now: number): DueTask[] {
    const statements = statementsOf(this.ground.ledger, task);
    const closed = statements.find(({ predicate }) => predicate === 'task-closed')?.time;
    const tier = highestTier(statements);
    const days = this.rules[tier];
    if (closed === undefined || days === null || Date.parse(closed) + days * dayMs > now) return [];
    return [{ task, tier, days, closed }];
  }

  private clockMoved(now: number): string | null {
    const seen = this.seenMs();
    if (Math.abs(now - seen) <= longestAbsenceDays * dayMs) return null;
    const last = new Date(seen).toISOString();
    return `the clock moved by more than ${longestAbsenceDays} days since retention last looked, at ${last}; if it is right, say so: deed retention run --accept-clock`;
  }

  private seenMs(): number {
    const row = this.ground.db.get<{ seen: number }>('SELECT seen_ms AS seen FROM retention_clock');
    if (row) return row.seen;
    const { ledger, clock } = this.ground;
    const newest = ledger.size > 0 ? ledger.entry(ledger.size - 1) : undefined;
    return newest ? Date.parse(parseStatement(newest.envelope.payload).time) : clock.now();
  }

  private sawClock(now: number): void {
    this.ground.db.transaction((tx) =>
      tx.run('INSERT OR REPLACE INTO retention_clock (one, seen_ms) VALUES (1, ?)', now),
    );
  }

  private erasedInOneDay(now: number): number {
    const sql = 'SELECT count(*) AS count FROM erasure WHERE retention = 1 AND at_ms > ?';
    return this.ground.db.get<{ count: number }>(sql, now - dayMs)?.count ?? 0;
  }
}

import type { Transaction } from '@deed/store';
import type { Agents } from '../agents.ts';
import type { AuthorityErrorCode } from '../errors.ts';
import type { Ground } from '../ground.ts';
import type { Task } from '../tasks/task.ts';
import type { Tasks } from '../tasks/tasks.ts';
import { type Hop, type HopRow, lineOf, rowToHop, selectHops } from './hop.ts';

/** Why nothing may be done by a line of hops now. */
export interface HopHindrance {
  readonly code: AuthorityErrorCode;
  readonly detail: string;
}

/** The hops of tasks: read with their task, kept in memory while it is open. */
export class Hops {
  private readonly ground: Ground;
  private readonly agents: Agents;
  private readonly tasks: Tasks;
  private readonly known = new Map<string, Hop[]>();

  constructor(ground: Ground, agents: Agents, tasks: Tasks) {
    this.ground = ground;
    this.agents = agents;
    this.tasks = tasks;
  }

  /** In the order in which they were offered. */
  ofTask(task: string): readonly Hop[] {
    return this.kept(task);
  }

  find(task: string, digest: string): Hop | undefined {
    return this.kept(task).find((hop) => hop.digest === digest);
  }

  /** The hops that lead to an acceptance, from the first on; undefined if nobody accepted that in this task. */
  line(task: string, accepted: string): readonly Hop[] | undefined {
    const last = this.kept(task).find((hop) => hop.accepted === accepted);
    return last && lineOf(last);
  }

  /** By which hops an agent may act in a task at this instant. */
  heldBy(task: Task, agent: string): readonly Hop[] {
    return this.kept(task.id).filter(
      (hop) => hop.delegate === agent && hop.accepted !== null && this.hinders(task, lineOf(hop)) === null,
    );
  }

  /**
   * Nothing is done by a line in which one hop was ended, has passed its deadline or was never accepted, nor while somebody in
   * it is revoked: so an end takes all that was passed on below it.
   */
  hinders(task: Task, hops: readonly Hop[]): HopHindrance | null {
    const now = this.ground.clock.now();
    if (hops.some(({ ended, accepted }) => ended !== null || accepted === null))
      return { code: 'hop-ended', detail: 'what was passed on was taken back' };
    if (hops.some(({ deadlineMs }) => deadlineMs <= now))
      return { code: 'hop-ended', detail: 'the deadline of what was passed on has come' };
    const parties = [...(task.agent === null ? [] : [task.agent]), ...hops.map(({ delegate }) => delegate)];
    const revoked = parties.find((id) => this.agents.get(id)?.revoked !== null);
    if (revoked === undefined) return null;
    const isActor = revoked === parties.at(-1);
    return {
      code: 'agent-revoked',
      detail: isActor ? 'the agent was revoked' : `agent ${revoked}, above it, was revoked`,
    };
  }

  add(hop: Hop): void {
    this.kept(hop.task).push(hop);
  }

  /** An action begins: it counts for each hop of the line. In the transaction of its intent. */
  writeUse(tx: Transaction, hops: readonly Hop[]): void {
    for (const { digest } of hops) {
      const counted = tx.run(
        'UPDATE hops SET used = used + 1 WHERE digest = ? AND accepted IS NOT NULL AND ended IS NULL AND used < budget',
        digest,
      );
      if (counted !== 1) throw new Error(`hop ${digest} was ended or is over its budget`);
    }
  }

  private kept(task: string): Hop[] {
    const known = this.known.get(task);
    if (known) return known;
    this.forgetClosed();
    const { db, vault } = this.ground;
    const hops: Hop[] = [];
    for (const row of db.all<HopRow>(`${selectHops} WHERE task = ? ORDER BY rowid`, task)) {
      const parent = hops.find(({ accepted }) => accepted === row.parent && accepted !== null) ?? null;
      hops.push(rowToHop(row, parent, vault));
    }
    this.known.set(task, hops);
    return hops;
  }

  /** A closed task, once that is durable, has no hop that is not in its table. */
  private forgetClosed(): void {
    const open = new Set(this.tasks.openTasks().map(({ id }) => id));
    for (const task of this.known.keys()) if (!open.has(task)) this.known.delete(task);
  }
}

import {
  type Allow,
  EvidenceError,
  encodeAllow,
  maxDepth,
  newId,
  type Output,
  openPayload,
  outputsOf,
  type PayloadRef,
  type PredicateBody,
  parseAllow,
  parseEffects,
  parseStatement,
  utf8,
} from '@deed/evidence';
import { type Agents, citedAgent } from '../agents.ts';
import type { Credentials, Minted } from '../credentials.ts';
import { AuthorityError } from '../errors.ts';
import type { Grants } from '../grants.ts';
import { type Ground, serverAct } from '../ground.ts';
import type { Policy } from '../policy/activation.ts';
import { isAbove } from '../policy/evaluate.ts';
import { rowToTask, selectTask, type TaskRow } from './row.ts';
import {
  type CloseReason,
  defaultBudget,
  defaultDeadlineMs,
  encodePrincipal,
  type LiveTask,
  type Task,
  type TaskFields,
} from './task.ts';

export type Outputs = PredicateBody<'task-closed'>['outputs'];

/** The tasks: opened, looked up, closed. Closing kills every token of a task at that instant. */
export class Tasks {
  private readonly ground: Ground;
  private readonly agents: Agents;
  private readonly grants: Grants;
  private readonly policy: Policy;
  private readonly credentials: Credentials;
  private readonly live = new Map<string, LiveTask>();
  private readonly deadlines = new Map<string, () => void>();
  private readonly closing = new Map<string, Promise<string>>();
  private readonly closeListeners = new Set<(task: string) => void>();

  constructor(ground: Ground, agents: Agents, grants: Grants, policy: Policy, credentials: Credentials) {
    this.ground = ground;
    this.agents = agents;
    this.grants = grants;
    this.policy = policy;
    this.credentials = credentials;
    for (const row of ground.db.all<TaskRow>(`${selectTask} WHERE state = 'open'`)) this.takeUp(row);
  }

  /**
   * Opens a task: credentials are minted first, then task-opened is made durable. `agent` is null exactly for an implicit task,
   * which may do anything that policy allows, up to tier record.
   * @throws AuthorityError task, unknown-agent, agent-revoked, grant-expired, policy-invalid, broker
   */
  async open(fields: TaskFields): Promise<Task> {
    const { clock, vault } = this.ground;
    const implicit = fields.implicit ?? false;
    const allow = readAllow(fields.allow);
    const ceiling = fields.ceiling ?? 'record';
    check(implicit === (fields.agent === null), 'a task has an agent, unless it is implicit');
    check(!implicit || !isAbove(ceiling, 'record'), 'an implicit task is capped at tier record');
    const budget = fields.budget?.actions ?? defaultBudget;
    check(Number.isSafeInteger(budget) && budget >= 0, 'a budget is a whole number of actions');
    const depth = fields.depth ?? 0;
    check(
      Number.isSafeInteger(depth) && depth >= 0 && depth <= maxDepth,
      `a task is passed on 0 to ${maxDepth} hops deep`,
    );
    check(!implicit || depth === 0, 'an implicit task is not passed on');
    check(fields.objective.trim() !== '', 'a task has an objective');
    const agent = fields.agent === null ? null : this.agents.requireLive(fields.agent);
    const now = clock.now();
    const asked = fields.deadline ?? now + defaultDeadlineMs;
    check(asked > now, 'the deadline has passed');
    const { expiresMs } = this.grants.current(agent?.id ?? null);

    const id = newId('task', now);
    vault.taskKeys.create(id);
    let minted: readonly Minted[] = [];
    try {
      const until = Math.min(asked, expiresMs);
      minted =
        implicit && fields.server !== undefined
          ? await this.credentials.mint(id, [{ server: fields.server }], until, 'static')
          : await this.credentials.mint(id, allow, until);
      // Awaiting is over: what was true before may have changed.
      if (agent) this.agents.requireLive(agent.id);
      const grant = this.grants.current(agent?.id ?? null);
      const deadlineMs = Math.min(asked, grant.expiresMs);
      const policy = this.policy.current();
      const objective = vault.stage(id, utf8(fields.objective), 'text/plain');
      const principal = vault.stage(
        id,
        encodePrincipal({ how: 'none', ...fields.principal }),
        'application/vnd.deed.principal+json',
      );
      const allowRef = vault.stage(id, encodeAllow(allow), 'application/vnd.deed.allow+json');
      const recorded = this.ground.record({
        ...serverAct,
        predicate: 'task-opened',
        place: { task: id, chain: 'seq' },
        subject: { name: `task:${id}`, sha256: objective.sha256 },
        body: {
          objective,
          principal,
          agent: agent && citedAgent(agent),
          allow: allowRef,
          ceiling,
          budget: { actions: budget },
          deadline: new Date(deadlineMs).toISOString(),
          depth,
          grant: grant.digest,
          policy: policy.activated,
          credentials: minted.map(({ broker, blinded, debt }) => ({ broker, blinded, debt })),
          implicit,
        },
        apply: (tx, { digest }) => {
          tx.run(
            `INSERT INTO tasks (id, opened, state, epoch, implicit, agent, principal, objective, allow_, ceiling, budget, used,
             opened_ms, deadline_ms, grant_, policy, depth) VALUES (?, ?, 'open', 0, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?)`,
            ...[id, digest, implicit ? 1 : 0, agent?.id ?? null, ...[principal, objective, allowRef].map(refText)],
            ...[ceiling, budget, now, deadlineMs, grant.digest, policy.activated, depth],
          );
        },
      });
      const task: LiveTask = {
        id,
        opened: recorded.digest,
        openedMs: now,
        state: 'open',
        epoch: 0,
        implicit,
        agent: agent?.id ?? null,
        principal,
        principalId: fields.principal.id,
        objective,
        allowRef,
        allow,
        counts: allow.map(() => 0),
        ceiling,
        budget,
        used: 0,
        deadlineMs,
        depth,
        grant: grant.digest,
        policy: policy.activated,
        closed: null,
        seqCount: 1,
        openIntents: new Set(),
        outputs: new Map(),
        debts: minted.filter(({ debt }) => debt === 'static').map(({ broker }) => broker),
        begun: new Set(),
        refused: new Set(),
      };
      this.live.set(id, task);
      await recorded.durable;
      this.watchDeadline(task);
      return task;
    } catch (error) {
      if (!this.live.has(id)) {
        this.credentials.revokeAll(id);
        vault.taskKeys.destroySecret(id);
      }
      throw error;
    }
  }

  /**
   * Closes a task. From this call on none of its tokens opens anything; the statement and the state become durable
   * together; then its credentials are revoked and its secret is destroyed. Returns the digest of task-closed.
   * Closing a closed task returns the same digest.
   * @throws AuthorityError unknown-task
   */
  close(id: string, reason: CloseReason, outputs: Outputs = []): Promise<string> {
    const known = this.closing.get(id);
    if (known) return known;
    const task = this.live.get(id);
    if (task) {
      const closed = this.closeLive(task, reason, outputs);
      this.closing.set(id, closed);
      const forget = () => this.closing.delete(id);
      closed.then(forget, forget);
      return closed;
    }
    const digest = this.get(id)?.closed;
    if (!digest) return Promise.reject(new AuthorityError('unknown-task', `there is no task ${id}`));
    return Promise.resolve(digest);
  }

  /** Any task, open or closed. */
  get(id: string): Task | undefined {
    const live = this.live.get(id);
    if (live) return live;
    const row = this.ground.db.get<TaskRow>(`${selectTask} WHERE id = ?`, id);
    return row && rowToTask(row, this.ground.vault);
  }

  /** Newest first. */
  list(limit = 100): readonly Task[] {
    const rows = this.ground.db.all<TaskRow>(`${selectTask} ORDER BY id DESC LIMIT ?`, limit);
    return rows.map((row) => this.live.get(row.id) ?? rowToTask(row, this.ground.vault));
  }

  /** The open tasks. */
  openTasks(): readonly LiveTask[] {
    return [...this.live.values()];
  }

  /** An open task, as this room keeps it; undefined once it is closed. */
  liveTask(id: string): LiveTask | undefined {
    const task = this.live.get(id);
    return task?.state === 'open' ? task : undefined;
  }

  /** A statement of this task's `seq` was made: to be called in the same turn. */
  counted(id: string): void {
    const task = this.live.get(id);
    if (task) task.seqCount++;
  }

  /** Effects of the task were seen: what they deliver will be listed by task-closed, the last of each name. */
  delivered(id: string, outputs: readonly Output[]): void {
    const task = this.live.get(id);
    for (const output of outputs) task?.outputs.set(output.name, output);
  }

  /** An intent of this task has its end: to be called in the turn in which that is recorded. */
  ended(id: string, intent: string): void {
    this.live.get(id)?.openIntents.delete(intent);
  }

  /** Closes a task whose deadline has come, without waiting for its timer. True if it is open still. */
  isOpen(id: string): boolean {
    const task = this.liveTask(id);
    if (!task) return false;
    if (this.ground.clock.now() < task.deadlineMs) return true;
    this.closeQuietly(task);
    return false;
  }

  /** `listener` is called at the instant a task closes, synchronously. Returns how to stop that. */
  onClose(listener: (task: string) => void): () => void {
    this.closeListeners.add(listener);
    return () => void this.closeListeners.delete(listener);
  }

  /** Finishes what a former run left: deadlines, and the secrets of tasks that closed or never opened. */
  resume(): void {
    const { taskKeys } = this.ground.vault;
    for (const task of taskKeys.withSecret()) if (!this.live.has(task)) taskKeys.destroySecret(task);
    for (const task of this.live.values()) this.watchDeadline(task);
  }

  stop(): void {
    for (const cancel of this.deadlines.values()) cancel();
    this.deadlines.clear();
  }

  private async closeLive(task: LiveTask, reason: CloseReason, outputs: Outputs): Promise<string> {
    const { vault } = this.ground;
    const { id } = task;
    const recorded = this.ground.record({
      ...serverAct,
      predicate: 'task-closed',
      place: { task: id, chain: 'seq' },
      subject: { name: `task:${id}`, sha256: task.objective.sha256 },
      body: {
        reason,
        count: task.seqCount + 1,
        outputs: [...task.outputs.values(), ...outputs],
        open: [...task.openIntents].sort(),
        debts: task.debts,
      },
      apply: (tx, { digest }) => {
        const closed = tx.run(
          "UPDATE tasks SET state = 'closed', epoch = epoch + 1, closed = ? WHERE id = ? AND state = 'open'",
          ...[digest, id],
        );
        if (closed !== 1) throw new Error(`task ${id} was closed twice`);
      },
    });
    task.state = 'closed';
    task.epoch++;
    task.seqCount++;
    task.closed = recorded.digest;
    vault.taskKeys.forgetSecret(id);
    this.deadlines.get(id)?.();
    this.deadlines.delete(id);
    for (const listener of this.closeListeners) listener(id);
    await recorded.durable;
    this.live.delete(id);
    vault.taskKeys.destroySecret(id);
    this.credentials.revokeAll(id);
    return recorded.digest;
  }

  private takeUp(row: TaskRow): void {
    this.ground.vault.taskKeys.load(row.id);
    const intents = this.ground.db.all<{ digest: string; action: string; ended: string | null; entry: number | null }>(
      'SELECT digest, action, ended, entry FROM intents WHERE task = ?',
      row.id,
    );
    const task = rowToTask(row, this.ground.vault);
    this.live.set(row.id, {
      ...task,
      counts: task.allow.map((_, i) => intents.filter(({ entry }) => entry === i).length),
      seqCount: this.ground.ledger.series(row.id).length,
      outputs: this.deliveredBefore(row.id),
      debts: this.debtsOf(row.id),
      openIntents: new Set(intents.filter(({ ended }) => ended === null).map(({ digest }) => digest)),
      begun: new Set(intents.map(({ action }) => action)),
      refused: new Set(),
    });
  }

  /** What the outcomes of an earlier run delivered. */
  private deliveredBefore(task: string): Map<string, Output> {
    const { ledger, vault } = this.ground;
    const delivered = ledger.series(task).flatMap(({ envelope }) => {
      const statement = parseStatement(envelope.payload);
      const effects = statement.predicate === 'outcome' ? statement.body.effects : null;
      return effects ? outputsOf(parseEffects(openPayload(vault.get(effects.sha256), effects.sha256).bytes)) : [];
    });
    return new Map(delivered.map((output) => [output.name, output]));
  }

  /** What its task-opened says of static secrets. */
  private debtsOf(task: string): readonly string[] {
    const [opened] = this.ground.ledger.series(task, 0, 0);
    const statement = opened && parseStatement(opened.envelope.payload);
    if (statement?.predicate !== 'task-opened') return [];
    return statement.body.credentials.filter(({ debt }) => debt === 'static').map(({ broker }) => broker);
  }

  private watchDeadline(task: LiveTask): void {
    if (task.state !== 'open') return;
    const check = () => {
      if (this.ground.clock.now() >= task.deadlineMs) this.closeQuietly(task);
      else this.watchDeadline(task);
    };
    this.deadlines.set(task.id, this.ground.clock.after(task.deadlineMs - this.ground.clock.now(), check));
  }

  /** Without a caller to tell: a ledger that cannot write has stopped, and says so itself. */
  private closeQuietly(task: LiveTask): void {
    this.close(task.id, 'deadline').catch(() => {});
  }
}

/** @throws AuthorityError task */
function readAllow(value: unknown): Allow {
  try {
    return parseAllow(value);
  } catch (cause) {
    if (!(cause instanceof EvidenceError)) throw cause;
    throw new AuthorityError('task', cause.message, { cause });
  }
}

function refText(ref: PayloadRef): string {
  return JSON.stringify(ref);
}

function check(holds: boolean, otherwise: string): void {
  if (!holds) throw new AuthorityError('task', otherwise);
}

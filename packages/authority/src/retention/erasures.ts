import { heldRefs, type PayloadRef, pieceType, type Statement, sha256, type Tier, toHex, utf8 } from '@deed/evidence';
import { StoreError, type Transaction } from '@deed/store';
import { AuthorityError } from '../errors.ts';
import { type Ground, serverAct } from '../ground.ts';
import type { People } from '../people/people.ts';
import type { Tasks } from '../tasks/tasks.ts';
import { deploymentTask } from '../vault/task-keys.ts';
import type { Custody } from './custody.ts';
import { copiesOf, keptBy, openIn, statementsOf } from './kept.ts';
import type { LegalHolds } from './legal-holds.ts';

/** Who ordered an erasure: an operator, or the rule of retention. */
export type ErasureBy =
  | { readonly kind: 'person'; readonly person: string }
  | { readonly kind: 'retention'; readonly tier: Tier; readonly days: number };

export interface ErasureOrder {
  /** The task, or `deployment` for payloads of no task. */
  readonly task: string;
  /** Names of single payloads or events. Absent: the whole task, with its key. */
  readonly payloads?: readonly string[] | undefined;
  readonly by: ErasureBy;
  /** In words; it stays in the log for ever. */
  readonly why: string;
}

/** What an erasure would take. */
export interface ErasurePlan {
  readonly scope: 'task' | 'payloads';
  readonly payloads: readonly string[];
  /** Exported cases that hold copies, which nobody can reach. */
  readonly copies: readonly string[];
}

export interface Erased extends ErasurePlan {
  /** Digest of the statement. */
  readonly statement: string;
  /** False if a reader was in the way: the rest goes at the next occasion. */
  readonly complete: boolean;
}

/** What a room above keeps for a task beyond the payloads that its statements name (reconcile: events). */
export interface Belongings {
  /** Names of the payload objects; of those of no task for `deployment`. */
  of(task: string): readonly string[];
  /** Erases what was noted of them outside of the vault, in the transaction of the statement. */
  forget(tx: Transaction, names: readonly string[], statement: string): void;
}

interface Row {
  readonly statement: string;
  readonly task: string;
  readonly whole: number;
  readonly names: string;
}

const maxWhy = 512;

/** Erasure: stated durably, then done. Nothing but payloads, keys and what they opened ever goes. */
export class Erasures {
  private readonly ground: Ground;
  private readonly people: People;
  private readonly tasks: Tasks;
  private readonly holds: LegalHolds;
  private readonly custody: Custody;
  private readonly belongings: Belongings[] = [];
  /** By which the erased rows are known in the files of the database, for erasures of this run that are not done. */
  private readonly traces = new Map<string, readonly Uint8Array[]>();

  constructor(ground: Ground, people: People, tasks: Tasks, holds: LegalHolds, custody: Custody) {
    this.ground = ground;
    this.people = people;
    this.tasks = tasks;
    this.holds = holds;
    this.custody = custody;
  }

  /** A room above says what it keeps for tasks. */
  register(belongings: Belongings): void {
    this.belongings.push(belongings);
  }

  /** What would go. @throws AuthorityError as {@link erase} */
  plan({ task, payloads }: Pick<ErasureOrder, 'task' | 'payloads'>): ErasurePlan {
    this.requireErasable(task);
    if (task === deploymentTask && payloads === undefined)
      throw new AuthorityError('unknown-payload', 'of what belongs to no task name each payload that is to go');
    const statements = task === deploymentTask ? [] : statementsOf(this.ground.ledger, task);
    const others = this.belongings.flatMap((room) => room.of(task));
    const kept = new Set(
      [...keptBy(this.ground.vault, statements), ...others].filter((name) => this.ground.vault.has(name)),
    );
    const names = [...(payloads ? this.withPieces(payloads, statements) : kept)].sort();
    const unknown = names.find((name) => !kept.has(name));
    if (unknown !== undefined) {
      throw new AuthorityError(
        'unknown-payload',
        `${task} keeps no payload ${unknown}: it was erased before, or is of another task`,
      );
    }
    if (names.length === 0 && (payloads !== undefined || !this.ground.vault.taskKeys.hasKey(task)))
      throw new AuthorityError('erased', `nothing that is kept of ${task} is left to erase`);
    return {
      scope: payloads === undefined ? 'task' : 'payloads',
      payloads: names,
      copies: copiesOf(statements, new Set(names)),
    };
  }

  /** With an exchange go those of its pieces that no other one has that stays. */
  private withPieces(names: readonly string[], statements: readonly Statement[]): ReadonlySet<string> {
    const { vault } = this.ground;
    const going = new Set(names);
    const goes = (ref: PayloadRef) => going.has(ref.sha256);
    const staying = new Set(
      statements
        .flatMap((each) => heldRefs(each, (ref) => (goes(ref) ? undefined : openIn(vault)(ref))))
        .map(({ sha256: name }) => name),
    );
    const pieces = statements
      .flatMap((each) => heldRefs(each, (ref) => (goes(ref) ? openIn(vault)(ref) : undefined)))
      .filter(({ type, sha256: name }) => type === pieceType && !staying.has(name));
    return new Set([...names, ...pieces.map(({ sha256: name }) => name)]);
  }

  /**
   * Erases payloads of a closed task, or the whole of it with its key. Waits for exports and reconciliations under way.
   * @throws AuthorityError unknown-task, task-open, task-busy, held, erased, unknown-payload, unknown-person, not-approver, why
   */
  erase(order: ErasureOrder): Promise<Erased> {
    return this.custody.alone(() => this.eraseAlone(order));
  }

  /** Does what was stated and is not done: a crash came between, or a reader was in the way. Returns how many remain. */
  finish(): number {
    const rows = this.ground.db.all<Row>('SELECT statement, task, whole, names FROM erasure WHERE done = 0');
    return rows.filter((row) => !this.remove(row)).length;
  }

  /** True once the task as a whole was erased. */
  isErased(task: string): boolean {
    return this.ground.db.get('SELECT 1 FROM erasure WHERE task = ? AND whole = 1', task) !== undefined;
  }

  private async eraseAlone(order: ErasureOrder): Promise<Erased> {
    const { task, by, why } = order;
    const { ledger, vault, clock } = this.ground;
    if (why.trim() === '' || why.length > maxWhy)
      throw new AuthorityError('why', `give a reason of at most ${maxWhy} characters`);
    if (by.kind === 'person') this.requireOperator(by.person);
    // What is on its way into the task's series must be known; from here to the record nothing else runs.
    while (ledger.pending(task) + ledger.pending(`${task}/after`) > 0) await ledger.settled();
    const plan = this.plan(order);
    const { scope, payloads, copies } = plan;
    const whole = scope === 'task';
    const traces = whole ? [] : vault.traces(payloads);
    const isTask = task !== deploymentTask;
    const recorded = this.ground.record({
      ...serverAct,
      predicate: 'erased',
      place: isTask ? { task, chain: 'after' } : { series: 'deployment' },
      subject: {
        name: isTask ? `task:${task}` : `deployment:${this.ground.origin}`,
        sha256: toHex(sha256(utf8(JSON.stringify(payloads)))),
      },
      body: { scope, payloads, by, why, copies },
      apply: (tx, { digest }) => {
        vault.eraseRows(tx, payloads, whole ? task : null);
        if (whole) tx.run('UPDATE credentials SET secret = NULL WHERE task = ?', task);
        for (const room of this.belongings) room.forget(tx, payloads, digest);
        tx.run(
          'INSERT INTO erasure (statement, task, whole, names, retention, at_ms, done) VALUES (?, ?, ?, ?, ?, ?, 0)',
          ...[digest, task, whole ? 1 : 0, JSON.stringify(payloads), by.kind === 'retention' ? 1 : 0, clock.now()],
        );
      },
    });
    const statement = recorded.digest;
    this.traces.set(statement, traces);
    if (whole) vault.taskKeys.endKey(task);
    await recorded.durable;
    const row = { statement, task, whole: whole ? 1 : 0, names: JSON.stringify(payloads) };
    return { ...plan, statement, complete: this.remove(row) };
  }

  private requireErasable(task: string): void {
    if (task === deploymentTask) return;
    const found = this.tasks.get(task);
    if (!found) throw new AuthorityError('unknown-task', `there is no task ${task}`);
    if (found.state === 'open')
      throw new AuthorityError('task-open', `task ${task} is open; close it first: deed task close ${task}`);
    const [hold] = this.holds.ofTask(task);
    if (hold) {
      const { id, reason } = hold;
      throw new AuthorityError(
        'held',
        `hold ${id} protects ${task} (${reason}); end it first: deed hold release ${id}`,
      );
    }
    if (this.ground.db.get('SELECT 1 FROM intents WHERE task = ? AND ended IS NULL', task))
      throw new AuthorityError('task-busy', `actions of ${task} are still under way; try again when they have ended`);
  }

  private requireOperator(id: string): void {
    const person = this.people.get(id);
    if (!person) throw new AuthorityError('unknown-person', `no person ${id} is enrolled`);
    if (!person.roles.includes('operator')) throw new AuthorityError('not-approver', `person ${id} is no operator`);
  }

  /** Keys first: from then on what else remains for a moment is unreadable. False if a reader of the database is in the way. */
  private remove({ statement, task, whole, names }: Row): boolean {
    const { vault, db } = this.ground;
    if (whole === 1) {
      vault.taskKeys.destroyKey(task);
      vault.taskKeys.destroySecret(task);
    }
    vault.eraseObjects(JSON.parse(names) as string[]);
    try {
      const traces = this.traces.get(statement);
      // After a crash nobody knows any more what to look for; without the key of a whole task nothing can be read.
      if (traces === undefined && whole === 0) db.rebuild();
      else db.purge(traces);
    } catch (error) {
      if (error instanceof StoreError && error.code === 'busy') return false;
      throw error;
    }
    db.transaction((tx) => tx.run('UPDATE erasure SET done = 1 WHERE statement = ?', statement));
    this.traces.delete(statement);
    return true;
  }
}

import {
  type ApprovalWord,
  encodeApproval,
  equalBytes,
  fromUtf8,
  isPlainText,
  openWord,
  type PayloadRef,
  parseApproval,
  randomBytes,
  toHex,
  type Word,
} from '@deed/evidence';
import { type Admitted, actHeader, type Proposal, recordBytes, recordType, type Verdict } from '../actions/proposal.ts';
import { AuthorityError } from '../errors.ts';
import type { Ground } from '../ground.ts';
import type { People, Person } from '../people/people.ts';
import type { Tasks } from '../tasks/tasks.ts';
import type { ApprovalUses } from './approval-uses.ts';

export type Settled =
  | { readonly kind: 'approved' /** Digest of the approval statement. */; readonly approval: string }
  | { readonly kind: 'rejected'; readonly word: Word }
  | { readonly kind: 'expired' }
  | { readonly kind: 'cancelled'; readonly why: string };

/** An action that waits for a person. Its id is the action's. */
export interface Hold {
  readonly id: string;
  readonly task: string;
  readonly record: PayloadRef;
  readonly rendering: PayloadRef;
  readonly heldAt: string;
  readonly notBefore: string;
  readonly expires: string;
  /** Never rejects. */
  readonly settled: Promise<Settled>;
}

/** All that a person needs to judge and to answer. */
export interface HoldView extends Omit<Hold, 'settled'> {
  readonly method: string;
  readonly server: string;
  readonly tool: string;
  /** The payload objects, salt first: a client checks that they hash to their names before it shows them. */
  readonly recordObject: Uint8Array;
  readonly renderingObject: Uint8Array;
  /** What the word says, but for the person and the decision. */
  readonly word: Omit<ApprovalWord, 'v' | 'type' | 'says' | 'decision' | 'person'>;
}

interface Held extends Hold {
  readonly admitted: Admitted;
  readonly proposal: Proposal;
  readonly verdict: Verdict;
  readonly nonce: string;
  readonly settle: (how: Settled) => void;
  readonly cancelTimer: () => void;
  /** False from the instant it is answered or ends. */
  waiting: boolean;
}

const defaultTtlSeconds = 600;
const maxTtlSeconds = 600;
const maxRenderingBytes = 256 * 1024;

/** The queue of actions that wait for a person's word. In memory: a hold does not outlive the call that waits for it. */
export class Approvals {
  private readonly ground: Ground;
  private readonly people: People;
  private readonly tasks: Tasks;
  private readonly uses: ApprovalUses;
  private readonly holds = new Map<string, Held>();
  private readonly listeners = new Set<() => void>();

  constructor(ground: Ground, people: People, tasks: Tasks, uses: ApprovalUses) {
    this.ground = ground;
    this.people = people;
    this.tasks = tasks;
    this.uses = uses;
    tasks.onClose((task) => {
      for (const hold of this.holds.values()) if (hold.task === task) this.cancel(hold.id, 'the task was closed');
    });
  }

  /**
   * Freezes an action and what a person will be shown of it. `rendering` is plain text in UTF-8; at most 600 s.
   * @throws AuthorityError proposal (not the record that was decided, or held before), rendering, task-closed
   */
  hold(
    admitted: Admitted,
    proposal: Proposal,
    verdict: Verdict,
    rendering: Uint8Array,
    ttlSeconds = defaultTtlSeconds,
  ): Hold {
    const { vault, clock } = this.ground;
    const task = admitted.task.id;
    if (!this.tasks.isOpen(task)) throw new AuthorityError('task-closed', `task ${task} is closed`);
    checkRendering(rendering);
    const record = vault.stage(task, recordBytes(task, proposal), recordType);
    if (record.sha256 !== verdict.record.sha256 || verdict.outcome !== 'allow' || this.holds.has(proposal.action)) {
      throw new AuthorityError('proposal', 'held is only what was decided and allowed, and once');
    }
    const now = clock.now();
    const { promise: settled, resolve } = Promise.withResolvers<Settled>();
    const ttlMs = Math.min(Math.max(1, ttlSeconds), maxTtlSeconds) * 1000;
    const held: Held = {
      id: proposal.action,
      task,
      record,
      rendering: vault.stage(task, rendering, 'text/plain'),
      heldAt: new Date(now).toISOString(),
      notBefore: new Date(now).toISOString(),
      expires: new Date(now + ttlMs).toISOString(),
      settled,
      admitted,
      proposal: structuredClone(proposal),
      verdict,
      nonce: toHex(randomBytes(16)),
      settle: resolve,
      cancelTimer: clock.after(ttlMs, () => this.end(proposal.action, { kind: 'expired' })),
      waiting: true,
    };
    this.holds.set(held.id, held);
    this.changed();
    return held;
  }

  /** What waits now, oldest first. */
  list(): readonly Hold[] {
    return [...this.holds.values()].filter(({ waiting }) => waiting);
  }

  /** @throws AuthorityError unknown-hold */
  view(id: string): HoldView {
    const held = this.require(id);
    const { task, record, rendering, heldAt, notBefore, expires, proposal } = held;
    return {
      ...{ id, task, record, rendering, heldAt, notBefore, expires },
      method: proposal.method,
      server: proposal.tool.server,
      tool: proposal.tool.name,
      recordObject: this.ground.vault.get(record.sha256),
      renderingObject: this.ground.vault.get(rendering.sha256),
      word: this.wordOf(held),
    };
  }

  /** The bytes that a person signs under the domain deed-approval-v1. @throws AuthorityError unknown-hold */
  wordBytes(id: string, person: string, decision: 'approve' | 'reject'): Uint8Array {
    return encodeApproval({ ...this.wordOf(this.require(id)), person, decision });
  }

  /**
   * Takes a person's signed answer. An approval is recorded before the hold is released; a rejection ends it, and goes into the
   * refusal. Returns how the hold was settled.
   * @throws AuthorityError unknown-person, not-approver, word (by another key, or not for this hold), unknown-hold (none, or
   *   it has ended), word-expired; EvidenceError signature, statement
   */
  async answer(personId: string, word: Word): Promise<Settled> {
    const person = this.people.require(personId, 'approver', word);
    const bytes = openWord('deed-approval-v1', word);
    const said = parseApproval(bytes);
    const held = this.require(said.action);
    if (!equalBytes(bytes, this.wordBytes(held.id, person.id, said.decision))) {
      throw new AuthorityError('word', 'the signed words are not those of this hold');
    }
    const now = this.ground.clock.now();
    if (now < Date.parse(said.notBefore) || now >= Date.parse(said.expires)) {
      throw new AuthorityError('word-expired', 'the answer came after the hold ended');
    }
    if (said.decision === 'reject') return this.end(held.id, { kind: 'rejected', word });
    return this.approve(held, person, word);
  }

  /** Ends a hold without an answer: the caller went away. @throws AuthorityError unknown-hold */
  cancel(id: string, why: string): void {
    this.require(id);
    this.end(id, { kind: 'cancelled', why });
  }

  /** Called whenever the queue changes; returns how to stop that. */
  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  stop(): void {
    for (const { id } of this.list()) this.end(id, { kind: 'cancelled', why: 'the server stops' });
  }

  private async approve(held: Held, person: Person, word: Word): Promise<Settled> {
    const { id: action, task, record, rendering, verdict } = held;
    if (!this.tasks.isOpen(task)) throw new AuthorityError('task-closed', `task ${task} is closed`);
    const recorded = this.ground.record({
      ...actHeader(held.proposal),
      predicate: 'approval',
      place: { task, chain: 'seq' },
      subject: { name: `action:${action}`, sha256: record.sha256 },
      body: {
        action,
        record,
        rendering,
        person: { id: person.id, enrolled: person.enrolled },
        approval: word,
        grade: 'A0',
        decision: verdict.decision,
      },
      apply: (tx, { digest }) => this.uses.writeAdd(tx, digest, task, action, record.sha256),
    });
    held.waiting = false;
    held.cancelTimer();
    this.tasks.counted(task);
    this.uses.add(recorded.digest, action, record.sha256);
    this.changed();
    await recorded.durable;
    return this.end(action, { kind: 'approved', approval: recorded.digest });
  }

  private end<How extends Settled>(id: string, how: How): How {
    const held = this.holds.get(id);
    if (!held) return how;
    held.waiting = false;
    held.cancelTimer();
    this.holds.delete(id);
    held.settle(how);
    this.changed();
    return how;
  }

  private require(id: string): Held {
    const held = this.holds.get(id);
    if (!held?.waiting) throw new AuthorityError('unknown-hold', `no action ${id} waits for an answer: it ended`);
    return held;
  }

  private wordOf({ task, id: action, record, rendering, nonce, notBefore, expires }: Held): HoldView['word'] {
    const { origin } = this.ground;
    return { origin, task, action, record: record.sha256, rendering: rendering.sha256, nonce, notBefore, expires };
  }

  private changed(): void {
    for (const listener of this.listeners) listener();
  }
}

function checkRendering(rendering: Uint8Array): void {
  if (rendering.length === 0 || rendering.length > maxRenderingBytes) {
    throw new AuthorityError('rendering', `a rendering has 1 to ${maxRenderingBytes} bytes`);
  }
  if (!isPlainText(fromUtf8(rendering))) {
    throw new AuthorityError(
      'rendering',
      'the rendering hides characters: pass each untrusted value through plainText()',
    );
  }
}

import {
  type ActionRecord,
  type ApprovalDecision,
  type ApprovalGrade,
  type ApprovalQuorum,
  type ApprovalWord,
  type Decision,
  encodeApproval,
  equalBytes,
  fromUtf8,
  gradeOf,
  isGrade,
  isPlainText,
  isSameJson,
  keyId,
  openPayload,
  openWord,
  type PayloadRef,
  type PredicateBody,
  parseApproval,
  parseStrictJson,
  randomBytes,
  spkiOfPerson,
  toHex,
  type Word,
} from '@deed/evidence';
import { type Admitted, actHeader, type Proposal, recordBytes, recordType, type Verdict } from '../actions/proposal.ts';
import type { Agents } from '../agents.ts';
import { AuthorityError } from '../errors.ts';
import type { Ground } from '../ground.ts';
import type { People, Person } from '../people/people.ts';
import type { Tasks } from '../tasks/tasks.ts';
import { type ApprovalUses, givenBy } from './approval-uses.ts';
import { Edits } from './edits.ts';
import { whyPartial } from './partial.ts';

export type Settled =
  | { readonly kind: 'approved' /** Digests of the approval statements. */; readonly approvals: readonly string[] }
  | { readonly kind: 'rejected'; readonly word: Word }
  | {
      readonly kind: 'edited';
      readonly word: Word;
      readonly person: string;
      readonly arguments: string;
      /** The payload with these arguments. */
      readonly edit: PayloadRef;
    }
  | { readonly kind: 'expired' }
  | { readonly kind: 'cancelled'; readonly why: string };

/** What came of one answer: the hold ended, or other people are still asked. */
export type Answered = Settled | { readonly kind: 'waiting' /** How many people more. */; readonly people: number };

/** What the approver's own client says of the reading. */
export type Reported = PredicateBody<'approval'>['reported'];

/** An action that waits for a person. Its id is the action's. */
export interface Hold {
  readonly id: string;
  readonly task: string;
  readonly record: PayloadRef;
  readonly rendering: PayloadRef;
  readonly heldAt: string;
  readonly notBefore: string;
  readonly expires: string;
  /** What approval it takes. */
  readonly quorum: ApprovalQuorum;
  /** Never rejects. */
  readonly settled: Promise<Settled>;
}

/** All that a person needs to judge and to answer. */
export interface HoldView extends Omit<Hold, 'settled'> {
  /** The exact arguments, where an edit begins. */
  readonly arguments: string;
  readonly method: string;
  readonly server: string;
  readonly tool: string;
  /** The payload objects, salt first: a client checks that they hash to their names before it shows them. */
  readonly recordObject: Uint8Array;
  readonly renderingObject: Uint8Array;
  /** What the word says, but for the person and the decision. */
  readonly word: Omit<ApprovalWord, 'v' | 'type' | 'says' | 'decision' | 'person' | 'arguments'>;
}

interface Held extends Hold {
  readonly admitted: Admitted;
  readonly proposal: Proposal;
  readonly verdict: Verdict;
  readonly nonce: string;
  readonly settle: (how: Settled) => void;
  readonly cancelTimer: () => void;
  /** The approvals so far. Who gave them is shown to nobody who is still to judge. */
  readonly given: { readonly digest: string; readonly person: string; readonly holder: string }[];
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
  private readonly agents: Agents;
  private readonly tasks: Tasks;
  private readonly uses: ApprovalUses;
  private readonly edits: Edits;
  private readonly holds = new Map<string, Held>();
  private readonly listeners = new Set<() => void>();

  constructor(ground: Ground, people: People, agents: Agents, tasks: Tasks, uses: ApprovalUses) {
    this.ground = ground;
    this.people = people;
    this.agents = agents;
    this.tasks = tasks;
    this.uses = uses;
    this.edits = new Edits(ground, tasks);
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
      quorum: verdict.decision?.quorum ?? { people: 1, grade: 'A0' },
      settled,
      admitted,
      proposal: structuredClone(proposal),
      verdict,
      nonce: toHex(randomBytes(16)),
      settle: resolve,
      cancelTimer: clock.after(ttlMs, () => this.end(proposal.action, { kind: 'expired' })),
      given: [],
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
    const { task, record, rendering, heldAt, notBefore, expires, quorum, proposal } = held;
    return {
      ...{ id, task, record, rendering, heldAt, notBefore, expires, quorum },
      arguments: proposal.record.arguments,
      method: proposal.method,
      server: proposal.tool.server,
      tool: proposal.tool.name,
      recordObject: this.ground.vault.get(record.sha256),
      renderingObject: this.ground.vault.get(rendering.sha256),
      word: this.wordOf(held),
    };
  }

  /**
   * The bytes that a person signs under the domain deed-approval-v1. `edited`: the arguments that an edit asks for.
   * @throws AuthorityError unknown-hold
   */
  wordBytes(id: string, person: string, decision: ApprovalDecision, edited: string | null = null): Uint8Array {
    return encodeApproval({ ...this.wordOf(this.require(id)), person, decision, arguments: edited });
  }

  /** Whose words the arguments of a call are: a person's where it follows his edit, else null. */
  authorOf(record: Omit<ActionRecord, 'author'>): ActionRecord['author'] {
    return this.edits.authorOf(record);
  }

  /** Why this person may not approve it: it is his own, or he did already. Null if he may. @throws AuthorityError unknown-hold */
  whyNot(id: string, person: string): string | null {
    const { admitted, proposal, given } = this.require(id);
    if (given.some((other) => other.person === person)) return 'you approved it already, and it takes another person';
    return whyPartial(this.ground, this.agents, admitted, proposal, person);
  }

  /**
   * Takes a person's signed answer. Approvals are recorded before the hold is released, which happens with the last that it takes; a
   * rejection or an edit ends it, and goes into the refusal. `edited`: the payload object with the arguments that an edit asks for.
   * @throws AuthorityError unknown-person, not-approver (his own, or he answered before, or too weak a key), word (by another key, or
   *   not for this hold), unknown-hold (none, or it has ended), word-expired; EvidenceError signature, statement
   */
  async answer(
    personId: string,
    word: Word,
    { reported = null, edited = null }: { readonly reported?: Reported; readonly edited?: Uint8Array | null } = {},
  ): Promise<Answered> {
    const person = this.people.require(personId, 'approver', word);
    const bytes = openWord('deed-approval-v1', word);
    const said = parseApproval(bytes);
    const held = this.require(said.action);
    if (!equalBytes(bytes, this.wordBytes(held.id, person.id, said.decision, said.arguments))) {
      throw new AuthorityError('word', 'the signed words are not those of this hold');
    }
    const now = this.ground.clock.now();
    if (now < Date.parse(said.notBefore) || now >= Date.parse(said.expires)) {
      throw new AuthorityError('word-expired', 'the answer came after the hold ended');
    }
    if (said.decision === 'reject') return this.end(held.id, { kind: 'rejected', word });
    if (said.decision === 'edit') return this.edit(held, person, word, said.arguments ?? '', edited);
    return this.approve(held, person, word, reported);
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

  /** @throws AuthorityError proposal (no arguments, not a JSON object, or as they were) */
  private edit(held: Held, person: Person, word: Word, name: string, object: Uint8Array | null): Settled {
    const edited = editedText(name, object);
    checkArguments(edited);
    if (isSameJson(edited, held.proposal.record.arguments))
      throw new AuthorityError('proposal', 'nothing was edited: approve it');
    this.edits.add(held.task, held.proposal.record, person.id, edited);
    const edit = this.ground.vault.stageObject(held.task, object ?? new Uint8Array(), 'application/json');
    return this.end(held.id, { kind: 'edited', word, person: person.id, arguments: edited, edit });
  }

  private async approve(held: Held, person: Person, word: Word, reported: Reported): Promise<Answered> {
    const { id: action, task, record, rendering, verdict, quorum, given } = held;
    if (!this.tasks.isOpen(task)) throw new AuthorityError('task-closed', `task ${task} is closed`);
    const header = actHeader(held.proposal);
    const grade = gradeOf(word.signature.kind, header.separation);
    this.requireImpartial(held, person, word, grade);
    const body: PredicateBody<'approval'> = {
      action,
      record,
      rendering,
      person: { id: person.id, enrolled: person.enrolled },
      approval: word,
      grade,
      reported,
      decision: verdict.decision as Decision,
    };
    const use = givenBy(body);
    const recorded = this.ground.record({
      ...header,
      predicate: 'approval',
      place: { task, chain: 'seq' },
      subject: { name: `action:${action}`, sha256: record.sha256 },
      body,
      apply: (tx, { digest }) => this.uses.writeAdd(tx, digest, task, use),
    });
    given.push({ digest: recorded.digest, person: person.id, holder: use.holder });
    const people = quorum.people - given.length;
    if (people === 0) {
      held.waiting = false;
      held.cancelTimer();
    }
    this.tasks.counted(task);
    this.uses.add(recorded.digest, use);
    this.changed();
    await recorded.durable;
    if (people > 0) return { kind: 'waiting', people };
    return this.end(action, { kind: 'approved', approvals: given.map(({ digest }) => digest) });
  }

  /** @throws AuthorityError not-approver */
  private requireImpartial(
    { id, given, quorum }: Held,
    person: Person,
    { signature }: Word,
    grade: ApprovalGrade,
  ): void {
    const holder = keyId(spkiOfPerson({ kind: signature.kind, public: signature.key }));
    const why = this.whyNot(id, person.id);
    if (why !== null) throw new AuthorityError('not-approver', `you cannot approve this: ${why}`);
    if (given.some((other) => other.holder === holder))
      throw new AuthorityError('not-approver', 'this key approved it already: it takes another one');
    if (!isGrade(grade, quorum.grade))
      throw new AuthorityError(
        'not-approver',
        `policy asks for an approval of grade ${quorum.grade}; this is ${grade}`,
      );
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

/** @throws AuthorityError proposal */
function editedText(name: string, object: Uint8Array | null): string {
  if (!object) throw new AuthorityError('proposal', 'an edit comes with the arguments that it asks for');
  try {
    return fromUtf8(openPayload(object, name).bytes);
  } catch (cause) {
    throw new AuthorityError('proposal', `the arguments are not those that were signed: ${(cause as Error).message}`, {
      cause,
    });
  }
}

/** @throws AuthorityError proposal */
function checkArguments(text: string): void {
  let value: unknown;
  try {
    value = parseStrictJson(text).value;
  } catch (cause) {
    throw new AuthorityError('proposal', `the edited arguments are not JSON: ${(cause as Error).message}`, { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new AuthorityError('proposal', 'the edited arguments are not a JSON object');
}

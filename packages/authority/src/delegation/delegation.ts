import {
  acceptSeconds,
  type CitedAgent,
  decodeAllow,
  EvidenceError,
  equalBytes,
  fromBase64,
  type HopParty,
  type HopWord,
  isPassableAllow,
  newId,
  openPayload,
  openWord,
  type PayloadRef,
  parseHop,
  parseHopAccepted,
  parseHopEnded,
  parseStrictJson,
  type RefusalReason,
  sha256,
  toHex,
  utf8,
  type Word,
  type WordDomain,
} from '@deed/evidence';
import type { Recorded } from '@deed/ledger';
import { type AdmitParts, admit } from '../actions/admit.ts';
import { type Admitted, evidenceType } from '../actions/proposal.ts';
import { type Agent, citedAgent } from '../agents.ts';
import { AuthorityError } from '../errors.ts';
import type { Grants } from '../grants.ts';
import { isAbove } from '../policy/evaluate.ts';
import type { LiveTask } from '../tasks/task.ts';
import { chainOfHops, type Hop } from './hop.ts';

/** What a delegator sends: its own token, a proof over the bytes of the word, the word, and the allowed actions. */
export interface HopOffer {
  readonly token: string;
  readonly proof: string;
  readonly word: Word;
  /** The payload object: salt, then the allowed actions. Its name is in the word. */
  readonly allow: Uint8Array;
}

export interface DelegationParts extends AdmitParts {
  readonly grants: Grants;
}

/** The method that the refusal of a hop names. */
export const hopMethod = 'deed/hop';
const allowType = 'application/vnd.deed.allow+json';
const maxAllowBytes = 64 * 1024;
const maxHopsOfTask = 256;
/** An acceptance is written a little later than it is judged. */
const acceptMs = (acceptSeconds - 5) * 1000;
const said = { observed: 'gateway-observed', separation: { agent: 'same-uid', tool: 'none' } } as const;

class Refused extends Error {
  readonly reason: RefusalReason;
  constructor(reason: RefusalReason, detail: string) {
    super(detail);
    this.reason = reason;
  }
}

/** Passing parts of a task on: offered by who holds it, accepted by who is to act, ended by who passed it on. */
export class Delegation {
  private readonly parts: DelegationParts;

  constructor(parts: DelegationParts) {
    this.parts = parts;
  }

  /**
   * Records a hop, in the turn in which this is called. It gives nothing until its delegate accepts it. What does not fit is
   * refused, and the refusal is recorded with the token, the proof and the word: the delegator signed it.
   * @throws AuthorityError word, hop (refused, with the reason), and as `admit`
   */
  async offer(task: string, offer: HopOffer): Promise<Recorded> {
    const { token, proof, word } = offer;
    const body = readWordBytes(word);
    const admitted = admit(this.parts, { kind: 'token', token, proof, body, pop: 'agent' });
    try {
      need(admitted.task.id === task, 'the token is of another task');
      return this.record(admitted, this.checked(admitted, offer), offer);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      const action = newId('action', this.parts.ground.clock.now());
      const { reason, message } = error;
      const what = { action, method: hopMethod, tool: null, record: null };
      await this.parts.refusals.record(admitted, what, { reason, detail: `a hop: ${message}` }).durable;
      throw new AuthorityError('hop', message);
    }
  }

  /**
   * Records that a delegate takes a hop on: from here on it may act by it, in its own name.
   * @throws AuthorityError unknown-hop, hop (late, ended, or somebody else's), word, agent-revoked, task-closed, grant-expired
   */
  accept(task: string, word: Word): Recorded {
    const { ground, agents, hops, grants, tasks } = this.parts;
    const acceptance = opened('deed-hop-accepted-v1', word, parseHopAccepted);
    const { live, hop } = this.find(task, acceptance.hop);
    const agent = agents.requireLive(hop.delegate);
    this.requireSaid(acceptance, task, acceptance.delegate, agent, word);
    if (hop.accepted !== null) throw new AuthorityError('hop', 'this hop was accepted before');
    if (ground.clock.now() > hop.offeredMs + acceptMs)
      throw new AuthorityError('hop', `a hop is accepted within ${acceptSeconds} s: ask for a new one`);
    const above = hop.parent ? hops.line(task, hop.parent.accepted ?? '') : [];
    const hindrance = hop.ended !== null ? ended : hops.hinders(live, above ?? []);
    if (hindrance) throw new AuthorityError(hindrance.code, hindrance.detail);
    const recorded = ground.record({
      ...said,
      predicate: 'hop-accepted',
      place: { task, chain: 'seq' },
      subject: { name: `agent:${agent.id}`, sha256: toHex(sha256(fromBase64(word.bytes))) },
      body: { hop: hop.digest, delegate: agent.id, grant: grants.current(agent.id).digest, word },
      apply: (tx, { digest }) => {
        const changed = tx.run(
          'UPDATE hops SET accepted = ? WHERE digest = ? AND accepted IS NULL',
          digest,
          hop.digest,
        );
        if (changed !== 1) throw new Error(`hop ${hop.digest} was accepted twice`);
      },
    });
    tasks.counted(task);
    hop.accepted = recorded.digest;
    return recorded;
  }

  /**
   * Takes a hop back, and with it whatever was passed on below it. With a word by its delegator, else (null) by an operator.
   * @throws AuthorityError unknown-hop, hop (ended before), word, agent-revoked, task-closed
   */
  end(task: string, digest: string, word: Word | null): Recorded {
    const { ground, agents, tasks } = this.parts;
    const { hop } = this.find(task, digest);
    if (word) {
      const end = opened('deed-hop-ended-v1', word, parseHopEnded);
      this.requireSaid(end, task, end.delegator, agents.requireLive(hop.delegator), word);
      if (end.hop !== digest) throw this.stranger('the word ends another hop');
    }
    if (hop.ended !== null) throw new AuthorityError('hop', 'this hop was ended before');
    const recorded = ground.record({
      ...said,
      predicate: 'hop-ended',
      place: { task, chain: 'seq' },
      subject: { name: `hop:${digest}`, sha256: digest },
      body: { hop: digest, by: word ? 'delegator' : 'operator', word },
      apply: (tx, entry) => {
        tx.run('UPDATE hops SET ended = ? WHERE digest = ?', entry.digest, digest);
      },
    });
    tasks.counted(task);
    hop.ended = recorded.digest;
    return recorded;
  }

  /** The hops of a task, oldest first. */
  list(task: string): readonly Hop[] {
    return this.parts.hops.ofTask(task);
  }

  private find(task: string, digest: string): { readonly live: LiveTask; readonly hop: Hop } {
    const { tasks, hops } = this.parts;
    if (!tasks.get(task)) throw new AuthorityError('unknown-task', `there is no task ${task}`);
    const live = tasks.isOpen(task) ? tasks.liveTask(task) : undefined;
    if (!live) throw new AuthorityError('task-closed', `task ${task} is closed`);
    const hop = hops.find(task, digest);
    if (!hop) throw new AuthorityError('unknown-hop', `task ${task} has no hop ${digest}`);
    return { live, hop };
  }

  /** A word about a hop is of this task, and by the very key of the agent that it names. */
  private requireSaid(
    where: { readonly origin: string; readonly task: string },
    task: string,
    party: HopParty,
    agent: Agent,
    word: Word,
  ): void {
    if (where.origin !== this.parts.ground.origin || where.task !== task)
      throw this.stranger('the word is for another task');
    if (!isOf(party, agent) || !isSignedBy(word, agent))
      throw this.stranger(`the word is not by the key of ${agent.id}`);
  }

  private stranger(message: string): AuthorityError {
    const error = new AuthorityError('word', message);
    this.parts.rejects.count(error);
    return error;
  }

  /** @throws Refused */
  private checked(
    admitted: Admitted,
    { token, word, allow }: HopOffer,
  ): { readonly said: HopWord; readonly delegate: Agent } {
    const { ground, agents, hops } = this.parts;
    const { agent, task } = admitted;
    const holder = admitted.hops.at(-1) ?? null;
    const said = openedOrRefused(word);
    need(agent !== null && isSignedBy(word, agent), 'the word is not signed with the key of the one who sent it');
    need(said.origin === ground.origin && said.task === task.id, 'the word is for another task');
    need(agent !== null && isOf(said.delegator, agent), 'the word names another delegator');
    need(said.token === toHex(sha256(utf8(token))), 'the word names another token than the one it came with');
    need(
      said.parent === (holder?.accepted ?? null),
      'the word names another hop than the one by which its delegator holds this',
    );
    const delegate = agents.get(said.delegate.agent);
    if (!delegate || !isOf(said.delegate, delegate))
      throw new Refused('denied', 'the delegate is not enrolled with this key');
    need(delegate.revoked === null, 'the delegate was revoked');
    const chain = [task.agent, ...admitted.hops.map((hop) => hop.delegate)];
    need(!chain.includes(delegate.id), 'the delegate is in the chain already');
    need(hops.ofTask(task.id).length < maxHopsOfTask, `a task has at most ${maxHopsOfTask} hops`);
    checkNarrower(said, holder ?? task);
    const bytes = readObject(said.allow, allow);
    const inner = readAllow(bytes);
    const held = [holder?.allow ?? task.allow, admitted.allow ?? []];
    within(
      held.every((wide) => isPassableAllow(inner, wide)),
      'it allows what its delegator may not',
    );
    need(!ground.vault.has(said.allow), 'its allowed actions were sent before: salt them anew');
    return { said, delegate };
  }

  private record(
    admitted: Admitted,
    { said: terms, delegate }: { readonly said: HopWord; readonly delegate: Agent },
    { word, allow: object }: HopOffer,
  ): Recorded {
    const { ground, hops, proofs, tasks } = this.parts;
    const { agent, task, evidence, proof } = admitted;
    if (!agent || !evidence) throw new AuthorityError('hop', 'a task without an agent is not passed on');
    const parent = admitted.hops.at(-1) ?? null;
    const allow: PayloadRef = ground.vault.stageObject(task.id, object, allowType);
    const { ceiling, actions: budget, deadline, depth } = terms;
    const [deadlineMs, offeredMs] = [Date.parse(deadline), ground.clock.now()];
    const recorded = ground.record({
      ...said,
      predicate: 'hop',
      place: { task: task.id, chain: 'seq' },
      subject: { name: `agent:${delegate.id}`, sha256: toHex(sha256(fromBase64(word.bytes))) },
      body: {
        delegator: citedAgent(agent),
        delegate: citedAgent(delegate),
        parent: chainOfHops(admitted.hops).at(-1) ?? null,
        evidence: ground.vault.stage(task.id, evidence, evidenceType),
        allow,
        ceiling,
        budget: { actions: budget },
        deadline,
        depth,
        word,
      },
      apply: (tx, { digest }) => {
        proofs.write(tx, proof, digest);
        tx.run(
          `INSERT INTO hops (digest, task, parent, delegator, delegate, allow_, ceiling, budget, used, deadline_ms, depth,
           offered_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?)`,
          ...[digest, task.id, parent?.accepted ?? null, agent.id, delegate.id, JSON.stringify(allow)],
          ...[ceiling, budget, deadlineMs, depth, offeredMs],
        );
      },
    });
    const { digest } = recorded;
    const limits = { allow: readAllow(openPayload(object, allow.sha256).bytes), ceiling, budget, deadlineMs, depth };
    const state = { offeredMs, used: 0, accepted: null, ended: null };
    hops.add({ digest, task: task.id, parent, delegator: agent.id, delegate: delegate.id, ...limits, ...state });
    tasks.counted(task.id);
    proofs.used(proof, digest);
    return recorded;
  }
}

const ended = { code: 'hop-ended', detail: 'this hop was taken back' } as const;

/** The bytes of a word, which are the message that its proof is for: strict JSON, so that a verifier reads it too. */
function readWordBytes({ bytes }: Word): Uint8Array {
  try {
    const body = fromBase64(bytes);
    parseStrictJson(body, { refuseCaseVariants: true });
    return body;
  } catch (cause) {
    throw new AuthorityError('word', 'the word of a hop is not strict JSON', { cause });
  }
}

/** @throws AuthorityError word */
function opened<T>(domain: WordDomain, word: Word, parse: (bytes: Uint8Array) => T): T {
  try {
    return parse(openWord(domain, word));
  } catch (cause) {
    if (!(cause instanceof EvidenceError)) throw cause;
    throw new AuthorityError('word', cause.message, { cause });
  }
}

function openedOrRefused(word: Word): HopWord {
  try {
    return opened('deed-hop-v1', word, parseHop);
  } catch (error) {
    if (!(error instanceof AuthorityError)) throw error;
    throw new Refused('denied', error.message);
  }
}

/** What is passed on is within what its delegator holds. */
function checkNarrower(said: HopWord, wide: Pick<Hop, 'ceiling' | 'budget' | 'used' | 'deadlineMs' | 'depth'>): void {
  within(!isAbove(said.ceiling, wide.ceiling), `its ceiling ${said.ceiling} is above ${wide.ceiling}`);
  within(Date.parse(said.deadline) <= wide.deadlineMs, 'it lasts longer than what its delegator holds');
  within(said.depth < wide.depth, `it goes deeper: its delegator may pass on ${wide.depth} hops more`);
  const left = wide.budget - wide.used;
  within(said.actions <= left, `it passes on ${said.actions} actions, and ${left} are left`);
}

function readObject(name: string, object: Uint8Array): Uint8Array {
  need(object.length <= maxAllowBytes, 'the allowed actions are too large');
  try {
    return openPayload(object, name).bytes;
  } catch {
    throw new Refused('denied', 'the allowed actions are not those that the word names');
  }
}

function readAllow(bytes: Uint8Array) {
  try {
    return decodeAllow(bytes);
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    throw new Refused('denied', error.message);
  }
}

function isOf({ agent, jkt }: HopParty, { id, jkt: own }: Pick<CitedAgent, 'id' | 'jkt'>): boolean {
  return agent === id && jkt === own;
}

function isSignedBy({ signature }: Word, { spki }: Agent): boolean {
  return signature.kind === 'es256' && equalBytes(fromBase64(signature.key), spki);
}

function need(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new Refused('denied', otherwise);
}

function within(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new Refused('outside-grant', otherwise);
}

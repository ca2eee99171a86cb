import type { Admitted, Authority, Hold, Proposal, Settled, Verdict } from '@deed/authority';
import { fromUtf8, openPayload } from '@deed/evidence';
import type { Call, HeldAt } from './call.ts';
import { Refused } from './refused.ts';
import { renderAction } from './rendering.ts';
import { type ResourceState, readState } from './resource-state.ts';

export interface HoldsOptions {
  readonly authority: Authority;
  readonly now: () => number;
  /** How long a call waits for a person before it is told to come back, in milliseconds. */
  readonly holdMs: number;
  /** Where people approve in a browser: an action's id is appended. Null where nothing is served to browsers. */
  readonly page?: () => string | null;
}

/** The caller is told to come back; nothing was decided yet. */
export class StillHeld extends Error {
  readonly hold: HeldAt;
  /** The user of its client is to be shown the page, in the answer. */
  readonly ask: boolean;
  constructor(hold: HeldAt, ask: boolean) {
    super(hold.message);
    this.hold = hold;
    this.ask = ask;
  }
}

/** A call that waits for people's words, from its first message to its last. */
export interface Waiting {
  readonly hold: Hold;
  /** What is asked for, however often and by whatever name: who said no to it is not asked about it again. */
  readonly what: string;
  readonly proposal: Proposal;
  /** What the rendering said of the resources, as they were. */
  readonly state: ResourceState;
  /** A call waits for it now: only one does, so that one approval has one taker. */
  attended: boolean;
  /** The user of the caller's client was asked to open the page: that is done once. */
  asked: boolean;
}

export interface Approved {
  readonly approvals: readonly string[];
  readonly state: ResourceState;
}

/** Most calls of one task that somebody said no to and that are remembered. */
const maxRefused = 10_000;

/** The calls that wait for people, and those that people said no to. */
export class Holds {
  private readonly options: HoldsOptions;
  private readonly waiting = new Map<string, Waiting>();
  /** By task: nobody is asked about them again. */
  private readonly refused = new Map<string, Map<string, string>>();

  constructor(options: HoldsOptions) {
    this.options = options;
    options.authority.tasks.onClose((task) => this.refused.delete(task));
  }

  /** What an earlier, identical call left behind, as long as its approval is good. @throws StillHeld while that one waits */
  of(admitted: Admitted, call: Call): Waiting | undefined {
    const key = keyOf(admitted, call);
    const waiting = this.waiting.get(key);
    if (waiting?.attended) throw this.stillHeld(waiting);
    if (!waiting || this.options.now() < Date.parse(waiting.hold.expires)) return waiting;
    this.waiting.delete(key);
    return undefined;
  }

  /**
   * Waits until as many people as it takes signed exactly this, and gives the digests of the approvals.
   * @throws StillHeld, Refused
   */
  async approved(admitted: Admitted, proposal: Proposal, verdict: Verdict, call: Call): Promise<Approved> {
    const key = keyOf(admitted, call);
    const what = whatOf(admitted, call);
    const no = this.waiting.has(key) ? undefined : this.refused.get(admitted.task.id)?.get(what);
    if (no !== undefined) throw new Refused('denied', `${no}; nobody is asked again in this task`, { verdict });
    const state = this.waiting.get(key)?.state ?? (await readState(proposal.record));
    const waiting = this.waiting.get(key) ?? this.begin(key, what, admitted, proposal, verdict, state);
    if (waiting.attended || waiting.proposal !== proposal) throw this.stillHeld(waiting); // an equal call came first
    waiting.attended = true;
    try {
      const settled = await this.settled(admitted.task.id, waiting, call);
      this.waiting.delete(key);
      if (settled.kind === 'approved') return { approvals: settled.approvals, state: waiting.state };
      throw refusalOf(settled, verdict);
    } finally {
      waiting.attended = false;
    }
  }

  /** How it ended, if it does while this call waits. @throws StillHeld */
  private async settled(task: string, waiting: Waiting, call: Call): Promise<Settled> {
    const { hold } = waiting;
    const held = this.heldAt(waiting.hold);
    const ask = waiting.asked || held.page === null ? undefined : call.ask;
    if (ask) waiting.asked = true;
    if (ask?.kind === 'in-answer') throw this.stillHeld(waiting, true);
    const cancel = () => this.cancel(hold.id, 'the caller cancelled or went away');
    const decline = () => {
      this.sayNo(task, waiting.what, 'the user of the client declined this very call');
      this.cancel(hold.id, 'the user of the client declined');
    };
    call.signal.addEventListener('abort', cancel, { once: true });
    if (call.signal.aborted) cancel();
    if (call.answered === 'declined') decline();
    const asked = async (): Promise<Settled | 'later'> => {
      const said = await ask?.ask(held);
      if (said === 'declined') decline();
      return said === 'dismissed' ? 'later' : hold.settled;
    };
    const patienceMs = call.answered === 'dismissed' ? 0 : (call.patienceMs ?? this.options.holdMs);
    try {
      const settled = await Promise.race([asked(), hold.settled, after(patienceMs)]);
      if (settled === 'later') throw this.stillHeld(waiting);
      return settled;
    } finally {
      call.signal.removeEventListener('abort', cancel);
    }
  }

  private cancel(id: string, why: string): void {
    const { approvals } = this.options.authority;
    if (approvals.list().some((hold) => hold.id === id)) approvals.cancel(id, why);
  }

  private begin(
    key: string,
    what: string,
    admitted: Admitted,
    proposal: Proposal,
    verdict: Verdict,
    state: ResourceState,
  ): Waiting {
    const { approvals } = this.options.authority;
    const hold = approvals.hold(admitted, proposal, verdict, this.rendering(admitted, proposal, verdict, state));
    const waiting = { hold, what, proposal, state, attended: false, asked: false };
    this.waiting.set(key, waiting);
    void hold.settled.then(({ kind }) => {
      if (kind === 'rejected') this.sayNo(admitted.task.id, what, 'a person said no to this very call');
      // A person's answer that came while no call waited is for the next one.
      const isOver = kind === 'expired' || kind === 'cancelled';
      if (isOver && this.waiting.get(key) === waiting) this.waiting.delete(key);
    });
    return waiting;
  }

  private sayNo(task: string, what: string, why: string): void {
    const said = this.refused.get(task) ?? new Map<string, string>();
    if (said.size < maxRefused) said.set(what, why);
    this.refused.set(task, said);
  }

  private stillHeld(waiting: Waiting, ask = false): StillHeld {
    return new StillHeld(this.heldAt(waiting.hold), ask);
  }

  /** What a caller is told of what waits. */
  heldAt({ id, expires, quorum }: Pick<Hold, 'id' | 'expires' | 'quorum'>): HeldAt {
    const pages = this.options.page?.() ?? null;
    const page = pages && `${pages}${id}`;
    const who = quorum.people === 1 ? 'a person' : `${quorum.people} people`;
    const where = page === null ? '' : ` (or ${page})`;
    return {
      id,
      page,
      expires,
      message: `waits for ${who}: deed approve ${id}${where}; then make the same call again`,
    };
  }

  private rendering(admitted: Admitted, proposal: Proposal, verdict: Verdict, state: ResourceState): Uint8Array {
    return renderAction(proposal.record, {
      agent: this.agentOf(admitted),
      behalf: admitted.task.principalId,
      objective: this.objectiveOf(admitted),
      tier: verdict.tier,
      reasons: verdict.decision?.reasons ?? [],
      quorum: verdict.decision?.quorum ?? { people: 1, grade: 'A0' },
      state,
    });
  }

  /** Who acts, for whom: an approver sees everybody in the line. */
  private agentOf({ agent, task, hops }: Admitted): string {
    if (!agent) return 'agent not enrolled';
    const { agents } = this.options.authority;
    const above = [task.agent ?? '', ...hops.slice(0, -1).map(({ delegate }) => delegate)].reverse();
    const named = hops.length === 0 ? [] : above.map((id) => agents.get(id)?.spiffe ?? id);
    return [agent.spiffe, ...named].join(' for ');
  }

  private objectiveOf({ task }: Admitted): string {
    const { sha256: name } = task.objective;
    return fromUtf8(openPayload(this.options.authority.vault.get(name), name).bytes);
  }
}

/** @returns what to throw for a hold that ended without an approval */
function refusalOf(settled: Exclude<Settled, { kind: 'approved' }>, verdict: Verdict): Refused {
  switch (settled.kind) {
    case 'edited': {
      // What it asks for is a payload: of a statement nothing is ever erased.
      const told = `a person asks for other arguments: make the call with exactly these, which others then judge: ${settled.arguments}`;
      const extra = { verdict, rejection: settled.word, edit: settled.edit };
      return new Refused('edited', 'a person asks for other arguments', extra, told);
    }
    case 'rejected':
      return new Refused('rejected', 'a person said no', { verdict, rejection: settled.word });
    case 'expired':
      return new Refused('expired', 'nobody answered in time', { verdict });
    case 'cancelled':
      return new Refused('cancelled', `${settled.why} while it waited`, { verdict });
  }
}

/** What makes two calls one that waits: what is asked for, and the action where its caller named it. */
function keyOf(admitted: Admitted, call: Call): string {
  return `${call.action ?? ''} ${whatOf(admitted, call)}`;
}

function whatOf(admitted: Admitted, call: Call): string {
  const actor = [admitted.agent?.id ?? null, admitted.hops.at(-1)?.digest ?? null];
  return JSON.stringify([admitted.task.id, ...actor, call.tool.name, call.method, call.name, call.arguments.raw]);
}

function after(ms: number): Promise<'later'> {
  return new Promise((resolve) => setTimeout(() => resolve('later'), ms).unref());
}

import type { Admitted, Authority, Hold, Proposal, Verdict } from '@deed/authority';
import {
  type ActionRecord,
  DeedError,
  encodeActionRecord,
  equalBytes,
  fromUtf8,
  newId,
  type Operands,
  openPayload,
  type PayloadRef,
  type RefusalReason,
  sha256,
  toHex,
  utf8,
  type Word,
} from '@deed/evidence';
import type { PublishedCheckpoint, Recorded } from '@deed/ledger';
import type { Answer, Call } from './call.ts';
import { dispatchThroughWindow } from './dispatch.ts';
import { GatewayError } from './errors.ts';
import { resolveOperands } from './operands.ts';
import { renderAction } from './rendering.ts';
import { isSameState, type ResourceState, readState } from './resource-state.ts';
import type { Definition } from './tools/pins.ts';

export type Acted =
  | { readonly kind: 'answered'; readonly answer: Answer }
  | { readonly kind: 'held'; readonly message: string }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string };

export interface WalkOptions {
  readonly authority: Authority;
  readonly now: () => number;
  /** How long a call waits for a person before it is told to come back, in milliseconds. */
  readonly holdMs: number;
  /** How long an action waits for a cosigned checkpoint, in milliseconds. */
  readonly witnessMs: number;
  /** Whether an attest action waits for one too (`closed`). An approve action always does. */
  readonly attest: 'open' | 'closed';
  /** Where people approve in a browser: an action's id is appended. Null where nothing is served to browsers. */
  readonly page?: () => string | null;
}

/** Ends the walk with a refusal, which is then recorded. */
class Refused extends Error {
  readonly reason: RefusalReason;
  readonly extra: RefusalExtra;
  /** What the caller is told, where that is more than is recorded. */
  readonly told: string;
  constructor(reason: RefusalReason, detail: string, extra: RefusalExtra = {}, told = detail) {
    super(detail);
    this.reason = reason;
    this.extra = extra;
    this.told = told;
  }
}

interface RefusalExtra {
  readonly verdict?: Verdict;
  readonly cites?: string;
  readonly approvals?: readonly string[];
  readonly rejection?: Word;
  readonly edit?: PayloadRef;
}

interface Waiting {
  readonly hold: Hold;
  readonly proposal: Proposal;
  /** What the rendering said of the resources, as they were. */
  readonly state: ResourceState;
  /** A call waits for it now: only one does, so that one approval has one taker. */
  attended: boolean;
}

/** The caller is told to come back; nothing was decided yet. */
class StillHeld extends Error {
  constructor({ hold }: Waiting, page: string | null) {
    const [people, where] = [hold.quorum.people, page === null ? '' : ` (or ${page}${hold.id})`];
    const who = people === 1 ? 'a person' : `${people} people`;
    super(`waits for ${who}: deed approve ${hold.id}${where}; then make the same call again`);
  }
}

/** The way of one action through the house: receive, authorize, approve, record, dispatch, record, reply. */
export class Walk {
  private readonly options: WalkOptions;
  private readonly waiting = new Map<string, Waiting>();

  constructor(options: WalkOptions) {
    this.options = options;
  }

  /**
   * Takes one received call to its end. A refusal of the walk is durable before it is returned; one of admission or of the
   * intent (a replay, a closed task, a spent budget) is on its way to the log by then (G-035).
   */
  async act(call: Call): Promise<Acted> {
    const { actions } = this.options.authority;
    try {
      const admitted = await actions.admit(call.caller);
      const draft = { proposal: unresolved(newId('action', this.options.now()), admitted, call) };
      try {
        return await this.walk(admitted, call, draft);
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        const { reason, extra, message, told } = error;
        await actions.refuse(admitted, draft.proposal, reason, message, extra).durable;
        return { kind: 'refused', code: reason, message: told };
      }
    } catch (error) {
      if (error instanceof StillHeld) return { kind: 'held', message: error.message };
      // Authority recorded it already; a ledger that cannot write refuses everything.
      if (error instanceof DeedError) return { kind: 'refused', code: error.code, message: error.message };
      throw error;
    }
  }

  private async walk(admitted: Admitted, call: Call, draft: { proposal: Proposal }): Promise<Acted> {
    const { actions } = this.options.authority;
    if (call.task !== null && call.task !== admitted.task.id) {
      throw new Refused('denied', 'the message is of another task than its session');
    }
    const waiting = this.waitingFor(admitted, call);
    draft.proposal = waiting?.proposal ?? (await this.resolved(draft.proposal, call));
    const { proposal } = draft;
    const verdict = actions.decide(admitted, proposal);
    if (verdict.outcome === 'deny') throw new Refused(verdict.reason ?? 'denied', verdict.detail, { verdict });
    let approvals: readonly string[] = [];
    let state: ResourceState | null = null;
    if (verdict.needsApproval) {
      ({ approvals, state } = await this.approved(admitted, proposal, verdict, call));
      await compareOperands(proposal, call, state, { verdict, approvals });
    }
    const intent = actions.intend(admitted, proposal, verdict, approvals);
    const ending = { verdict, cites: intent.digest, approvals };
    const checkpoint = await this.recorded(intent, verdict, ending);
    if (state || checkpoint) await compareOperands(proposal, call, state, ending); // time went by
    if (call.signal.aborted) throw new Refused('cancelled', 'the caller went away before it was dispatched', ending);
    const { answer, effects } = await dispatchThroughWindow(call, proposal.record.operands).catch((error: unknown) => {
      if (error instanceof DeedError) throw new Refused('denied', error.message, ending);
      throw error;
    });
    const anchor = checkpoint && {
      size: checkpoint.size,
      root: toHex(checkpoint.root),
      note: toHex(sha256(utf8(checkpoint.note))),
    };
    const outcome = actions.conclude(intent, {
      status: answer.status,
      result: answer.bytes && { bytes: answer.bytes },
      effects,
      anchor,
    });
    if (verdict.tier !== 'observe') await outcome.durable;
    return { kind: 'answered', answer };
  }

  /** The hold that an earlier, identical call left behind, as long as its approval is good. @throws StillHeld */
  private waitingFor(admitted: Admitted, call: Call): Waiting | undefined {
    const key = waitingKey(admitted, call);
    const waiting = this.waiting.get(key);
    if (waiting?.attended) throw this.stillHeld(waiting);
    if (!waiting || this.options.now() < Date.parse(waiting.hold.expires)) return waiting;
    this.waiting.delete(key);
    return undefined;
  }

  /** Waits until as many people as it takes signed exactly this, and returns the digests of the approvals. */
  private async approved(
    admitted: Admitted,
    proposal: Proposal,
    verdict: Verdict,
    call: Call,
  ): Promise<{ readonly approvals: readonly string[]; readonly state: ResourceState }> {
    const { approvals } = this.options.authority;
    const key = waitingKey(admitted, call);
    const state = this.waiting.get(key)?.state ?? (await readState(proposal.record));
    const waiting = this.waiting.get(key) ?? this.hold(key, admitted, proposal, verdict, state);
    const { hold } = waiting;
    if (waiting.attended || waiting.proposal !== proposal) throw this.stillHeld(waiting); // an equal call came first
    waiting.attended = true;
    const cancel = () => {
      const waits = approvals.list().some(({ id }) => id === hold.id);
      if (waits) approvals.cancel(hold.id, 'the caller cancelled or went away');
    };
    call.signal.addEventListener('abort', cancel, { once: true });
    if (call.signal.aborted) cancel();
    try {
      const settled = await Promise.race([hold.settled, after(this.options.holdMs)]);
      if (settled === 'later') throw this.stillHeld(waiting);
      this.waiting.delete(key);
      if (settled.kind === 'approved') return { approvals: settled.approvals, state: waiting.state };
      if (settled.kind === 'edited') {
        // What it asks for is a payload: of a statement nothing is ever erased.
        const told = `a person asks for other arguments: make the call with exactly these, which others then judge: ${settled.arguments}`;
        const extra = { verdict, rejection: settled.word, edit: settled.edit };
        throw new Refused('edited', 'a person asks for other arguments', extra, told);
      }
      if (settled.kind === 'rejected')
        throw new Refused('rejected', 'a person said no', { verdict, rejection: settled.word });
      if (settled.kind === 'expired') throw new Refused('expired', 'nobody answered in time', { verdict });
      throw new Refused('cancelled', 'the caller cancelled or went away while it waited', { verdict });
    } finally {
      waiting.attended = false;
      call.signal.removeEventListener('abort', cancel);
    }
  }

  private hold(key: string, admitted: Admitted, proposal: Proposal, verdict: Verdict, state: ResourceState): Waiting {
    const { approvals } = this.options.authority;
    const hold = approvals.hold(admitted, proposal, verdict, this.rendering(admitted, proposal, verdict, state));
    const waiting = { hold, proposal, state, attended: false };
    this.waiting.set(key, waiting);
    void hold.settled.then(
      ({ kind }) => kind !== 'approved' && this.waiting.get(key) === waiting && this.waiting.delete(key),
    );
    return waiting;
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

  private stillHeld(waiting: Waiting): StillHeld {
    return new StillHeld(waiting, this.options.page?.() ?? null);
  }

  /** Fixes what will be done: the pinned definition, the operands, and who wrote the arguments, all as they are now. */
  private async resolved(proposal: Proposal, call: Call): Promise<Proposal> {
    const fixed = await resolved(proposal, call);
    const author = this.options.authority.approvals.authorOf(fixed.record);
    return { ...fixed, record: { ...fixed.record, author } };
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

  /** Waits until the intent is as safe as its tier demands: on the disk, or under a checkpoint that the witnesses signed. */
  private async recorded(
    intent: Recorded,
    { tier }: Verdict,
    ending: RefusalExtra,
  ): Promise<PublishedCheckpoint | null> {
    if (tier === 'observe') return null;
    await intent.durable;
    const { attest, witnessMs } = this.options;
    if (tier !== 'approve' && !(tier === 'attest' && attest === 'closed')) return null;
    const patience = AbortSignal.timeout(witnessMs);
    return intent.witnessed(patience).catch((error: unknown) => {
      if (!patience.aborted) throw error;
      throw new Refused('unwitnessed', 'not enough witnesses signed a checkpoint over the intent in time', ending);
    });
  }
}

function waitingKey(admitted: Admitted, call: Call): string {
  const actor = [admitted.agent?.id ?? null, admitted.hops.at(-1)?.digest ?? null];
  return JSON.stringify([admitted.task.id, ...actor, call.tool.name, call.method, call.name, call.arguments.raw]);
}

function unresolved(action: string, admitted: Admitted, call: Call): Proposal {
  const tool = { server: call.tool.name, name: call.name, definition: null, executable: call.tool.executable };
  const record: ActionRecord = {
    v: 1,
    action,
    task: admitted.task.id,
    method: call.method,
    server: tool.server,
    tool: tool.name,
    definition: null,
    executable: tool.executable,
    arguments: call.arguments.raw,
    operands: { kind: 'none' },
    author: null,
  };
  return { action, method: call.method, tool, record, hints: {} };
}

/** The pinned definition and the operands, both as they are now. */
async function resolved(proposal: Proposal, call: Call): Promise<Proposal> {
  let definition: Definition | null;
  try {
    definition = await call.definition();
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    throw new Refused(error.code === 'tool-changed' ? 'tool-changed' : 'tool-unknown', error.message);
  }
  const digest = definition?.digest ?? null;
  const operands = await operandsOf(call).catch((error: unknown) => {
    if (error instanceof DeedError) throw new Refused('denied', error.message);
    throw error;
  });
  return {
    ...proposal,
    tool: { ...proposal.tool, definition: digest },
    record: { ...proposal.record, definition: digest, operands },
    hints: definition?.hints ?? {},
  };
}

function operandsOf(call: Call): Promise<Operands> {
  const { tool, name, relay, signal } = call;
  if (call.method !== 'tools/call') return Promise.resolve({ kind: 'none' });
  return resolveOperands({ tool, name, arguments: call.arguments.value, relay, signal });
}

/**
 * What was approved is what runs: definition and operands are resolved again and must give the same action record, and what the
 * approver was shown of the resources must still be so.
 */
async function compareOperands(
  proposal: Proposal,
  call: Call,
  state: ResourceState | null,
  extra: RefusalExtra,
): Promise<void> {
  const definition = await call.definition().catch((error: unknown) => {
    if (error instanceof DeedError) throw new Refused('tool-changed', error.message, extra);
    throw error;
  });
  const operands = await operandsOf(call).catch((error: unknown) => {
    if (error instanceof DeedError)
      throw new Refused('operands-changed', `they cannot be told any more: ${error.message}`, extra);
    throw error;
  });
  const now = encodeActionRecord({ ...proposal.record, definition: definition?.digest ?? null, operands });
  if (!equalBytes(now, encodeActionRecord(proposal.record))) {
    throw new Refused('operands-changed', 'what would run now is not what was approved', extra);
  }
  if (state && !isSameState(state, await readState(proposal.record))) {
    throw new Refused('operands-changed', 'what it touches is no longer as the approver was shown it', extra);
  }
}

function after(ms: number): Promise<'later'> {
  return new Promise((resolve) => setTimeout(() => resolve('later'), ms).unref());
}

import type { Admitted, Caller, Proposal, Verdict } from '@deed/authority';
import {
  type ActionRecord,
  DeedError,
  encodeActionRecord,
  equalBytes,
  newId,
  type Operands,
  sha256,
  toHex,
  utf8,
} from '@deed/evidence';
import type { PublishedCheckpoint, Recorded } from '@deed/ledger';
import type { Answer, Call, HeldAt } from './call.ts';
import { dispatchThroughWindow } from './dispatch.ts';
import { GatewayError } from './errors.ts';
import { Holds, type HoldsOptions, StillHeld } from './holds.ts';
import type { Prompts } from './model/prompts.ts';
import { resolveOperands } from './operands.ts';
import { type RefusalExtra, Refused } from './refused.ts';
import { isSameState, type ResourceState, readState } from './resource-state.ts';
import type { Definition } from './tools/pins.ts';
import { claimedTrace } from './trace.ts';

export type Acted =
  | { readonly kind: 'answered'; readonly answer: Answer }
  /** `ask`: the caller's client is to show its user where to approve, in this very answer. */
  | { readonly kind: 'held'; readonly message: string; readonly hold: HeldAt; readonly ask: boolean }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string };

export interface WalkOptions extends HoldsOptions {
  /** How long an action waits for a cosigned checkpoint, in milliseconds. */
  readonly witnessMs: number;
  /** Whether an attest action waits for one too (`closed`). An approve action always does. */
  readonly attest: 'open' | 'closed';
  /** Which prompt led to a call, where the model relay saw it. */
  readonly prompts?: Pick<Prompts, 'cite' | 'intended' | 'answered'>;
}

/** The way of one action through the house: receive, authorize, approve, record, dispatch, record, reply. */
export class Walk {
  private readonly options: WalkOptions;
  private readonly holds: Holds;

  constructor(options: WalkOptions) {
    this.options = options;
    this.holds = new Holds(options);
  }

  /**
   * Takes one received call to its end. A refusal of the walk is durable before it is returned; one of admission or of the
   * intent (a replay, a closed task, a spent budget) is on its way to the log by then (G-035).
   */
  async act(call: Call): Promise<Acted> {
    const { actions } = this.options.authority;
    try {
      const admitted = await actions.admit(call.caller);
      const action = call.action ?? newId('action', this.options.now());
      const draft = { proposal: unresolved(action, admitted, call) };
      try {
        return await this.walk(admitted, call, draft);
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        const { reason, extra, message, told } = error;
        await actions.refuse(admitted, draft.proposal, reason, message, extra).durable;
        return { kind: 'refused', code: reason, message: told };
      }
    } catch (error) {
      if (error instanceof StillHeld) {
        const { message, hold, ask } = error;
        return { kind: 'held', message, hold, ask };
      }
      // Authority recorded it already; a ledger that cannot write refuses everything.
      if (error instanceof DeedError) return { kind: 'refused', code: error.code, message: error.message };
      throw error;
    }
  }

  /** Lets in a further message of an action that is under way: its proof is used up. @throws AuthorityError */
  async join(caller: Caller): Promise<void> {
    await this.options.authority.actions.admit(caller);
  }

  /** Of an action that waits for people: where, and until when. Null for any other. */
  heldAt(action: string): HeldAt | null {
    const hold = this.options.authority.approvals.list().find(({ id }) => id === action);
    return hold ? this.holds.heldAt(hold) : null;
  }

  private async walk(admitted: Admitted, call: Call, draft: { proposal: Proposal }): Promise<Acted> {
    const { actions } = this.options.authority;
    if (call.task !== null && call.task !== admitted.task.id) {
      throw new Refused('denied', 'the message is of another task than its session');
    }
    const waiting = this.holds.of(admitted, call);
    draft.proposal = waiting?.proposal ?? (await this.resolved(draft.proposal, call));
    const { proposal } = draft;
    const verdict = actions.decide(admitted, proposal);
    if (verdict.outcome === 'deny') throw new Refused(verdict.reason ?? 'denied', verdict.detail, { verdict });
    let approvals: readonly string[] = [];
    let state: ResourceState | null = null;
    if (verdict.needsApproval) {
      ({ approvals, state } = await this.holds.approved(admitted, proposal, verdict, call));
      await compareOperands(proposal, call, state, { verdict, approvals });
    }
    const prompt = await this.promptOf(admitted, call);
    const context = { ...(prompt ? { prompt } : {}), ...claimedTrace(call.trace) };
    const intent = actions.intend(admitted, { ...proposal, ...context }, verdict, approvals);
    if (prompt) this.options.prompts?.intended(admitted.task.id, prompt, intent.digest);
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
      result: answer.bytes && { bytes: answer.bytes, ...(answer.type === undefined ? {} : { type: answer.type }) },
      effects,
      anchor,
    });
    if (prompt) this.options.prompts?.answered(admitted.task.id, intent.digest, answer.bytes);
    if (verdict.tier !== 'observe') await outcome.durable;
    return { kind: 'answered', answer };
  }

  private async promptOf({ task }: Admitted, { method, name, toolCallId = null, arguments: { value } }: Call) {
    if (method !== 'tools/call') return undefined;
    return this.options.prompts?.cite(task.id, { id: toolCallId, tool: name, arguments: value });
  }

  /** Fixes what will be done: the pinned definition, the operands, and who wrote the arguments, all as they are now. */
  private async resolved(proposal: Proposal, call: Call): Promise<Proposal> {
    const fixed = await resolved(proposal, call);
    const author = this.options.authority.approvals.authorOf(fixed.record);
    return { ...fixed, record: { ...fixed.record, author } };
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
  const { observed } = call;
  return { action, method: call.method, tool, record, hints: {}, ...(observed === undefined ? {} : { observed }) };
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

async function operandsOf(call: Call): Promise<Operands> {
  const { tool, name, relay, signal } = call;
  if (call.operands) return call.operands();
  if (call.method !== 'tools/call') return { kind: 'none' };
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

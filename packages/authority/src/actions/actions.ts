import type { RefusalReason } from '@deed/evidence';
import type { Recorded } from '@deed/ledger';
import { AuthorityError } from '../errors.ts';
import { serverAct } from '../ground.ts';
import { type AdmitParts, admit, authenticate, type TokenCaller } from './admit.ts';
import { type Conclusion, conclude } from './conclude.ts';
import { decide } from './decide.ts';
import { type IntendParts, intend } from './intend.ts';
import type { IntentState } from './intents.ts';
import type { Admitted, Caller, PromptCited, Proposal, Refusable, Verdict } from './proposal.ts';
import type { RefusalExtra } from './refusals.ts';

/** The steps of the way of one action, in the order in which the gateway takes them. */
export class Actions {
  private readonly parts: AdmitParts & IntendParts;

  constructor(parts: AdmitParts & IntendParts) {
    this.parts = parts;
  }

  /** Lets a message in, or throws. @see admit */
  async admit(caller: Caller): Promise<Admitted> {
    return admit(this.parts, caller);
  }

  /** Task and agent of a message whose token and proof hold; the proof is not used up. @see authenticate */
  authenticate(caller: TokenCaller): { readonly task: string; readonly agent: string } {
    return authenticate(this.parts, caller);
  }

  /** What grant and policy say. Records nothing. @see decide */
  decide(admitted: Admitted, proposal: Proposal): Verdict {
    return decide(this.parts, admitted, proposal);
  }

  /** Records that an action does not happen. With `cites`, it ends that intent. */
  refuse(
    admitted: Admitted,
    what: Refusable,
    reason: RefusalReason,
    detail: string,
    extra: RefusalExtra = {},
  ): Recorded {
    return this.parts.refusals.record(admitted, what, { reason, detail, ...extra });
  }

  /** Records that something was stopped on the wire that no message had asked for. @throws AuthorityError unknown-task */
  refuseAttempt(task: string, method: string, detail: string): Recorded {
    const found = this.parts.tasks.get(task);
    if (!found) throw new AuthorityError('unknown-task', `there is no task ${task}`);
    return this.parts.refusals.attempt(found, method, detail);
  }

  /** Records that an action is about to happen, or refuses and throws. @see intend */
  intend(admitted: Admitted, proposal: Proposal, verdict: Verdict, approvals: readonly string[] = []): Recorded {
    return intend(this.parts, admitted, proposal, verdict, approvals);
  }

  /** How it stands with an action of this task; null if it was not begun. */
  begun(task: string, action: string): Readonly<IntentState> | null {
    const intent = this.parts.intents.ofAction(action);
    return intent?.task === task ? intent : null;
  }

  /**
   * Records which call of the model's an action was that its client did not name, as a later turn says.
   * @throws AuthorityError unknown-intent
   */
  confirmPrompt(digest: string, call: string, exchange: NonNullable<PromptCited['exchange']>): Recorded {
    const { ground, intents } = this.parts;
    const intent = intents.get(digest);
    if (!intent) throw new AuthorityError('unknown-intent', `there is no intent ${digest}`);
    const { task, action, record, tier } = intent;
    const stage = (bytes: Uint8Array, type: string) => ground.vault.stage(task, bytes, type, tier !== 'observe');
    return ground.record({
      ...serverAct,
      predicate: 'prompt-confirmed',
      place: { task, chain: 'after' },
      subject: { name: `action:${action}`, sha256: record },
      body: { action, intent: digest, call, exchange: exchange(stage) },
    });
  }

  /** Records what came of it. @see conclude */
  conclude(intent: Pick<Recorded, 'digest'>, conclusion: Conclusion): Recorded {
    return conclude(this.parts, intent.digest, conclusion);
  }
}

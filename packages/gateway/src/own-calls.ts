import type { Authority, Caller, Proposal } from '@deed/authority';
import { DeedError } from '@deed/evidence';
import type { Recorded } from '@deed/ledger';

export type BegunOwn =
  | { readonly kind: 'begun'; readonly task: string; readonly intent: Recorded }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string };

/**
 * Decides and records a call that somebody on the agent's side dispatches itself: a client that tells a hook, a program that asks the HTTP
 * API. The intent is on its way to the log: nobody is told to go on before it is durable. A refusal is durable.
 * @param proposal what would be done in this task
 * @throws whatever is no answer of this house
 */
export async function beginOwn(
  { actions }: Authority,
  caller: Caller,
  proposal: (task: string) => Proposal | Promise<Proposal>,
): Promise<BegunOwn> {
  try {
    const admitted = await actions.admit(caller);
    const proposed = await proposal(admitted.task.id);
    const verdict = actions.decide(admitted, proposed);
    if (verdict.outcome === 'deny') {
      const { reason, detail } = verdict;
      await actions.refuse(admitted, proposed, reason ?? 'denied', detail, { verdict }).durable;
      return { kind: 'refused', code: reason ?? 'denied', message: detail };
    }
    const intent = actions.intend(admitted, proposed, verdict);
    return { kind: 'begun', task: admitted.task.id, intent };
  } catch (error) {
    if (error instanceof DeedError) return { kind: 'refused', code: error.code, message: error.message };
    throw error;
  }
}

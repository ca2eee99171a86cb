import type { Effects, Operands } from '@deed/evidence';
import type { Answer, Call } from './call.ts';
import type { PushReport } from './git/push-window.ts';

export interface Dispatched {
  readonly answer: Answer;
  /** What the gateway itself saw at the resource; null where it cannot see. */
  readonly effects: Effects | null;
}

/**
 * Sends the call. For a push the relay's window is open meanwhile, for exactly the refs of the action record.
 * @throws GitError window (another push is under way), session: nothing was sent
 */
export async function dispatchThroughWindow(call: Call, operands: Operands): Promise<Dispatched> {
  if (operands.kind !== 'git-push' || !call.relay) {
    const answer = await call.dispatch();
    return { answer, effects: answer.effects ?? null };
  }
  const updates = operands.updates.map(({ ref, old, new: target }) => ({ ref, old, new: target }));
  const window = call.relay.allow({ repository: operands.repository, updates });
  const answer = await call.dispatch();
  window.close();
  const report = await window.result;
  const isUnknown = report.updates.some(({ status }) => status === 'unknown');
  return { answer: isUnknown ? { ...answer, status: 'unknown' } : answer, effects: effectsOf(report) };
}

/** Refs of which nothing reached the forge are no effects. */
function effectsOf(report: PushReport): Effects {
  const effects = report.updates.flatMap(({ ref, old, new: target, status }): Effects['effects'] => {
    if (status === 'not-sent') return [];
    return [
      { kind: 'git-ref', repository: report.repository, ref, old, new: target, status, request: report.requestId },
    ];
  });
  return { v: 1, effects };
}

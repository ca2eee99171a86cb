import { differences } from '@deed/evidence';
import type { Board } from './board.ts';
import type { Claim, Expectation, MatchEvent } from './claim.ts';
import { textOf, windowOf } from './compare.ts';
import type { Found } from './exact.ts';

/** An event that may be an action's although it says something else. */
export interface Nearest {
  readonly expectation: Expectation;
  readonly events: readonly MatchEvent[];
  readonly differ: readonly string[];
  /** No other event is as near: it is this action's. */
  readonly sure: boolean;
}

/**
 * Of an action without an id and without its event: the open events of the same operation inside its time that agree in at least half of
 * what is compared, and which of them is the nearest. An id, where there is one, is not looked past.
 */
export function nearestOf(board: Board, claim: Claim, short: readonly Found[]): Nearest | null {
  for (const { expectation } of short) {
    const { key, same, near, sources, operations } = expectation;
    const compared = same.length + near.length;
    if (key || compared === 0) continue;
    const candidates = sources
      .flatMap((source) => {
        const { from, to } = windowOf(claim, expectation, board.reach.get(source)?.skewMs ?? 0);
        return operations.flatMap((operation) => board.between(source, operation, [], textOf([]), from, to));
      })
      .filter(({ event }) => event.status !== 'failure')
      .map((each) => ({ each, differ: differences(each.event, expectation) }))
      .filter(({ differ }) => differ.length * 2 <= compared)
      .sort((a, b) => a.differ.length - b.differ.length);
    const [first] = candidates;
    if (!first) continue;
    const tied = candidates.filter(({ differ }) => differ.length === first.differ.length);
    const differ = [...new Set(tied.flatMap((each) => each.differ))];
    return { expectation, events: tied.map(({ each }) => each), differ, sure: tied.length === 1 };
  }
  return null;
}

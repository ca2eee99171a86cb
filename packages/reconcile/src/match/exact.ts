import { differences, valueIn } from '@deed/evidence';
import type { Board } from './board.ts';
import type { Claim, Expectation, MatchEvent } from './claim.ts';
import { textOf } from './compare.ts';

/** What was found for one expectation. */
export interface Found {
  readonly expectation: Expectation;
  readonly events: readonly MatchEvent[];
  /** Names of values that the events have otherwise than the action. */
  readonly differ: readonly string[];
  /** Events that name the effect and prove nothing of who caused it. */
  readonly unproven: boolean;
}

/**
 * Finds the events of expectations that have an id, by that id alone. What has an id is never looked for in another way: its
 * absence is a fact then, and not a guess.
 */
export function findExact(board: Board, claim: Claim): readonly Found[] {
  return claim.expected.flatMap((expectation) => {
    const { key, sources, operations, count, proof } = expectation;
    if (!key) return [];
    const names = key.map(({ name }) => name);
    const values = textOf(key.map(({ value }) => value));
    const candidates = sources
      .flatMap((source) => operations.flatMap((operation) => board.find(source, operation, names, values)))
      .filter((each) => mayBeOf(claim, each));
    // One that proves more comes first; among equals the earliest.
    const proves = ({ event }: MatchEvent) => proof === null || valueIn(event, proof.name) === proof.value;
    const events = [...candidates.filter(proves), ...candidates.filter((each) => !proves(each))].slice(0, count.max);
    board.take(events);
    const differ = [...new Set(events.flatMap((each) => differences(each.event, expectation)))];
    return [{ expectation, events, differ, unproven: !events.every(proves) }];
  });
}

/** What the system refused belongs to an action that is reported as failed, and to no other. */
export function mayBeOf({ says }: Pick<Claim, 'says'>, { event }: MatchEvent): boolean {
  return says === 'failed' || event.status !== 'failure';
}

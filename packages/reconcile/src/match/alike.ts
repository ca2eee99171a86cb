import { differences } from '@deed/evidence';
import type { Board } from './board.ts';
import type { Claim, Expectation, MatchEvent } from './claim.ts';
import { textOf, windowOf } from './compare.ts';
import { mayBeOf } from './exact.ts';

/** An action whose events no id names. */
export interface Seeker {
  readonly claim: Claim;
  readonly expectation: Expectation;
}

/** Actions and events that cannot be told apart from each other: the same content, at times that overlap. */
export interface Lookalikes {
  readonly seekers: readonly Seeker[];
  readonly events: readonly MatchEvent[];
  /** Which events go to which action, as many as can; within equals it says nothing who was who. */
  readonly pairs: ReadonlyMap<Seeker, readonly MatchEvent[]>;
}

interface Edge {
  readonly seeker: Seeker;
  readonly events: readonly MatchEvent[];
  readonly to: number;
}

/**
 * Groups what no id tells apart: every action with the events of the same content inside its time, and all that these lead to.
 * Within a group as many actions as possible get their events, those that end first before the others.
 */
export function findAlike(board: Board, seekers: readonly Seeker[]): readonly Lookalikes[] {
  const edges = seekers.map((seeker): Edge => {
    const { claim, expectation } = seeker;
    const names = expectation.same.map(({ name }) => name);
    const values = textOf(expectation.same.map(({ value }) => value));
    let latest = Number.NEGATIVE_INFINITY;
    const events = expectation.sources.flatMap((source) => {
      const { from, to } = windowOf(claim, expectation, board.reach.get(source)?.skewMs ?? 0);
      latest = Math.max(latest, to);
      return expectation.operations.flatMap((operation) =>
        board
          .between(source, operation, names, values, from, to)
          .filter((each) => mayBeOf(claim, each) && differences(each.event, expectation).length === 0),
      );
    });
    return { seeker, events, to: latest };
  });
  return connected(edges).map(assign);
}

/** The groups of edges that share an event, directly or through others. */
function connected(edges: readonly Edge[]): readonly (readonly Edge[])[] {
  const groupOf = new Map<MatchEvent, Edge[]>();
  const groups = new Set<Edge[]>();
  for (const edge of edges) {
    let group: Edge[] = [edge];
    for (const event of edge.events) {
      const other = groupOf.get(event);
      if (!other || other === group) continue;
      groups.delete(other);
      const [large, small] = other.length > group.length ? [other, group] : [group, other];
      large.push(...small);
      for (const each of small) for (const one of each.events) groupOf.set(one, large);
      group = large;
    }
    for (const event of edge.events) groupOf.set(event, group);
    groups.add(group);
  }
  return [...groups];
}

function assign(unsorted: readonly Edge[]): Lookalikes {
  const edges = [...unsorted].sort(
    (a, b) => a.to - b.to || (a.seeker.claim.statement < b.seeker.claim.statement ? -1 : 1),
  );
  const free = new Set(edges.flatMap(({ events }) => events));
  const events = [...free];
  const pairs = new Map<Seeker, readonly MatchEvent[]>();
  for (const { seeker, events: own } of edges) {
    const { min, max } = seeker.expectation.count;
    const mine = own.filter((each) => free.has(each)).slice(0, edges.length === 1 ? max : Math.max(min, 1));
    if (mine.length < Math.max(min, 1)) continue;
    for (const each of mine) free.delete(each);
    pairs.set(seeker, mine);
  }
  return { seekers: edges.map(({ seeker }) => seeker), events, pairs };
}

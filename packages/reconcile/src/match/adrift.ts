import type { MatchEvent, Question, Reach } from './claim.ts';

/**
 * Events that cannot have happened when they are dated: before the task and its credentials were there, or after they were read. The clock of
 * their source is off by more than was configured, and what rests on its times alone says nothing.
 */
export function misdated({ events, reach, task }: Question): ReadonlySet<MatchEvent> {
  const skews = new Map(reach.map(({ source, skewMs }) => [source, skewMs]));
  const begun = Date.parse(task.begun);
  return new Set(
    events.filter(({ ref, at, readAt }) => {
      const skewMs = skews.get(ref.source) ?? 0;
      return at < begun - skewMs || (readAt !== null && at > readAt + skewMs);
    }),
  );
}

/** How far the sources reach, without those of which an event is misdated. */
export function reachBeside(reach: readonly Reach[], wrong: ReadonlySet<MatchEvent>): readonly Reach[] {
  const sources = new Set([...wrong].map(({ ref }) => ref.source));
  return reach.map((each) =>
    sources.has(each.source)
      ? { ...each, adrift: `the clock of source ${each.source} is off by more than ${each.skewMs} ms` }
      : each,
  );
}

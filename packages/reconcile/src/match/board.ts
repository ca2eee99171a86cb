import type { Claim, Expectation, MatchEvent, Reach } from './claim.ts';
import { keyOf, windowOf } from './compare.ts';

/** An event that explains an expectation, kept to tell a repetition from something new. */
interface Explained {
  readonly claim: Claim;
  readonly from: number;
  readonly to: number;
}

interface Done {
  readonly claim: Claim;
  readonly expectation: Expectation;
  readonly event: MatchEvent;
}

interface Likes {
  readonly names: readonly string[];
  readonly byContent: ReadonlyMap<string, readonly Explained[]>;
}

/** The events of one task while they are being matched: each is taken once. */
export class Board {
  readonly reach: ReadonlyMap<string, Reach>;
  private readonly open: Set<MatchEvent>;
  private readonly indexes = new Map<string, Map<string, MatchEvent[]>>();
  /** Effects that are explained, by source and operation. */
  private readonly done = new Map<string, Done[]>();
  private readonly likes = new Map<string, readonly Likes[]>();

  constructor(events: readonly MatchEvent[], reach: readonly Reach[]) {
    this.open = new Set([...events].sort((a, b) => a.at - b.at || compare(a.ref.event, b.ref.event)));
    this.reach = new Map(reach.map((each) => [each.source, each]));
  }

  /** What is left, by time. */
  left(): readonly MatchEvent[] {
    return [...this.open];
  }

  isOpen(event: MatchEvent): boolean {
    return this.open.has(event);
  }

  /** Open events of this source and operation of which these values are equal, by time. */
  find(source: string, operation: string, names: readonly string[], values: string): readonly MatchEvent[] {
    return (this.index(names).get(placeOf(source, operation, values)) ?? []).filter((each) => this.open.has(each));
  }

  /** Those of them between two moments, both included. */
  between(
    source: string,
    operation: string,
    names: readonly string[],
    values: string,
    from: number,
    to: number,
  ): readonly MatchEvent[] {
    const all = this.index(names).get(placeOf(source, operation, values)) ?? [];
    const found: MatchEvent[] = [];
    for (let i = firstFrom(all, from); i < all.length; i++) {
      const each = all[i] as MatchEvent;
      if (each.at > to) break;
      if (this.open.has(each)) found.push(each);
    }
    return found;
  }

  take(events: readonly MatchEvent[]): void {
    for (const each of events) this.open.delete(each);
  }

  /** Remembers what an action's effect looked like, so that a second one like it is known as that. */
  remember(claim: Claim, expectation: Expectation, events: readonly MatchEvent[]): void {
    for (const event of events) {
      const kind = kindOf(event);
      const known = this.done.get(kind);
      if (known) known.push({ claim, expectation, event });
      else this.done.set(kind, [{ claim, expectation, event }]);
    }
  }

  /** The action inside whose window the same was done once already. */
  repeated(event: MatchEvent): Claim | null {
    const kind = kindOf(event);
    const likes = this.likes.get(kind) ?? this.likesOf(this.done.get(kind) ?? []);
    this.likes.set(kind, likes);
    for (const { names, byContent } of likes) {
      const content = contentOf(event, names);
      const like = content === null ? [] : (byContent.get(content) ?? []);
      const found = like.find(({ from, to }) => from <= event.at && event.at <= to);
      if (found) return found.claim;
    }
    return null;
  }

  /** By what is compared, and then by content: which actions had such an effect, and when. Made for the kinds that are asked for. */
  private likesOf(done: readonly Done[]): readonly Likes[] {
    const all = new Map<string, { readonly names: readonly string[]; readonly byContent: Map<string, Explained[]> }>();
    for (const { claim, expectation, event } of done) {
      const names = expectation.same.map(({ name }) => name);
      const content = contentOf(event, names);
      if (content === null) continue;
      const id = names.join('\n');
      const likes = all.get(id) ?? { names, byContent: new Map<string, Explained[]>() };
      all.set(id, likes);
      const explained = {
        claim,
        ...windowOf(claim, expectation, this.reach.get(event.ref.source)?.skewMs ?? 0),
      };
      const known = likes.byContent.get(content);
      if (known) known.push(explained);
      else likes.byContent.set(content, [explained]);
    }
    return [...all.values()];
  }

  /** Built when it is first asked for, over all events: one that is taken later is left out by whoever looks. */
  private index(names: readonly string[]): Map<string, MatchEvent[]> {
    const id = names.join('\n');
    const known = this.indexes.get(id);
    if (known) return known;
    const index = new Map<string, MatchEvent[]>();
    for (const each of this.open) {
      const values = keyOf(each.event, names);
      if (values === null) continue;
      const place = placeOf(each.ref.source, each.event.operation, values);
      const list = index.get(place);
      if (list) list.push(each);
      else index.set(place, [each]);
    }
    this.indexes.set(id, index);
    return index;
  }
}

/** The place of the first event at or after a moment, among events sorted by time. */
function firstFrom(events: readonly MatchEvent[], from: number): number {
  let low = 0;
  let high = events.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((events[middle] as MatchEvent).at < from) low = middle + 1;
    else high = middle;
  }
  return low;
}

function placeOf(source: string, operation: string, values: string): string {
  return `${source}\n${operation}\n${values}`;
}

function kindOf({ ref, event }: MatchEvent): string {
  return `${ref.source}\n${event.operation}`;
}

/** Two events of a kind with this in common did the same: what the contract compares, or, where it compares nothing, all that they say. */
function contentOf({ event }: MatchEvent, names: readonly string[]): string | null {
  if (names.length > 0) return keyOf(event, names);
  const sorted = Object.entries(event.fields).sort(([a], [b]) => compare(a, b));
  return JSON.stringify([event.resource?.parent ?? null, event.resource?.uid ?? null, sorted]);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

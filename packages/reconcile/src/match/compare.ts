import { type Comparable, type Pair, type SourceEvent, valueIn } from '@deed/evidence';
import type { Expectation, Reach } from './claim.ts';

/** A text for equality of several values at once; null where one is absent. */
export function keyOf(event: SourceEvent, names: readonly string[]): string | null {
  const values: Comparable[] = [];
  for (const name of names) {
    const value = valueIn(event, name);
    if (value === undefined || value === null) return null;
    values.push(value);
  }
  return textOf(values);
}

/** Numbers and their texts are equal: systems write ids either way. */
export function textOf(values: readonly Comparable[]): string {
  let text = '';
  for (const value of values) {
    const part = String(value);
    text += `${part.length}:${part}`;
  }
  return text;
}

export function pairsText(pairs: readonly Pair[]): string {
  return pairs.map(({ name, value }) => `${name} ${value}`).join(', ');
}

/** When an action began and ended, in milliseconds; read once. */
const times = new WeakMap<object, { readonly begunMs: number; readonly endedMs: number }>();

function timesOf(claim: { readonly begun: string; readonly ended: string | null }) {
  const known = times.get(claim);
  if (known) return known;
  const begunMs = Date.parse(claim.begun);
  const made = { begunMs, endedMs: claim.ended === null ? begunMs : Date.parse(claim.ended) };
  times.set(claim, made);
  return made;
}

/** Between which moments, by the source's clock, the events of an action may lie. */
export function windowOf(
  claim: { readonly begun: string; readonly ended: string | null },
  { window }: Expectation,
  skewMs: number,
): { readonly from: number; readonly to: number } {
  const { begunMs, endedMs } = timesOf(claim);
  return { from: begunMs - window.beforeMs - skewMs, to: endedMs + window.afterMs + skewMs };
}

/** How far an action's sources reach: past it, not yet, or not over all of its time; then why not. */
export function standing(
  claim: { readonly begun: string; readonly ended: string | null },
  expectation: Expectation,
  reach: ReadonlyMap<string, Reach>,
): 'passed' | 'waiting' | { readonly uncovered: string } {
  if (claim.ended === null) return 'waiting';
  const read = expectation.sources.filter((source) => reach.has(source));
  if (read.length === 0) {
    const wanted = expectation.sources.join(' or ');
    return { uncovered: wanted ? `source ${wanted} is not read here` : 'no source is read that would record it' };
  }
  let uncovered: string | null = null;
  for (const source of read) {
    const { watermark = null, since = null, skewMs = 0, gaps = [], adrift, isLossy = false } = reach.get(source) ?? {};
    const { from, to } = windowOf(claim, expectation, skewMs);
    if (watermark === null || Date.parse(watermark) <= to) return 'waiting';
    const gap = gaps.find((each) => Date.parse(each.from) <= to && from <= Date.parse(each.to));
    if (since !== null && from <= Date.parse(since)) uncovered ??= `source ${source} is read only from ${since} on`;
    else if (adrift !== undefined) uncovered ??= adrift;
    else if (isLossy) uncovered ??= `records of source ${source} are sent, and one that was lost does not show`;
    else if (gap) uncovered ??= `records of source ${source} from ${gap.from} to ${gap.to} are missing`;
  }
  return uncovered === null ? 'passed' : { uncovered };
}

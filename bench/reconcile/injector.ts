import type { SourceEvent } from '@deed/evidence';
import type { Claim, Expectation, MatchEvent } from '../../packages/reconcile/src/match/claim.ts';

/** Defects that are injected, and what each is to be called. */
export const defects = {
  hidden: 'hidden_side_effect',
  phantom: 'phantom_action',
  changed: 'result_mismatch',
  duplicate: 'duplicate_execution',
  late: 'use_after_close',
  foreign: 'unknown_credential',
} as const;
export type Defect = keyof typeof defects;

export interface Conditions {
  /** Share of actions whose receipt knows the server's id of the request. */
  readonly keys: number;
  /** By how much the clock of the source may be off, in milliseconds. */
  readonly skewMs: number;
  /** Share of events that are made into defects, all kinds together. */
  readonly rate: number;
}

/** One task: what its receipts claim, what the source recorded, and what is wrong with the two, by item. */
export interface Injected {
  readonly closed: string;
  readonly claims: readonly Claim[];
  readonly events: readonly MatchEvent[];
  readonly strangers: readonly MatchEvent[];
  /** The true type of each injected defect, by the name of its event or the digest of its claim. */
  readonly labels: ReadonlyMap<string, { readonly defect: Defect; readonly type: string }>;
}

/** Numbers between 0 and 1 that are the same for the same seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const windowMs = 5_000;

/**
 * Makes a task of real events of one credential: each becomes an action with a receipt, and some of either are bent. Labels are made here and
 * know nothing of the matcher. A hidden event whose like was done by an action at that time is a repetition by the definition, and is labelled so.
 */
export function inject(
  source: string,
  real: readonly SourceEvent[],
  conditions: Conditions,
  random: () => number,
): Injected {
  const claims: Claim[] = [];
  const events: MatchEvent[] = [];
  const strangers: MatchEvent[] = [];
  const labels = new Map<string, { defect: Defect; type: string }>();
  const skew = (random() * 2 - 1) * conditions.skewMs;
  const last = Math.max(...real.map(({ time }) => Date.parse(time)));
  const closedAt = last + 60_000;
  let serial = 0;
  const eventOf = (event: SourceEvent, at: number): MatchEvent => {
    const shifted = Math.round(at + skew);
    const name = `${source}-${++serial}`;
    const said = { ...event, id: name, time: new Date(shifted).toISOString() };
    return { ref: { source, batch: 'b', event: name }, credential: 'c', event: said, at: shifted, readAt: null };
  };
  for (const one of real) {
    const at = Date.parse(one.time);
    // What failed has no effect that could be hidden or changed.
    const bend = random() < conditions.rate && one.status === 'success' ? kindOf(random(), one) : null;
    const claim = claimOf(source, one, at, random, random() < conditions.keys, ++serial);
    const mark = (item: string, defect: Defect) => labels.set(item, { defect, type: defects[defect] });
    if (bend !== 'hidden' && bend !== 'late' && bend !== 'foreign') claims.push(claim);
    if (bend === 'phantom') {
      mark(claim.statement, 'phantom');
      continue;
    }
    const changed = bend === 'changed' ? { fields: { ...one.fields, parameters: `other-${serial}` } } : {};
    const event = eventOf({ ...one, ...changed }, bend === 'late' ? closedAt + 30_000 + random() * 60_000 : at);
    if (bend === 'foreign') {
      strangers.push(event);
      mark(event.ref.event, 'foreign');
      continue;
    }
    events.push(event);
    if (bend === 'changed') mark(claim.statement, 'changed');
    if (bend === 'hidden' || bend === 'late') mark(event.ref.event, bend);
    if (bend === 'duplicate') {
      const correlation = { ...one.correlation, request: `again-${serial}` };
      const again = eventOf({ ...one, correlation }, at + 200 + random() * 1_000);
      events.push(again);
      mark(again.ref.event, 'duplicate');
    }
  }
  for (const [item, { defect }] of labels) {
    const event = events.find(({ ref }) => ref.event === item);
    if (defect === 'hidden' && event && claims.some((claim) => isLike(claim, event, conditions.skewMs)))
      labels.set(item, { defect, type: defects.duplicate });
  }
  return { closed: new Date(closedAt).toISOString(), claims, events, strangers, labels };
}

/** What has no parameters has none that could be changed. */
function kindOf(at: number, event: SourceEvent): Defect | null {
  const kinds = Object.keys(defects) as Defect[];
  const kind = kinds[Math.floor(at * kinds.length)] ?? 'hidden';
  return kind === 'changed' && event.fields.parameters === undefined ? null : kind;
}

function claimOf(
  source: string,
  event: SourceEvent,
  at: number,
  random: () => number,
  hasKey: boolean,
  serial: number,
): Claim {
  const begun = at - 100 - random() * 200;
  const ended = at + 100 + Math.abs(normal(random)) * 400;
  const same = [
    { name: 'resource.uid', value: event.resource?.uid ?? null },
    { name: 'fields.parameters', value: event.fields.parameters ?? null },
  ].filter(({ value }) => value !== null);
  const expectation: Expectation = {
    sources: [source],
    operations: [event.operation],
    count: { min: 1, max: 1 },
    window: { beforeMs: 0, afterMs: windowMs },
    key:
      hasKey && event.correlation.request ? [{ name: 'correlation.request', value: event.correlation.request }] : null,
    same,
    near: [],
    proof: null,
    text: event.operation,
  };
  return {
    action: `act-${serial}`,
    statement: `claim-${source}-${serial}`,
    begun: new Date(begun).toISOString(),
    ended: new Date(ended).toISOString(),
    says: event.status === 'failure' ? 'failed' : 'done',
    expected: [expectation],
    ...{ contract: null, empty: null },
  };
}

/** Nothing tells these two events apart but their ids. */
export function isEqual(a: SourceEvent, b: SourceEvent): boolean {
  return (
    a.operation === b.operation && a.resource?.uid === b.resource?.uid && a.fields.parameters === b.fields.parameters
  );
}

function isLike({ expected, begun, ended, says }: Claim, { event, at }: MatchEvent, skewMs: number): boolean {
  const [effect] = expected;
  if (says !== 'done' || !effect?.operations.includes(event.operation)) return false;
  const value = (name: string) => (name === 'resource.uid' ? event.resource?.uid : event.fields.parameters);
  if (effect.same.length === 0 || !effect.same.every((pair) => value(pair.name) === pair.value)) return false;
  return Date.parse(begun) - skewMs <= at && at <= Date.parse(ended ?? begun) + windowMs + skewMs;
}

function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(random() || 1e-9)) * Math.cos(2 * Math.PI * random());
}

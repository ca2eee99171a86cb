import type { Answer, NewFinding } from '../../packages/reconcile/src/match/claim.ts';
import { defects, type Injected, isEqual, randomOf } from './injector.ts';

const types: readonly string[] = [...new Set(Object.values(defects))];
/** Of these defects no effect is left without a receipt. */
const ofReceipts = new Set(['phantom_action', 'result_mismatch', 'missing_coverage']);

/** What came of one task: for each type how often it was right, wrong and missed. */
export interface Tally {
  readonly perType: ReadonlyMap<string, { right: number; wrong: number; missed: number }>;
  receipts: number;
  /** Findings that accuse one action or event that is in order. */
  falselyAccused: number;
  accused: number;
  unreceipted: number;
  unreceiptedSeen: number;
  confirmed: number;
  ambiguous: number;
}

function emptyTally(): Tally {
  return {
    perType: new Map([...types, 'missing_coverage'].map((type) => [type, { right: 0, wrong: 0, missed: 0 }])),
    ...{ receipts: 0, falselyAccused: 0, accused: 0, unreceipted: 0, unreceiptedSeen: 0, confirmed: 0, ambiguous: 0 },
  };
}

type LabelsOf = ReadonlyMap<string, { readonly type: string }>;

/** Holds what was said of items against what is the matter with them. */
export function scoreOf(
  labels: LabelsOf,
  said: readonly { readonly item: string; readonly type: string }[],
  counts: { readonly receipts: number; readonly confirmed: number; readonly ambiguous: number },
  isSeen: (item: string) => boolean,
): Tally {
  const score = { ...emptyTally(), ...counts };
  const found = new Map<string, Set<string>>();
  for (const { item, type } of said) {
    found.set(item, (found.get(item) ?? new Set()).add(type));
    if (type === 'ambiguous') continue;
    score.accused++;
    if (!labels.has(item)) score.falselyAccused++;
  }
  for (const [type, counted] of score.perType) {
    for (const [item, label] of labels) {
      if (label.type !== type) continue;
      if (found.get(item)?.has(type)) counted.right++;
      else counted.missed++;
    }
    for (const [item, told] of found) if (told.has(type) && labels.get(item)?.type !== type) counted.wrong++;
  }
  for (const [item, { type }] of labels) {
    if (ofReceipts.has(type)) continue;
    score.unreceipted++;
    if (isSeen(item)) score.unreceiptedSeen++;
  }
  return score;
}

/** Holds what was found against the labels of the injector. */
export function tally(made: Injected, answer: Answer, foreign: readonly NewFinding[]): Tally {
  const said: { item: string; type: string }[] = [];
  let ambiguous = 0;
  const claims = new Set(made.claims.map(({ statement }) => statement));
  const taken = new Set<string>();
  for (const finding of [...answer.findings, ...foreign]) {
    for (const named of itemsOf(finding, claims)) {
      const item = standsFor(named, finding.type, made, taken);
      taken.add(item);
      said.push({ item, type: finding.type });
    }
    if (finding.type === 'ambiguous') ambiguous++;
  }
  const mentioned = new Set(
    answer.findings.concat(foreign).flatMap(({ events }) => events.map(({ ref }) => ref.event)),
  );
  const counts = { receipts: made.claims.length, confirmed: answer.confirmed.length, ambiguous };
  return scoreOf(made.labels, said, counts, (item) => mentioned.has(item) || isOneOfEqual(item, made, mentioned));
}

/** What a finding is about: the receipts that it contradicts, else the events that it cannot explain. */
function itemsOf({ type, statements, events }: NewFinding, claims: ReadonlySet<string>): readonly string[] {
  const about = statements.filter((statement) => claims.has(statement));
  if (['phantom_action', 'result_mismatch', 'ambiguous', 'missing_coverage'].includes(type)) return about;
  return events.map(({ ref }) => ref.event);
}

/** Of events that nothing tells apart, which one is named as the one too many is arbitrary: it stands for the one that was injected. */
function standsFor(item: string, type: string, made: Injected, taken: ReadonlySet<string>): string {
  if (made.labels.has(item)) return item;
  const event = made.events.find(({ ref }) => ref.event === item)?.event;
  if (!event) return item;
  const twin = made.events.find(
    (other) =>
      made.labels.get(other.ref.event)?.type === type &&
      !taken.has(other.ref.event) &&
      isEqual(other.event, event) &&
      Math.abs(other.at - Date.parse(event.time)) <= 15_000,
  );
  return twin?.ref.event ?? item;
}

function isOneOfEqual(item: string, made: Injected, mentioned: ReadonlySet<string>): boolean {
  const event = made.events.find(({ ref }) => ref.event === item)?.event;
  if (!event) return false;
  return made.events.some(
    ({ ref, event: other }) => mentioned.has(ref.event) && !made.labels.has(ref.event) && isEqual(other, event),
  );
}

export function sum(tallies: readonly Tally[]): Tally {
  const all = emptyTally();
  for (const each of tallies) {
    for (const [type, { right, wrong, missed }] of each.perType) {
      const counts = all.perType.get(type);
      if (counts)
        Object.assign(counts, {
          right: counts.right + right,
          wrong: counts.wrong + wrong,
          missed: counts.missed + missed,
        });
    }
    all.receipts += each.receipts;
    all.falselyAccused += each.falselyAccused;
    all.accused += each.accused;
    all.unreceipted += each.unreceipted;
    all.unreceiptedSeen += each.unreceiptedSeen;
    all.confirmed += each.confirmed;
    all.ambiguous += each.ambiguous;
  }
  return all;
}

const resamples = 400;

/** A figure over tasks, with the interval in which 95 % of resampled sets of tasks have it. */
export function withInterval(tallies: readonly Tally[], figure: (all: Tally) => number): string {
  const random = randomOf(7);
  const drawn = Array.from({ length: resamples }, () =>
    figure(sum(tallies.map(() => tallies[Math.floor(random() * tallies.length)] as Tally))),
  )
    .filter((value) => !Number.isNaN(value))
    .sort((a, b) => a - b);
  const at = (share: number) => drawn[Math.min(drawn.length - 1, Math.floor(share * drawn.length))] ?? Number.NaN;
  const value = figure(sum(tallies));
  return Number.isNaN(value) ? '-' : `${value.toFixed(3)} (${at(0.025).toFixed(2)} to ${at(0.975).toFixed(2)})`;
}

export const precision = (type: string) => (all: Tally) => {
  const { right = 0, wrong = 0 } = all.perType.get(type) ?? {};
  return right / (right + wrong);
};
export const recall = (type: string) => (all: Tally) => {
  const { right = 0, missed = 0 } = all.perType.get(type) ?? {};
  return right / (right + missed);
};
export const measured = types;

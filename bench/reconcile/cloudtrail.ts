import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { compileMapping, parseMapping, type SourceEvent } from '@deed/evidence';
import { shippedMapping } from '@deed/reconcile';
import { match } from '../../packages/reconcile/src/match/match.ts';
import { foreign } from '../../packages/reconcile/src/match/tell.ts';
import { type Conditions, inject, randomOf } from './injector.ts';
import { measured, precision, recall, sum, tally, withInterval } from './score.ts';

const file = resolve(import.meta.dirname, '../../../shared/data/downstream/aws_cloudtrail.jsonl');
const rounds = 5;
/** Events of one task: the account's own sessions are longer than a task is. */
const taskEvents = 60;

/** Captured CloudTrail events by credential, in tasks; only those after the first half of the time, which is what rules were looked at with. */
function tasks(): readonly (readonly SourceEvent[])[] {
  const read = compileMapping(parseMapping(shippedMapping('aws-cloudtrail')));
  const captured = readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { kind: string; event: never })
    .filter(({ kind }) => kind === 'captured')
    .map(({ event }) => read(event))
    .filter((event): event is SourceEvent => typeof event === 'object' && event?.credential !== null && event !== null)
    .sort((a, b) => (a.time < b.time ? -1 : 1));
  const middle = captured[Math.floor(captured.length / 2)]?.time ?? '';
  const byCredential = Map.groupBy(
    captured.filter(({ time }) => time >= middle),
    ({ credential }) => credential?.uid ?? '',
  );
  return [...byCredential.values()].flatMap((events) =>
    Array.from({ length: Math.ceil(events.length / taskEvents) }, (_, i) =>
      events.slice(i * taskEvents, (i + 1) * taskEvents),
    ),
  );
}

const settings: readonly Conditions[] = [
  { keys: 1, skewMs: 0, rate: 0.14 },
  { keys: 1, skewMs: 2_000, rate: 0.14 },
  { keys: 0.5, skewMs: 2_000, rate: 0.14 },
  { keys: 0, skewMs: 2_000, rate: 0.14 },
];

export interface Row {
  readonly conditions: string;
  readonly cells: Readonly<Record<string, string>>;
}

/** How well defects are found that were injected into real records; null where those are not on this machine. */
export function cloudtrail(): readonly Row[] | null {
  if (!existsSync(file)) return null;
  const real = tasks();
  return settings.map((conditions, i) => {
    const random = randomOf(41 + i);
    const tallies = Array.from({ length: rounds }).flatMap((_, round) =>
      real.map((events, task) => {
        const made = inject(`s${round}-${task}`, events, conditions, random);
        const source = `s${round}-${task}`;
        const answer = match({
          task: {
            opened: 'opened',
            begun: '2000-01-01T00:00:00.000Z',
            closed: { digest: 'closed', time: made.closed },
          },
          ...{ claims: made.claims, judged: [], events: made.events },
          reach: [{ source, watermark: '2100-01-01T00:00:00.000Z', since: null, skewMs: conditions.skewMs, gaps: [] }],
          ...{ possible: new Map(), ambient: new Map() },
        });
        return tally(
          made,
          answer,
          made.strangers.map((event) => foreign([event])),
        );
      }),
    );
    const all = sum(tallies);
    const cells: Record<string, string> = {};
    for (const type of measured) {
      cells[`${type} precision`] = withInterval(tallies, precision(type));
      cells[`${type} recall`] = withInterval(tallies, recall(type));
    }
    cells['precision of any accusation of one action or event'] = withInterval(
      tallies,
      ({ accused, falselyAccused }) => (accused - falselyAccused) / accused,
    );
    cells['recall of "something is unreceipted"'] = withInterval(
      tallies,
      ({ unreceipted, unreceiptedSeen }) => unreceiptedSeen / unreceipted,
    );
    cells['false accusations in 10,000 receipts'] = ((10_000 * all.falselyAccused) / all.receipts).toFixed(1);
    cells['confirmed of the receipts'] = (all.confirmed / all.receipts).toFixed(3);
    cells['ambiguous findings in 10,000 receipts'] = ((10_000 * all.ambiguous) / all.receipts).toFixed(1);
    cells.receipts = String(all.receipts);
    const percent = `${conditions.keys * 100} %`;
    return { conditions: `keys ${percent}, skew ±${conditions.skewMs / 1000} s`, cells };
  });
}

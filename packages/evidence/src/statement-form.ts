import { z } from 'zod';
import { idPattern } from './ids.ts';
import { count, observed, type PredicateName, separation, sha256Hex, timestamp } from './predicates.ts';

export const statementType = 'https://in-toto.io/Statement/v1';
/** The one constant from which every predicate type is made. */
export const predicateBase = 'https://w3id.org/deed/';
export const noPredecessor = '0'.repeat(64);

export function predicateType(name: string): string {
  return `${predicateBase}${name}/v1`;
}

/** Where a statement stands: in a task's `seq` or `after`, or in a named series. */
export type Position =
  | { readonly task: string; readonly chain: 'seq' | 'after'; readonly n: number }
  | { readonly series: string; readonly n: number };

/** The name under which a position's series is kept: `tsk_…`, `tsk_…/after`, or the name of the series. */
export function seriesOf(position: Position): string {
  if ('series' in position) return position.series;
  return position.chain === 'seq' ? position.task : `${position.task}/after`;
}

const seriesName = z
  .string()
  .regex(
    /^(keys|people|agents|policy|tools|grants|deployment|source:[a-z0-9][a-z0-9._-]{0,62}|gate:[A-Za-z0-9_]{1,64})$/,
  );
const taskId = z.string().regex(idPattern('task'));

export const subject = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z-]+:.+$/)
    .max(600),
  digest: z.strictObject({ sha256: sha256Hex }),
});

/** Of the header, what a writer makes itself. */
const made = {
  v: z.literal(1),
  time: timestamp,
  nonce: z.string().regex(/^[0-9a-f]{32}$/),
};
/** Of the header, what a writer is given. */
const given = { origin: z.string().min(1).max(255), prev: sha256Hex, observed, separation };
const places = {
  seq: { task: taskId, seq: count },
  after: { task: taskId, after: count },
  series: { series: seriesName, n: count },
};
const headers = {
  seq: z.strictObject({ ...made, ...given, ...places.seq }),
  after: z.strictObject({ ...made, ...given, ...places.after }),
  series: z.strictObject({ ...made, ...given, ...places.series }),
};
const givenHeaders = {
  seq: z.object({ ...given, ...places.seq }),
  after: z.object({ ...given, ...places.after }),
  series: z.object({ ...given, ...places.series }),
};
/** The members of a predicate that every statement has. */
export type Header = z.infer<(typeof headers)[keyof typeof headers]>;
export const headerKeys: ReadonlySet<string> = new Set(
  Object.values(headers).flatMap(({ shape }) => Object.keys(shape)),
);

/** The schema by which such a header is read. */
export function headerSchema(header: object): z.ZodType<Header> {
  return headers[chainOf(header)];
}

/** The schema of what a writer is given for such a header; it looks at nothing else. */
export function givenHeaderSchema(header: object): z.ZodType {
  return givenHeaders[chainOf(header)];
}

function chainOf(header: object): keyof typeof headers {
  if ('series' in header) return 'series';
  return 'after' in header ? 'after' : 'seq';
}

const seqPredicates: ReadonlySet<string> = new Set([
  'task-opened',
  'hop',
  'hop-accepted',
  'hop-ended',
  'approval',
  'intent',
  'outcome',
  'refusal',
  'task-closed',
]);
const afterPredicates: ReadonlySet<string> = new Set([
  'outcome',
  'refusal',
  'observe-gap',
  'prompt-confirmed',
  'finding',
  'finding-changed',
  'confirmed',
  'reconciled',
  'case-exported',
  'erased',
  'hold',
]);
const namedSeries: Readonly<Record<string, string>> = {
  'key-event': 'keys',
  'person-enrolled': 'people',
  'person-changed': 'people',
  'agent-enrolled': 'agents',
  revoked: 'agents',
  'policy-activated': 'policy',
  'tool-pinned': 'tools',
  'effects-declared': 'tools',
  'grant-decision': 'grants',
  'configuration-stated': 'deployment',
  administered: 'deployment',
  'rejects-counted': 'deployment',
  finding: 'deployment', // one about no task
  'finding-changed': 'deployment', // of one about no task
  erased: 'deployment', // of payloads of no task
};

/** Which predicates may stand in which series. */
export function mayStand(name: PredicateName, position: Position): boolean {
  if ('series' in position) {
    if (name === 'events-ingested') return position.series.startsWith('source:');
    return namedSeries[name] === position.series;
  }
  if (position.chain === 'after') return afterPredicates.has(name);
  return seqPredicates.has(name) && (name === 'task-opened') === (position.n === 0);
}

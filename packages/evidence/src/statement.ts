import { z } from 'zod';
import { statementDigest } from './dsse.ts';
import { fromUtf8, toHex } from './encoding.ts';
import { EvidenceError } from './errors.ts';
import { idPattern } from './ids.ts';
import { parseOwnJson, parseStrictJson } from './json.ts';
import {
  count,
  observed,
  type PredicateBody,
  type PredicateName,
  predicates,
  separation,
  sha256Hex,
  timestamp,
} from './predicates.ts';

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

interface StatementOf<Name extends PredicateName> {
  readonly predicate: Name;
  readonly subject: { readonly name: string; readonly sha256: string };
  readonly origin: string;
  readonly position: Position;
  /** `seriesOf(position)`. */
  readonly series: string;
  /** Digest of the statement before it in its series. */
  readonly prev: string;
  readonly time: string;
  readonly observed: z.infer<typeof observed>;
  readonly separation: z.infer<typeof separation>;
  readonly body: PredicateBody<Name>;
  /** The exact bytes. */
  readonly payload: Uint8Array;
  /** Hex SHA-256 of the PAE of the bytes: the statement's name for all others. */
  readonly digest: string;
}

/** A parsed statement; narrow it by `predicate`. */
export type Statement = { [Name in PredicateName]: StatementOf<Name> }[PredicateName];
export type StatementWith<Name extends PredicateName> = Extract<Statement, { predicate: Name }>;

const seriesName =
  /^(keys|people|agents|policy|tools|grants|deployment|source:[a-z0-9][a-z0-9._-]{0,62}|gate:[A-Za-z0-9_]{1,64})$/;
const taskId = z.string().regex(idPattern('task'));
const common = {
  v: z.literal(1),
  origin: z.string().min(1).max(255),
  prev: sha256Hex,
  time: timestamp,
  observed,
  separation,
  nonce: z.string().regex(/^[0-9a-f]{32}$/),
};
const headers = {
  seq: z.strictObject({ ...common, task: taskId, seq: count }),
  after: z.strictObject({ ...common, task: taskId, after: count }),
  series: z.strictObject({ ...common, series: z.string().regex(seriesName), n: count }),
};
type Header = z.infer<(typeof headers)[keyof typeof headers]>;
const headerKeys: ReadonlySet<string> = new Set(Object.values(headers).flatMap(({ shape }) => Object.keys(shape)));

const outer = z.strictObject({
  _type: z.literal(statementType),
  subject: z
    .array(
      z.strictObject({
        name: z
          .string()
          .regex(/^[a-z-]+:.+$/)
          .max(600),
        digest: z.strictObject({ sha256: sha256Hex }),
      }),
    )
    .length(1),
  predicateType: z.string(),
  // The strict parser has made sure that all in it is JSON.
  predicate: z.custom<Readonly<Record<string, unknown>>>(
    (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
    'an object',
  ),
});

const nameOfType: ReadonlyMap<string, PredicateName> = new Map(
  (Object.keys(predicates) as PredicateName[]).map((name) => [predicateType(name), name]),
);

const seqPredicates: ReadonlySet<string> = new Set([
  'task-opened',
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
  'finding',
  'confirmed',
  'reconciled',
  'case-exported',
  'erased',
  'hold',
]);
const namedSeries: Readonly<Record<string, string>> = {
  'key-event': 'keys',
  'person-enrolled': 'people',
  'agent-enrolled': 'agents',
  revoked: 'agents',
  'policy-activated': 'policy',
  'tool-pinned': 'tools',
  'grant-decision': 'grants',
  'rejects-counted': 'deployment',
  finding: 'deployment', // one about no task
  erased: 'deployment', // of payloads of no task
};

/**
 * Reads a statement from its exact bytes and checks its shape and its place (which predicates may stand in which series).
 * Signatures, order and meaning are the verifier's business.
 * @throws EvidenceError statement, json, encoding
 */
export function parseStatement(payload: Uint8Array): Statement {
  return { ...read(payload), payload, digest: toHex(statementDigest(payload)) } as Statement;
}

/** Refuses bytes that {@link parseStatement} would not read. @throws EvidenceError statement, json, encoding */
export function checkStatement(payload: Uint8Array): void {
  read(payload);
}

function read(payload: Uint8Array): Omit<Statement, 'payload' | 'digest'> {
  const text = fromUtf8(payload);
  const parsed = outer.safeParse(parseOwnJson(text) ?? parseStrictJson(text).value);
  if (!parsed.success) throw bad(z.prettifyError(parsed.error));
  const { subject, predicateType: type, predicate } = parsed.data;
  const name = nameOfType.get(type);
  if (!name) throw bad(`unknown predicate type ${JSON.stringify(type)}`);
  const { own, rest } = split(predicate);
  const head: z.ZodSafeParseResult<Header> = headerOf(own).safeParse(own);
  if (!head.success) throw bad(`${name}: header: ${z.prettifyError(head.error)}`);
  const body = predicates[name].safeParse(rest);
  if (!body.success) throw bad(`${name}: ${z.prettifyError(body.error)}`);
  const position = positionOf(head.data);
  const series = seriesOf(position);
  if (!mayStand(name, position)) throw bad(`${name} may not stand in series ${series}`);
  const only = subject[0];
  if (!only) throw bad('no subject');
  return {
    predicate: name,
    subject: { name: only.name, sha256: only.digest.sha256 },
    origin: head.data.origin,
    position,
    series,
    prev: head.data.prev,
    time: head.data.time,
    observed: head.data.observed,
    separation: head.data.separation,
    body: body.data,
  } as Omit<Statement, 'payload' | 'digest'>;
}

/** The members of the header, and those of the predicate. */
function split(predicate: Readonly<Record<string, unknown>>) {
  const own: Record<string, unknown> = {};
  const rest: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(predicate)) (headerKeys.has(key) ? own : rest)[key] = value;
  return { own, rest };
}

function headerOf(own: Readonly<Record<string, unknown>>): z.ZodType<Header> {
  if ('series' in own) return headers.series;
  return 'after' in own ? headers.after : headers.seq;
}

function positionOf(head: Header): Position {
  if ('seq' in head) return { task: head.task, chain: 'seq', n: head.seq };
  if ('after' in head) return { task: head.task, chain: 'after', n: head.after };
  return { series: head.series, n: head.n };
}

function mayStand(name: PredicateName, position: Position): boolean {
  if ('series' in position) {
    if (name === 'events-ingested') return position.series.startsWith('source:');
    return namedSeries[name] === position.series;
  }
  if (position.chain === 'after') return afterPredicates.has(name);
  return seqPredicates.has(name) && (name === 'task-opened') === (position.n === 0);
}

function bad(message: string): EvidenceError {
  return new EvidenceError('statement', message);
}

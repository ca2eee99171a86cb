import { z } from 'zod';
import { statementDigest } from './dsse.ts';
import { fromUtf8, toHex } from './encoding.ts';
import { EvidenceError } from './errors.ts';
import { parseOwnJson, parseStrictJson } from './json.ts';
import { type observed, type PredicateBody, type PredicateName, predicates, type separation } from './predicates.ts';
import {
  type Header,
  headerKeys,
  headerSchema,
  mayStand,
  type Position,
  predicateType,
  seriesOf,
  statementType,
  subject,
} from './statement-form.ts';

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

const outer = z.strictObject({
  _type: z.literal(statementType),
  subject: z.array(subject).length(1),
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

/**
 * Reads a statement from its exact bytes and checks its shape and its place (which predicates may stand in which series).
 * Signatures, order and meaning are the verifier's business.
 * @throws EvidenceError statement, json, encoding
 */
export function parseStatement(payload: Uint8Array): Statement {
  return { ...read(payload), payload, digest: toHex(statementDigest(payload)) } as Statement;
}

function read(payload: Uint8Array): Omit<Statement, 'payload' | 'digest'> {
  const text = fromUtf8(payload);
  const parsed = outer.safeParse(parseOwnJson(text) ?? parseStrictJson(text).value);
  if (!parsed.success) throw bad(z.prettifyError(parsed.error));
  const { predicateType: type, predicate } = parsed.data;
  const name = nameOfType.get(type);
  if (!name) throw bad(`unknown predicate type ${JSON.stringify(type)}`);
  const { own, rest } = split(predicate);
  const head: z.ZodSafeParseResult<Header> = headerSchema(own).safeParse(own);
  if (!head.success) throw bad(`${name}: header: ${z.prettifyError(head.error)}`);
  const body = predicates[name].safeParse(rest);
  if (!body.success) throw bad(`${name}: ${z.prettifyError(body.error)}`);
  const position = positionOf(head.data);
  const series = seriesOf(position);
  if (!mayStand(name, position)) throw bad(`${name} may not stand in series ${series}`);
  const [only] = parsed.data.subject;
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

function positionOf(head: Header): Position {
  if ('seq' in head) return { task: head.task, chain: 'seq', n: head.seq };
  if ('after' in head) return { task: head.task, chain: 'after', n: head.after };
  return { series: head.series, n: head.n };
}

function bad(message: string): EvidenceError {
  return new EvidenceError('statement', message);
}

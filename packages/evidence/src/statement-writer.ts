import { z } from 'zod';
import { paeOf } from './dsse.ts';
import { toHex } from './encoding.ts';
import { EvidenceError } from './errors.ts';
import { parseStrictJson } from './json.ts';
import { randomBytes, sha256 } from './platform.ts';
import { type Observed, type PredicateName, predicates, type Separation } from './predicates.ts';
import {
  givenHeaderSchema,
  headerKeys,
  mayStand,
  type Position,
  predicateType,
  statementType,
  subject,
} from './statement-form.ts';

/** What a statement says, before it has bytes. */
export interface StatementParts {
  readonly predicate: string;
  readonly subject: { readonly name: string; readonly sha256: string };
  readonly origin: string;
  readonly position: Position;
  /** Hex digest of the statement before it in its series. */
  readonly prev: string;
  readonly timeMs: number;
  readonly observed: Observed;
  readonly separation: Separation;
  /** The predicate's own members. */
  readonly body: Readonly<Record<string, unknown>>;
}

export interface WrittenStatement {
  /** The exact bytes of the statement. */
  readonly payload: Uint8Array;
  /** What is signed: the pre-authentication encoding of the payload. */
  readonly signed: Uint8Array;
  /** Hex SHA-256 of what is signed: the statement's name for all others. */
  readonly digest: string;
}

const nonceSize = 16;
let pool = '';

/** Drawn by the hundred: one call into the system's generator costs more than all the rest of a header. */
function nonce(): string {
  if (pool.length === 0) pool = toHex(randomBytes(256 * nonceSize));
  const taken = pool.slice(0, 2 * nonceSize);
  pool = pool.slice(2 * nonceSize);
  return taken;
}

/**
 * Makes the bytes of a statement, which {@link parseStatement} reads as these parts. They are made once and never again: from
 * there on only bytes travel. What the reader would refuse is refused here by the same schemas, before it has bytes.
 * `loose` leaves the predicate and its place unchecked.
 * @throws EvidenceError statement, json
 */
export function writeStatement(parts: StatementParts, { loose = false } = {}): WrittenStatement {
  const { predicate: name, position, body } = parts;
  const place =
    'series' in position
      ? { series: position.series, n: position.n }
      : position.chain === 'seq'
        ? { task: position.task, seq: position.n }
        : { task: position.task, after: position.n };
  const header = {
    v: 1,
    origin: parts.origin,
    ...place,
    prev: parts.prev,
    time: new Date(parts.timeMs).toISOString(),
    observed: parts.observed,
    separation: { agent: parts.separation.agent, tool: parts.separation.tool },
    nonce: nonce(),
  };
  const about = { name: parts.subject.name, digest: { sha256: parts.subject.sha256 } };
  for (const key in body) if (headerKeys.has(key)) throw bad(`${name}: member ${key} belongs to the header`);
  if (!loose) {
    refuse(name, 'subject', subject.safeParse(about));
    refuse(name, 'header', givenHeaderSchema(header).safeParse(header));
    const schema = Object.hasOwn(predicates, name) ? predicates[name as PredicateName] : undefined;
    if (!schema) throw bad(`unknown predicate ${JSON.stringify(name)}`);
    refuse(name, 'body', schema.safeParse(body));
    if (!mayStand(name as PredicateName, position)) throw bad(`${name} may not stand at ${JSON.stringify(place)}`);
  }
  const [head, rest] = [JSON.stringify(header), JSON.stringify(body)];
  const predicate = rest === '{}' ? head : `${head.slice(0, -1)},${rest.slice(1)}`;
  const [type, of] = [JSON.stringify(predicateType(name)), JSON.stringify(about)];
  const text = `{"_type":"${statementType}","subject":[${of}],"predicateType":${type},"predicate":${predicate}}`;
  // What JSON can write and a strict reader may refuse: half of a surrogate pair, a key that some readers lose.
  if (text.includes('\\ud') || text.includes('"__proto__"')) parseStrictJson(text);
  const { payload, signed } = paeOf(text);
  return { payload, signed, digest: toHex(sha256(signed)) };
}

function refuse(name: string, part: string, result: z.ZodSafeParseResult<unknown>): void {
  if (!result.success) throw bad(`${name}: ${part}: ${z.prettifyError(result.error)}`);
}

function bad(message: string): EvidenceError {
  return new EvidenceError('statement', message);
}

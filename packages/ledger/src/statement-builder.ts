import { randomBytes } from 'node:crypto';
import { type Observed, type Position, predicateType, type Separation, statementType, utf8 } from '@deed/evidence';
import { LedgerError } from './errors.ts';

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

const nonceSize = 16;
let pool = Buffer.alloc(0);

/** Drawn by the hundred: one call into the system's generator costs more than all the rest of a header. */
function nonce(): string {
  if (pool.length === 0) pool = randomBytes(256 * nonceSize);
  const taken = pool.toString('hex', 0, nonceSize);
  pool = pool.subarray(nonceSize);
  return taken;
}

/** Makes the bytes that are signed. They are made once and never again: from here on only bytes travel. @throws LedgerError draft */
export function buildStatement(parts: StatementParts): Uint8Array {
  const { position } = parts;
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
  for (const key of Object.keys(parts.body)) {
    if (key in header) throw new LedgerError('draft', `${parts.predicate}: member ${key} belongs to the header`);
  }
  return utf8(
    JSON.stringify({
      _type: statementType,
      subject: [{ name: parts.subject.name, digest: { sha256: parts.subject.sha256 } }],
      predicateType: predicateType(parts.predicate),
      predicate: { ...header, ...parts.body },
    }),
  );
}

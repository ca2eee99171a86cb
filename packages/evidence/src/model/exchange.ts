import { z } from 'zod';
import { concat, fromUtf8, toHex, utf8 } from '../encoding.ts';
import { EvidenceError } from '../errors.ts';
import { parseOwnJson, parseStrictJson } from '../json.ts';
import { sha256 } from '../platform.ts';
import { count, type PayloadRef, sha256Hex, timestamp } from '../predicates.ts';

/** The type of the payload that says what passed between an agent and its model. */
export const exchangeType = 'application/vnd.deed.exchange+json';
/** Of its pieces: what they are is said where they are listed. */
export const pieceType = 'application/octet-stream';
/** Most pieces of one body: what is behind them is one more. */
export const maxPieces = 4096;

const headers = z.array(z.strictObject({ name: z.string().min(1).max(128), value: z.string().max(8192) })).max(64);
const body = z.strictObject({
  /** What passed on the wire. */
  wire: z.strictObject({ size: count, sha256: sha256Hex }),
  /** True: the pieces are what passed without its content coding, as the server took it off. */
  decoded: z.boolean(),
  /** The payload objects that are the body when they are joined; null: it was too long to keep. */
  pieces: z
    .array(z.strictObject({ sha256: sha256Hex, size: count }))
    .max(maxPieces + 1)
    .nullable(),
});
export type ExchangeBody = z.infer<typeof body>;

const schema = z.strictObject({
  v: z.literal(1),
  /** As the operator named it. */
  provider: z.string().min(1).max(63),
  method: z.string().min(1).max(32),
  /** Path and query, without what may hold a credential. */
  target: z.string().min(1).max(8192),
  began: timestamp,
  ended: timestamp,
  end: z.enum(['complete', 'client-gone', 'upstream-gone', 'unreachable']),
  request: z.strictObject({ headers, body }),
  /** Null where no answer came. */
  response: z.strictObject({ status: count.max(999), headers, body }).nullable(),
});
/** What passed between an agent and its model, by message: the order of members is that of the one byte form. */
export type ExchangeRecord = z.infer<typeof schema>;

/** The one byte form: the members in the order of docs/formats/model-exchange.md, no spaces. */
export function encodeExchange(record: ExchangeRecord): Uint8Array {
  return utf8(JSON.stringify(schema.parse(record)));
}

/** @throws EvidenceError statement (no exchange in its one byte form), json, encoding */
export function parseExchange(bytes: Uint8Array): ExchangeRecord {
  const text = fromUtf8(bytes);
  const parsed = schema.safeParse(parseOwnJson(text) ?? parseStrictJson(text).value);
  if (!parsed.success) throw new EvidenceError('statement', `exchange: ${z.prettifyError(parsed.error)}`);
  if (JSON.stringify(parsed.data) !== text)
    throw new EvidenceError('statement', 'exchange: it is not in its one byte form');
  return parsed.data;
}

/** The payload objects that the bodies of an exchange consist of. */
export function piecesOf({ request, response }: ExchangeRecord): PayloadRef[] {
  const bodies = [request.body, ...(response ? [response.body] : [])];
  const pieces = bodies.flatMap(({ pieces: listed }) => listed ?? []);
  return pieces.map(({ sha256: name, size }) => ({ sha256: name, size, type: pieceType, kept: true }));
}

/**
 * Joins the pieces of a body.
 * @param piece the bytes of a piece, or undefined where it is not at hand
 * @returns undefined where one is not at hand, or none were kept
 * @throws EvidenceError statement (they are not what passed)
 */
export function joinBody(
  { wire, decoded, pieces }: ExchangeBody,
  piece: (name: string) => Uint8Array | undefined,
): Uint8Array | undefined {
  const parts = pieces?.map(({ sha256: name }) => piece(name));
  if (!parts) return undefined;
  const here = parts.filter((part) => part !== undefined);
  if (here.length < parts.length) return undefined;
  const whole = concat(...here);
  if (!decoded && (whole.length !== wire.size || toHex(sha256(whole)) !== wire.sha256))
    throw new EvidenceError('statement', 'exchange: its pieces are not what passed');
  return whole;
}

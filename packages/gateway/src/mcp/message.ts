import { DeedError, type Json, parseStrictJson, type StrictJson } from '@deed/evidence';
import { GatewayError } from '../errors.ts';

/** Longest accepted line of either side, in bytes. */
export const maxLineBytes = 8 * 1024 * 1024;

/** One JSON-RPC 2.0 message with its exact bytes. */
export interface Message {
  readonly line: Uint8Array;
  readonly json: StrictJson;
  readonly kind: 'request' | 'notification' | 'response';
  /** The id in its one spelling: `1` and `"1"` are different ids, `1` and `1.0` are the same. Null for notifications. */
  readonly id: string | null;
  /** Null for responses. */
  readonly method: string | null;
}

/**
 * Reads one line from an untrusted peer: exactly one object, no batch, valid UTF-8, no duplicate key, no key that differs
 * from another in letter case alone.
 * @throws GatewayError message, with what is wrong and where
 */
export function parseMessage(line: Uint8Array): Message {
  const json = strict(line);
  const { value } = json;
  if (Array.isArray(value)) throw new GatewayError('message', 'a batch is not accepted: send one message a line');
  if (typeof value !== 'object' || value === null) throw new GatewayError('message', 'not a JSON-RPC object');
  const { jsonrpc, id, method } = value as Readonly<Record<string, unknown>>;
  if (jsonrpc !== '2.0') throw new GatewayError('message', 'jsonrpc must be "2.0"');
  const hasId = typeof id === 'string' || typeof id === 'number';
  if (id !== undefined && !hasId && !(id === null && method === undefined))
    throw new GatewayError('message', 'id must be a string or a number');
  if (method !== undefined && typeof method !== 'string') throw new GatewayError('message', 'method must be a string');
  const idText = hasId ? idOf(id) : null;
  if (method !== undefined) return { line, json, kind: hasId ? 'request' : 'notification', id: idText, method };
  if (!('result' in value) && !('error' in value))
    throw new GatewayError('message', 'neither a method nor a result nor an error');
  return { line, json, kind: 'response', id: idText, method: null };
}

/** How requests are kept: peers may spell one id in more than one way. */
export function idOf(value: string | number): string {
  return JSON.stringify(value);
}

function strict(line: Uint8Array): StrictJson {
  try {
    return parseStrictJson(line, { refuseCaseVariants: true });
  } catch (cause) {
    if (!(cause instanceof DeedError)) throw cause;
    throw new GatewayError('message', cause.message, { cause });
  }
}

/** A plain MCP tool result that says why: what a refusal looks like to the agent. */
export function errorResult(id: string, text: string, modern = false): string {
  const result = { ...(modern ? { resultType: 'complete' } : {}), content: [{ type: 'text', text }], isError: true };
  return `{"jsonrpc":"2.0","id":${id},"result":${JSON.stringify(result)}}`;
}

/** A JSON-RPC error, for methods without a result of their own and for lines that are no message. */
export function errorReply(id: string | null, code: number, message: string, deed: string): string {
  return `{"jsonrpc":"2.0","id":${id ?? 'null'},"error":${JSON.stringify({ code, message, data: { deed } })}}\n`;
}

/** Whether a request is of the era that began with 2026-07-28: it says itself what other versions agree on at the start. */
export function isModern({ json }: Message): boolean {
  return typeof valueAt(json.value, 'params', '_meta', 'io.modelcontextprotocol/protocolVersion') === 'string';
}

/** What a request of the newer era says of itself, but for the token by which it wants to hear of its own progress. */
export function withoutProgress({ json }: Message): Json {
  const meta = valueAt(json.value, 'params', '_meta');
  const { progressToken: _, ...rest } = (meta ?? {}) as { readonly [key: string]: Json };
  return rest;
}

/** What stands at a path of member names; undefined where there is nothing. */
export function valueAt(value: Json | undefined, ...path: readonly string[]): Json | undefined {
  let at: Json | undefined = value;
  for (const step of path) {
    at =
      typeof at === 'object' && at !== null && !Array.isArray(at)
        ? (at as { readonly [key: string]: Json })[step]
        : undefined;
  }
  return at;
}

/** The text at a path; empty where there is none. */
export function stringAt(value: Json | undefined, ...path: readonly string[]): string {
  const found = valueAt(value, ...path);
  return typeof found === 'string' ? found : '';
}

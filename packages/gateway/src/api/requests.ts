import { DeedError, idPattern, type Json, parseStrictJson, type StrictJson } from '@deed/evidence';
import { z } from 'zod';
import { GatewayError } from '../errors.ts';

/** Longest accepted request, in bytes. */
export const maxRequestBytes = 8 * 1024 * 1024;

const given = z.record(z.string(), z.json());
const text = z.string().regex(/^[\x21-\x7e]{1,255}$/, 'up to 255 printable ASCII characters without a space');
const toolName = z.string().min(1).max(128);
const action = z.string().regex(idPattern('action'));

const call = {
  /** The caller's own name for this call: the same key is the same action, however often it is sent. */
  idempotencyKey: text,
  tool: toolName,
  /** What it is called with. */
  arguments: given,
  /** The model's own id of the tool call, where a model asked for it. */
  toolCallId: text.optional(),
  /** Where the call stands in a trace (W3C Trace Context): a claim, recorded and passed on. */
  traceparent: z.string().max(256).optional(),
  tracestate: z.string().max(8192).optional(),
};

/** The word `request` says what a message is for: it is signed with the rest, so that none passes for another. */
export const requests = {
  act: z.strictObject({
    request: z.literal('act'),
    /** `self:` and a name of the caller's: no registered server can have it. */
    server: z.string().regex(/^self:[a-z0-9][a-z0-9._-]{0,62}$/, 'self: and a name in lower case'),
    ...call,
    /** The result is told within this time, or the outcome is `unknown`. */
    expiresSeconds: z.number().int().min(1).max(86_400).default(600),
  }),
  execute: z.strictObject({
    request: z.literal('execute'),
    /** A registered service. */
    server: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, 'the name of a registered service'),
    ...call,
  }),
  result: z.strictObject({
    request: z.literal('result'),
    action,
    status: z.enum(['ok', 'error', 'unknown']),
    /** What came back. */
    result: z.json().optional(),
  }),
  close: z.strictObject({ request: z.literal('close'), task: z.string().regex(idPattern('task')) }),
} as const;

export type RequestName = keyof typeof requests;
export type ApiRequest<Name extends RequestName> = z.infer<(typeof requests)[Name]>;

/** A request with its exact text. */
export interface Read<Name extends RequestName> {
  readonly fields: ApiRequest<Name>;
  readonly json: StrictJson;
}

/** Reads a body that was signed as this request. @throws GatewayError request */
export function readRequest<Name extends RequestName>(name: Name, body: Uint8Array): Read<Name> {
  if (body.length > maxRequestBytes) throw new GatewayError('request', `longer than ${maxRequestBytes} bytes`);
  const json = strict(body);
  const parsed = requests[name].safeParse(json.value);
  if (!parsed.success) throw new GatewayError('request', z.prettifyError(parsed.error));
  return { fields: parsed.data as ApiRequest<Name>, json };
}

function strict(body: Uint8Array): StrictJson {
  try {
    return parseStrictJson(body, { refuseCaseVariants: true });
  } catch (cause) {
    if (!(cause instanceof DeedError)) throw cause;
    throw new GatewayError('request', cause.message, { cause });
  }
}

/** The arguments of a call, as they were sent. */
export function argumentsOf({ json, fields }: Read<'act'> | Read<'execute'>): {
  readonly raw: string;
  readonly value: Json;
} {
  return { raw: json.raw('arguments') ?? '{}', value: fields.arguments as Json };
}

/** The message whose proof a GET shows: it has no body to sign. */
export function messageOfGet(path: string): string {
  return `GET ${path}`;
}

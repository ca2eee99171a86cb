import { DeedError, fromUtf8, type Json, parseStrictJson, type StrictJson, utf8 } from '@deed/evidence';
import { GatewayError } from '../errors.ts';
import { parseMessage } from '../mcp/message.ts';

/** In `params._meta` of a call: the client's own id of it, as Claude Code names it to MCP servers too. */
export const callIdKey = 'claudecode/toolUseId';
/** Beside it: what else the client told its hook, each member as it was written. */
const eventKey = 'dev.deed/hook';
/** The method of every other event is this and its name. */
const eventPrefix = 'hook/';

/** The bytes of one event as a payload. */
export const hookEventType = 'application/vnd.deed.hook+json';

/** What a hook says, read. */
export type HookMessage =
  | { readonly kind: 'before'; readonly session: string; readonly call: HookCall }
  | {
      readonly kind: 'after';
      readonly session: string;
      readonly call: HookCall;
      readonly ok: boolean;
      readonly raw: string;
    }
  | { readonly kind: 'pause' | 'end'; readonly session: string };

/** A call of one of the client's tools. */
export interface HookCall {
  /** The client's own id of it. */
  readonly id: string;
  readonly name: string;
  readonly arguments: { readonly raw: string; readonly value: Json };
  /** Where the client works: relative paths begin there. */
  readonly folder: string;
}

/** What is sent for one event. */
export interface HookSaid {
  readonly message: Uint8Array;
  /** The client waits for leave to go on. */
  readonly asks: boolean;
}

const name = /^[\x21-\x7e]{1,256}$/;

/**
 * What the hook of Claude Code sends for one event, to be signed by whoever has a key: for PreToolUse a `tools/call` as MCP has it,
 * whose arguments are the exact bytes of `tool_input`; for any other event a message of its own, with the exact bytes of the event.
 * @param event what the client wrote to the hook's input
 * @throws GatewayError message
 */
export function claudeCodeMessage(event: Uint8Array): HookSaid {
  const text = decoded(event).trim();
  const json = strict(text);
  const members = objectOf(json.value);
  const kind = textOf(members, 'hook_event_name');
  if (kind !== 'PreToolUse') {
    const message = utf8(`{"jsonrpc":"2.0","method":${JSON.stringify(eventPrefix + kind)},"params":${text}}`);
    return { message, asks: false };
  }
  const id = textOf(members, 'tool_use_id');
  const rest = Object.keys(members)
    .filter((key) => key !== 'tool_name' && key !== 'tool_input')
    .map((key) => `${JSON.stringify(key)}:${json.raw(key)}`);
  const meta = `{${JSON.stringify(callIdKey)}:${JSON.stringify(id)},${JSON.stringify(eventKey)}:{${rest.join()}}}`;
  const params = `{"name":${json.raw('tool_name')},"arguments":${json.raw('tool_input') ?? '{}'},"_meta":${meta}}`;
  const message = utf8(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"method":"tools/call","params":${params}}`);
  return { message, asks: true };
}

/** Reads what a hook sent. @throws GatewayError message */
export function readHookMessage(bytes: Uint8Array): HookMessage {
  const { json, method } = parseMessage(bytes);
  const params = objectOf(objectOf(json.value).params);
  if (method === 'tools/call') {
    const meta = objectOf(params._meta);
    const event = objectOf(meta[eventKey]);
    const value = params.arguments ?? {};
    const call = callOf(textOf(meta, callIdKey), textOf(params, 'name'), event, {
      raw: json.raw('params', 'arguments') ?? '{}',
      value,
    });
    return { kind: 'before', session: textOf(event, 'session_id'), call };
  }
  const session = textOf(params, 'session_id');
  if (method === `${eventPrefix}PostToolUse` || method === `${eventPrefix}PostToolUseFailure`) {
    const raw = json.raw('params') ?? '{}';
    const call = callOf(textOf(params, 'tool_use_id'), textOf(params, 'tool_name'), params, {
      raw: json.raw('params', 'tool_input') ?? '{}',
      value: params.tool_input ?? {},
    });
    return { kind: 'after', session, call, ok: method === `${eventPrefix}PostToolUse`, raw };
  }
  if (method === `${eventPrefix}Stop`) return { kind: 'pause', session };
  if (method === `${eventPrefix}SessionEnd`) return { kind: 'end', session };
  throw new GatewayError('message', `nothing is recorded of ${method}: take it out of the hooks`);
}

function callOf(
  id: string,
  tool: string,
  event: { readonly [key: string]: Json },
  given: HookCall['arguments'],
): HookCall {
  if (!name.test(tool)) throw new GatewayError('message', 'the name of the tool is not one');
  objectOf(given.value);
  return { id, name: tool, arguments: given, folder: textOf(event, 'cwd') };
}

function decoded(bytes: Uint8Array): string {
  try {
    return fromUtf8(bytes);
  } catch (cause) {
    throw new GatewayError('message', 'the event is not UTF-8', { cause });
  }
}

function strict(text: string): StrictJson {
  try {
    return parseStrictJson(text, { refuseCaseVariants: true });
  } catch (cause) {
    if (!(cause instanceof DeedError)) throw cause;
    throw new GatewayError('message', `the event: ${cause.message}`, { cause });
  }
}

function objectOf(value: Json | undefined): { readonly [key: string]: Json } {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new GatewayError('message', 'the event of a hook has another form: is this Claude Code?');
  return value as { readonly [key: string]: Json };
}

function textOf(members: { readonly [key: string]: Json }, key: string): string {
  const value = members[key];
  if (typeof value !== 'string' || value === '' || value.length > 4096)
    throw new GatewayError('message', `the event of a hook has no ${key}: is this Claude Code?`);
  return value;
}

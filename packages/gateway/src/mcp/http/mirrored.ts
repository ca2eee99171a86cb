import type { IncomingHttpHeaders } from 'node:http';
import type { Json } from '@deed/evidence';
import { isModern, type Message, valueAt } from '../message.ts';

/** Error code of the protocol for headers that do not say what the body says. */
export const headerMismatch = -32020;

/** By what each header of a request must be repeated in its body, for the parameters that a tool's schema mirrors. */
export type MirroredParameters = ReadonlyMap<string, readonly string[]>;

/**
 * What the headers say otherwise than the body, as a sentence; null if nothing. Where somebody on the way goes by the headers and
 * the server by the body, a difference would be a way around.
 */
export function mismatchOf(headers: IncomingHttpHeaders, message: Message): string | null {
  const modern = isModern(message);
  const version = valueAt(message.json.value, 'params', '_meta', versionMember);
  const said: readonly (readonly [string, Json | undefined])[] = [
    ...(modern ? ([['mcp-protocol-version', version]] as const) : []),
    ['mcp-method', message.method ?? undefined],
    ['mcp-name', nameOf(message)],
  ];
  for (const [header, value] of said) {
    const given = single(headers[header]);
    if (given === undefined) {
      if (modern && message.kind === 'request' && value !== undefined) return `the header ${header} is missing`;
      continue;
    }
    if (decoded(given) !== value) return `the header ${header} does not say what the body says`;
  }
  return null;
}

/** The same for the headers that mirror parameters. Those that the tool's schema does not name are nobody's. */
export function parameterMismatch(
  headers: IncomingHttpHeaders,
  { json }: Message,
  mirrored: MirroredParameters,
): string | null {
  for (const [name, path] of mirrored) {
    const given = single(headers[`mcp-param-${name}`]);
    const value = valueAt(json.value, 'params', 'arguments', ...path);
    const expected = value === undefined || value === null ? undefined : value;
    if (given === undefined && expected === undefined) continue;
    const text = given === undefined ? undefined : decoded(given);
    const same =
      typeof expected === 'number'
        ? text !== undefined && text.trim() !== '' && Number(text) === expected
        : expected !== undefined && text === String(expected);
    if (!same) return `the header mcp-param-${name} does not say what the body says`;
  }
  return null;
}

/** The parameters that a tool's schema wants mirrored, by the name of the header in lower case. */
export function mirroredParameters(schema: Json | undefined): MirroredParameters {
  const found = new Map<string, readonly string[]>();
  const walk = (at: Json | undefined, path: readonly string[]) => {
    const properties = valueAt(at ?? null, 'properties');
    if (typeof properties !== 'object' || properties === null || Array.isArray(properties) || path.length > 32) return;
    for (const [name, property] of Object.entries(properties as { readonly [key: string]: Json })) {
      const header = valueAt(property, 'x-mcp-header');
      if (typeof header === 'string') found.set(header.toLowerCase(), [...path, name]);
      walk(property, [...path, name]);
    }
  };
  walk(schema, []);
  return found;
}

const versionMember = 'io.modelcontextprotocol/protocolVersion';

function nameOf({ method, json }: Message): Json | undefined {
  if (method === 'tools/call' || method === 'prompts/get') return valueAt(json.value, 'params', 'name');
  return method === 'resources/read' ? valueAt(json.value, 'params', 'uri') : undefined;
}

/** Null where a header stands there twice: that says nothing, or two things. */
function single(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'string' || value === undefined ? value : value.join(', ');
}

/** A value as a header carries it: as it is, or in base64 where it might be read otherwise. */
export function encodedHeader(value: string): string {
  const isPlain = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(value) && !encoded.test(value);
  return isPlain ? value : `=?base64?${Buffer.from(value).toString('base64')}?=`;
}

const encoded = /^=\?base64\?([A-Za-z0-9+/]*={0,2})\?=$/;

function decoded(value: string): string {
  const match = encoded.exec(value);
  return match ? Buffer.from(match[1] ?? '', 'base64').toString('utf8') : value;
}

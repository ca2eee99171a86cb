import { httpMethods, type Json, type StrictJson, sha256, toHex, utf8 } from '@deed/evidence';
import { z } from 'zod';
import { GatewayError } from '../errors.ts';

const parameter = /\{([A-Za-z_][A-Za-z0-9_]{0,63})\}/g;

/** One request that the gateway may make of an HTTP service, by name. */
export const operation = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, 'letters, digits, ".", "_", "-"'),
  method: z.enum(httpMethods),
  /** Below the service's address; `{NAME}` stands for that argument, as one segment or a part of one. */
  path: z
    .string()
    .max(1024)
    .regex(/^\/[A-Za-z0-9/._~!$&'()*+,;=:@%{}-]*$/, 'a path that begins with "/"')
    .refine((path) => !/[{}]/.test(path.replaceAll(parameter, '')), 'a parameter is written {NAME}')
    .refine((path) => !path.split('/').some((part) => part === '.' || part === '..'), 'no segment is "." or ".."'),
  /** How the arguments that are not in the path are sent where the method has a body: as JSON, or as a form. Otherwise they are the query. */
  body: z.enum(['json', 'form']).default('json'),
});
export type Operation = z.infer<typeof operation>;

/** What will be sent, but for the credential. */
export interface ServiceRequest {
  readonly method: Operation['method'];
  readonly url: string;
  /** Its media type and the exact bytes; null without a body. */
  readonly body: { readonly type: string; readonly bytes: Uint8Array } | null;
}

const withoutBody: ReadonlySet<string> = new Set(['GET', 'HEAD', 'DELETE']);

/**
 * The request that a call amounts to: arguments named in the path fill it, the others are its query or its body, each in the exact text
 * that the agent wrote.
 * @param base the service's address
 * @param call the arguments, an object
 * @throws GatewayError operands
 */
export function requestOf(base: string, { method, path, body: form }: Operation, call: StrictJson): ServiceRequest {
  const members = objectOf(call.value);
  const used = new Set<string>();
  const filled = path.replaceAll(parameter, (_, name: string) => {
    used.add(name);
    return segmentOf(name, scalarOf(call, members[name], name));
  });
  // A value beside text or another one may have made it a way up.
  if (filled.split('/').some((part) => /^(\.|%2e){1,2}$/i.test(part)))
    throw new GatewayError('operands', 'the arguments would make a segment of the path "." or ".."');
  const rest = Object.keys(members).filter((name) => !used.has(name));
  const address = `${base.replace(/\/$/, '')}${filled}`;
  if (withoutBody.has(method)) {
    const query = fieldsOf(call, members, rest).toString();
    return checked({ method, url: query === '' ? address : `${address}?${query}`, body: null });
  }
  if (rest.length === 0 && form === 'json') return checked({ method, url: address, body: null });
  if (form === 'form') {
    const bytes = utf8(fieldsOf(call, members, rest).toString());
    return checked({ method, url: address, body: { type: 'application/x-www-form-urlencoded', bytes } });
  }
  const text = rest.map((name) => `${JSON.stringify(name)}:${call.raw(name)}`).join(',');
  return checked({ method, url: address, body: { type: 'application/json', bytes: utf8(`{${text}}`) } });
}

/** The digest of a request's body, as the action record holds it. */
export function bodyDigest({ body }: ServiceRequest): string | null {
  return body && toHex(sha256(body.bytes));
}

/** As its reader will write it; with the same segments that the operator's path has. */
function checked(request: ServiceRequest): ServiceRequest {
  const { href, pathname } = new URL(request.url);
  const [given = ''] = request.url.split('?');
  if (href.length > 4096) throw new GatewayError('operands', 'the address would be longer than 4096 characters');
  if (!given.endsWith(pathname)) throw new GatewayError('operands', 'the arguments make no plain path');
  return { ...request, url: href };
}

function objectOf(value: Json): { readonly [key: string]: Json } {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as { readonly [key: string]: Json };
  throw new GatewayError('operands', 'the arguments are not an object');
}

/** A value as the agent wrote it: a number keeps its digits. */
function scalarOf(call: StrictJson, value: Json | undefined, ...path: [string, number?]): string {
  if (typeof value === 'string') return value;
  const raw = call.raw(...(path as (string | number)[]));
  if (raw !== undefined && (typeof value === 'number' || typeof value === 'boolean')) return raw;
  throw new GatewayError('operands', `${path.join(' ')} must be a string, a number or a boolean`);
}

function segmentOf(name: string, value: string): string {
  if (value === '') throw new GatewayError('operands', `${name} stands in the path and is empty`);
  return encodeURIComponent(value);
}

/** A list is its name repeated. */
function fieldsOf(
  call: StrictJson,
  members: { readonly [key: string]: Json },
  names: readonly string[],
): URLSearchParams {
  const fields = new URLSearchParams();
  for (const name of names) {
    const value = members[name];
    if (Array.isArray(value)) {
      (value as readonly Json[]).forEach((each, at) => {
        fields.append(name, scalarOf(call, each, name, at));
      });
    } else fields.append(name, scalarOf(call, value, name));
  }
  return fields;
}

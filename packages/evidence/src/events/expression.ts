import { z } from 'zod';
import { toBase64, toHex, utf8 } from '../encoding.ts';
import type { Json } from '../json.ts';
import { sha256 } from '../platform.ts';
import type { Comparable } from './source-event.ts';

/** Longer texts stand as `sha256:<hex>` of themselves, so that they stay comparable. */
const maxText = 1024;
const maxDepth = 16;
const text = z.string().max(maxText);
const pointer = text.regex(/^(\/([^~/]|~[01])*)*$/, 'a JSON pointer (RFC 6901): "/a/b", with ~0 for ~ and ~1 for /');
const scalar = z.union([text, z.number(), z.boolean(), z.null()]);

/** How a value is taken out of a JSON document (docs/formats/source-mapping.md). Closed: no patterns, no loops, no arithmetic. */
export type Expression =
  | string
  | { readonly const: Comparable }
  | { readonly first: readonly Expression[] }
  | { readonly join: readonly Expression[]; readonly with: string }
  | {
      readonly of: Expression;
      readonly table: { readonly [value: string]: Comparable };
      readonly else?: Expression | undefined;
    }
  | {
      readonly of: Expression;
      readonly starts: { readonly [prefix: string]: Comparable };
      readonly else?: Expression | undefined;
    }
  | { readonly of: Expression; readonly last: string }
  | { readonly of: Expression; readonly after: string }
  | { readonly of: Expression; readonly until: string }
  | { readonly of: Expression; readonly json: string }
  | { readonly of: Expression; readonly csv: number }
  | { readonly of: Expression; readonly entry: { readonly at: string; readonly is: Comparable }; readonly take: string }
  | { readonly of: Expression; readonly digest: 'hex' | 'base64' }
  | { readonly of: Expression; readonly as: 'text' | 'number' | 'lower' };

/** Whether a document is meant at all. */
export type Condition =
  | { readonly is: Expression; readonly in: readonly Comparable[] }
  | { readonly has: Expression }
  | { readonly all: readonly Condition[] }
  | { readonly any: readonly Condition[] }
  | { readonly not: Condition };

const inner = z.lazy(() => expression);
export const expression: z.ZodType<Expression> = z.union([
  pointer,
  z.strictObject({ const: scalar }),
  z.strictObject({ first: z.array(inner).min(1).max(16) }),
  z.strictObject({ join: z.array(inner).min(1).max(16), with: text }),
  z.strictObject({ of: inner, table: z.record(text, scalar), else: inner.optional() }),
  z.strictObject({ of: inner, starts: z.record(text, scalar), else: inner.optional() }),
  z.strictObject({ of: inner, last: text.min(1) }),
  z.strictObject({ of: inner, after: text.min(1) }),
  z.strictObject({ of: inner, until: text.min(1) }),
  z.strictObject({ of: inner, json: pointer }),
  z.strictObject({ of: inner, csv: z.number().int().min(0).max(255) }),
  z.strictObject({ of: inner, entry: z.strictObject({ at: pointer, is: scalar }), take: pointer }),
  z.strictObject({ of: inner, digest: z.enum(['hex', 'base64']) }),
  z.strictObject({ of: inner, as: z.enum(['text', 'number', 'lower']) }),
]);
const innerCondition = z.lazy(() => condition);
export const condition: z.ZodType<Condition> = z.union([
  z.strictObject({ is: inner, in: z.array(scalar).min(1).max(256) }),
  z.strictObject({ has: inner }),
  z.strictObject({ all: z.array(innerCondition).min(1).max(16) }),
  z.strictObject({ any: z.array(innerCondition).min(1).max(16) }),
  z.strictObject({ not: innerCondition }),
]);

type Take = (document: Json) => Json | undefined;

/** The value that an expression takes out of a document; undefined where there is none, or no single one. Never throws. */
export function compile(from: Expression): (document: Json) => Comparable | undefined {
  const take = taking(from);
  return (document) => comparable(take(document));
}

export function compileCondition(from: Condition): (document: Json) => boolean {
  if ('is' in from) {
    const [take, values] = [compile(from.is), new Set(from.in)];
    return (document) => values.has(take(document) ?? null);
  }
  if ('has' in from) {
    const take = taking(from.has);
    return (document) => (take(document) ?? null) !== null;
  }
  if ('not' in from) {
    const inside = compileCondition(from.not);
    return (document) => !inside(document);
  }
  const parts = ('all' in from ? from.all : from.any).map(compileCondition);
  return 'all' in from
    ? (document) => parts.every((part) => part(document))
    : (document) => parts.some((part) => part(document));
}

function taking(from: Expression): Take {
  if (typeof from === 'string') return follow(from);
  if ('const' in from) return () => from.const;
  if ('first' in from) return firstOf(from.first.map(taking));
  if ('join' in from) return joined(from.join.map(compile), from.with);
  const of = taking(from.of);
  if ('table' in from)
    return looked(of, new Map(Object.entries(from.table)), from.else ? taking(from.else) : undefined);
  if ('starts' in from) return started(of, from.starts, from.else ? taking(from.else) : undefined);
  if ('last' in from) return onText(of, (value) => value.split(from.last).at(-1));
  if ('after' in from)
    return onText(of, (value) => (value.startsWith(from.after) ? value.slice(from.after.length) : undefined));
  if ('until' in from) return onText(of, (value) => value.split(from.until, 1)[0]);
  if ('json' in from) return inside(of, follow(from.json));
  if ('csv' in from) return onText(of, (value) => csvField(value, from.csv));
  if ('entry' in from) return entryOf(of, compile(from.entry.at), from.entry.is, follow(from.take));
  if ('digest' in from) return digested(of, from.digest);
  return cast(of, from.as);
}

/** RFC 6901. What is not there is undefined, as is what passes through a text or a number. */
function follow(path: string): Take {
  const steps = path
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  const ways = steps.map((name) => ({
    name,
    place: /^(0|[1-9][0-9]{0,6})$/.test(name) ? Number(name) : -1,
    // What every object has is not asked for without looking whether this one has it.
    isInherited: name in Object.prototype,
  }));
  return (document) => {
    let at: Json | undefined = document;
    for (const { name, place, isInherited } of ways) {
      if (typeof at !== 'object' || at === null) return undefined;
      if (Array.isArray(at)) at = place < 0 ? undefined : (at as readonly Json[])[place];
      else if (isInherited && !Object.hasOwn(at, name)) return undefined;
      else at = (at as { readonly [key: string]: Json })[name];
    }
    return at;
  };
}

function firstOf(parts: readonly Take[]): Take {
  return (document) => {
    for (const part of parts) {
      const value = part(document);
      if (value !== undefined && value !== null) return value;
    }
    return undefined;
  };
}

function joined(parts: readonly ((document: Json) => Comparable | undefined)[], by: string): Take {
  return (document) => {
    const values = parts.map((part) => part(document));
    return values.some((value) => value === undefined || value === null) ? undefined : values.join(by);
  };
}

function looked(of: Take, table: ReadonlyMap<string, Comparable>, otherwise: Take | undefined): Take {
  return (document) => {
    const value = comparable(of(document));
    const found = value === undefined ? undefined : table.get(String(value));
    return found === undefined ? otherwise?.(document) : found;
  };
}

/** The longest prefix decides. */
function started(of: Take, by: Readonly<Record<string, Comparable>>, otherwise: Take | undefined): Take {
  const prefixes = Object.entries(by).sort(([a], [b]) => b.length - a.length);
  return (document) => {
    const value = of(document);
    const found = typeof value === 'string' ? prefixes.find(([prefix]) => value.startsWith(prefix)) : undefined;
    return found ? found[1] : otherwise?.(document);
  };
}

function onText(of: Take, change: (value: string) => string | undefined): Take {
  return (document) => {
    const value = of(document);
    return typeof value === 'string' ? change(value) : undefined;
  };
}

/** A text that is itself a JSON document. */
function inside(of: Take, within: Take): Take {
  return (document) => {
    const value = of(document);
    if (typeof value !== 'string') return undefined;
    try {
      return within(JSON.parse(value) as Json);
    } catch {
      return undefined;
    }
  };
}

/** One field of a record in the form of RFC 4180; a quoted one may hold commas, newlines and doubled quotes. */
function csvField(record: string, wanted: number): string | undefined {
  let at = 0;
  for (let field = 0; ; field++) {
    const isQuoted = record[at] === '"';
    let end = at;
    if (isQuoted) {
      do end = record.indexOf('"', end + 1) + 1;
      while (end > 0 && record[end] === '"');
      if (end === 0) return undefined;
    }
    const comma = record.indexOf(',', end);
    const stop = comma < 0 ? record.length : comma;
    if (field === wanted) {
      return isQuoted ? record.slice(at + 1, end - 1).replaceAll('""', '"') : record.slice(at, stop);
    }
    if (comma < 0) return undefined;
    at = comma + 1;
  }
}

function entryOf(of: Take, at: (entry: Json) => Comparable | undefined, is: Comparable, take: Take): Take {
  return (document) => {
    const list = of(document);
    if (!Array.isArray(list)) return undefined;
    const entry = (list as readonly Json[]).find((each) => at(each) === is);
    return entry === undefined ? undefined : take(entry);
  };
}

/** SHA-256 of a text's bytes; of anything else, of its JSON with the keys of each object sorted by code unit and no spaces. */
function digested(of: Take, form: 'hex' | 'base64'): Take {
  return (document) => {
    const value = of(document);
    if (value === undefined || value === null) return undefined;
    const source = typeof value === 'string' ? value : sorted(value, 0);
    if (source === undefined) return undefined;
    const digest = sha256(utf8(source.toWellFormed()));
    return form === 'hex' ? toHex(digest) : toBase64(digest);
  };
}

function sorted(value: Json, depth: number): string | undefined {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (depth >= maxDepth) return undefined;
  let text = '';
  if (Array.isArray(value)) {
    for (const each of value as readonly Json[]) {
      const part = sorted(each, depth + 1);
      if (part === undefined) return undefined;
      text += text === '' ? part : `,${part}`;
    }
    return `[${text}]`;
  }
  const object = value as { readonly [key: string]: Json };
  for (const key of Object.keys(object).sort()) {
    const part = sorted(object[key] as Json, depth + 1);
    if (part === undefined) return undefined;
    text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${part}`;
  }
  return `{${text}}`;
}

const plainNumber = /^-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,15})?$/;

function cast(of: Take, as: 'text' | 'number' | 'lower'): Take {
  return (document) => {
    const value = comparable(of(document));
    if (value === undefined || value === null) return undefined;
    if (as === 'text') return String(value);
    if (as === 'lower') return String(value).toLowerCase();
    if (typeof value === 'number') return value;
    return typeof value === 'string' && plainNumber.test(value) ? Number(value) : undefined;
  };
}

/** Lists and objects are no values; a text is well-formed and bounded. */
function comparable(value: Json | undefined): Comparable | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'object') return undefined;
  if (typeof value !== 'string') return value;
  const whole = value.isWellFormed() ? value : value.toWellFormed();
  return whole.length <= maxText ? whole : `sha256:${toHex(sha256(utf8(whole)))}`;
}

import { DeedError, parseStrictJson } from '@deed/evidence';
import { z } from 'zod';
import { AuthorityError } from '../errors.ts';

/**
 * Facts: arguments of tools that policy may speak about, typed. A bundle declares them in `facts.json` or `<name>.facts.json`;
 * its schema names them `"facts"?: Facts::Declared`, which is made from all of them.
 */
const types = { long: 'Long', string: 'String', bool: 'Bool', strings: 'Set<String>' } as const;
type FactType = keyof typeof types;

const fact = z.strictObject({
  /** RFC 6901, into the arguments of the call. */
  argument: z.string().regex(/^(\/([^~/]|~[01])*)+$/, 'a JSON pointer into the arguments, such as /amount'),
  type: z.enum(Object.keys(types) as [FactType, ...FactType[]]),
});
const rule = z.strictObject({
  server: z.string().min(1).max(200),
  tool: z.string().min(1).max(200),
  facts: z.record(z.string().regex(/^[a-z][A-Za-z0-9]{0,39}$/, 'a name such as amount'), fact),
});
const file = z.array(rule).min(1).max(200);

export type FactRule = z.infer<typeof rule>;
export type FactValue = number | string | boolean | string[];

export const factsFile = /^([a-z0-9][a-z0-9-]{0,80}\.)?facts\.json$/;
const maxText = 2000;

/** @throws AuthorityError policy-invalid */
export function parseFacts(path: string, bytes: Uint8Array): readonly FactRule[] {
  try {
    const parsed = file.safeParse(parseStrictJson(bytes).value);
    if (parsed.success) return parsed.data;
    throw new AuthorityError('policy-invalid', `${path}: ${z.prettifyError(parsed.error)}`);
  } catch (cause) {
    if (!(cause instanceof DeedError) || cause instanceof AuthorityError) throw cause;
    throw new AuthorityError('policy-invalid', `${path}: ${cause.message}`, { cause });
  }
}

/**
 * The type of all facts together, as a part of the schema. A fact of one name has one type, whatever tool it is of.
 * @throws AuthorityError policy-invalid (two types, or a tool twice)
 */
export function factsSchema(rules: readonly FactRule[]): string {
  const declared = new Map<string, FactType>();
  const tools = new Set<string>();
  for (const { server, tool, facts } of rules) {
    const name = `${server}/${tool}`;
    if (tools.has(name)) throw new AuthorityError('policy-invalid', `the facts of ${name} are declared twice`);
    tools.add(name);
    for (const [key, { type }] of Object.entries(facts)) {
      if ((declared.get(key) ?? type) !== type) {
        throw new AuthorityError('policy-invalid', `fact ${key} has two types: ${declared.get(key)} and ${type}`);
      }
      declared.set(key, type);
    }
  }
  const attributes = [...declared].map(([key, type]) => `"${key}"?: ${types[type]}`).join(', ');
  return `\nnamespace Facts { type Declared = { ${attributes} }; }\n`;
}

/** The call that facts are taken from. */
export interface FactSource {
  readonly server: string;
  readonly tool: string | null;
  /** The exact source text of its arguments. */
  readonly arguments: string;
}

/** The facts of a call, or what does not fit: then it is denied. Null: nothing is declared for its tool. */
export function factsOf(
  rules: readonly FactRule[],
  { server, tool, arguments: given }: FactSource,
): { readonly facts: Record<string, FactValue> } | { readonly unfit: string[] } | null {
  const declared = rules.find((each) => each.server === server && each.tool === tool);
  if (!declared) return null;
  let value: unknown;
  try {
    // A tool may read `Amount` where policy saw `amount`.
    value = parseStrictJson(given === '' ? '{}' : given, { refuseCaseVariants: true }).value;
  } catch (error) {
    if (error instanceof DeedError) return { unfit: [`facts of ${server}/${tool}: ${error.message}`] };
    throw error;
  }
  const facts: Record<string, FactValue> = {};
  const unfit: string[] = [];
  for (const [name, { argument, type }] of Object.entries(declared.facts)) {
    const found = at(value, argument);
    if (found === undefined) unfit.push(`fact ${name}: there is no argument ${argument}`);
    else if (isOf(type, found)) facts[name] = found;
    else unfit.push(`fact ${name}: the argument ${argument} is not of type ${type}`);
  }
  return unfit.length > 0 ? { unfit } : { facts };
}

function at(value: unknown, pointer: string): unknown {
  let now = value;
  for (const part of pointer.slice(1).split('/')) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof now !== 'object' || now === null || !Object.hasOwn(now, key)) return undefined;
    if (Array.isArray(now) && !/^(0|[1-9][0-9]*)$/.test(key)) return undefined;
    now = (now as Record<string, unknown>)[key];
  }
  return now;
}

function isOf(type: FactType, value: unknown): value is FactValue {
  const isText = (each: unknown) => typeof each === 'string' && each.length <= maxText;
  if (type === 'long') return Number.isSafeInteger(value) && !Object.is(value, -0);
  if (type === 'string') return isText(value);
  if (type === 'bool') return typeof value === 'boolean';
  return Array.isArray(value) && value.length <= 100 && value.every(isText);
}

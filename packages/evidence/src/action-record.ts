import { z } from 'zod';
import { fromUtf8, utf8 } from './encoding.ts';
import { EvidenceError } from './errors.ts';
import { idPattern } from './ids.ts';
import { type Json, parseOwnJson, parseStrictJson } from './json.ts';
import { sha256Hex } from './predicates.ts';

const text = z.string().max(4096);
const objectId = z.string().regex(/^[0-9a-f]{40}([0-9a-f]{24})?$/);

export const httpMethods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
const httpMethod = z.enum(httpMethods);

/** What an action touches, resolved from its arguments by the gateway just before it is decided. */
export const operands = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('none') }),
  z.strictObject({
    kind: z.literal('paths'),
    paths: z.array(z.strictObject({ argument: text, given: text, real: text })).max(256),
  }),
  z.strictObject({
    kind: z.literal('git-push'),
    remote: text,
    /** The push URL as the agent's own git resolves it. */
    url: text,
    /** The repository's name at the forge. */
    repository: text,
    /** Object ids; zeros where the ref does not exist before or after. Sorted by ref. */
    updates: z
      .array(
        z.strictObject({
          ref: text,
          old: objectId,
          new: objectId,
          kind: z.enum(['create', 'forward', 'rewrite', 'tag-move', 'delete']),
        }),
      )
      .max(64),
    /** Refs that git itself would not push, with git's reason. */
    rejected: z.array(z.strictObject({ ref: text, reason: text })).max(64),
    commits: z.number().int().min(0),
    /** The newest of the new commits. */
    log: z.array(z.strictObject({ id: objectId, subject: text })).max(64),
    diffstat: z.string().max(65_536),
  }),
  z.strictObject({
    /** A request that the gateway itself will make. */
    kind: z.literal('http'),
    method: httpMethod,
    url: text,
    /** SHA-256 of the exact body; null without one. */
    body: sha256Hex.nullable(),
  }),
]);
export type Operands = z.infer<typeof operands>;

/** The effects that the gateway itself saw at the resource. */
export const effects = z.strictObject({
  v: z.literal(1),
  effects: z
    .array(
      z.discriminatedUnion('kind', [
        z.strictObject({
          kind: z.literal('git-ref'),
          repository: text,
          ref: text,
          old: objectId,
          new: objectId,
          status: z.enum(['ok', 'rejected', 'unknown']),
          /** The forge's own id of the request, if it named one. */
          request: text.nullable(),
        }),
        z.strictObject({
          /** The answer to a request that the gateway made. */
          kind: z.literal('http'),
          method: httpMethod,
          url: text,
          /** The status code of the answer. */
          status: z.number().int().min(100).max(599),
          /** The service's own id of the request, if it named one. */
          request: text.nullable(),
        }),
      ]),
    )
    .max(64),
});
export type Effects = z.infer<typeof effects>;
export type Effect = Effects['effects'][number];
export type GitRefEffect = Extract<Effect, { kind: 'git-ref' }>;

/** The refs among effects. */
export function gitRefsOf({ effects }: Effects): GitRefEffect[] {
  return effects.filter((effect) => effect.kind === 'git-ref');
}

const schema = z.strictObject({
  v: z.literal(1),
  action: z.string().regex(idPattern('action')),
  task: z.string().regex(idPattern('task')),
  method: text,
  server: text,
  tool: text,
  definition: sha256Hex.nullable(),
  executable: sha256Hex,
  /** The exact source text of the arguments, as the caller sent it. */
  arguments: z.string(),
  operands,
  /** The person who wrote these arguments instead of those of another action, by his signed edit of it; null if the agent did. */
  author: z
    .strictObject({ person: z.string().regex(idPattern('person')), edits: z.string().regex(idPattern('action')) })
    .nullable(),
});
/** What will be done, fixed. The name of its payload object is the action digest. */
export type ActionRecord = z.infer<typeof schema>;

const keys = [
  'v',
  'action',
  'task',
  'method',
  'server',
  'tool',
  'definition',
  'executable',
  'arguments',
  'operands',
  'author',
] as const;

/** The one byte form: this key order, no spaces. */
export function encodeActionRecord(record: ActionRecord): Uint8Array {
  return utf8(JSON.stringify(Object.fromEntries(keys.map((key) => [key, record[key]]))));
}

/** @throws EvidenceError statement (not an action record in its one form), json */
export function parseActionRecord(bytes: Uint8Array): ActionRecord {
  const record = parseWith(schema, bytes, 'action record');
  if (fromUtf8(encodeActionRecord(record)) !== fromUtf8(bytes)) {
    throw new EvidenceError('statement', 'action record is not in its one byte form');
  }
  return record;
}

/** @throws EvidenceError statement, json */
export function parseEffects(bytes: Uint8Array): Effects {
  return parseWith(effects, bytes, 'effects');
}

function parseWith<T>(shape: z.ZodType<T>, bytes: Uint8Array, what: string): T {
  const text = fromUtf8(bytes);
  const value: Json = parseOwnJson(text) ?? parseStrictJson(text).value;
  const parsed = shape.safeParse(value);
  if (!parsed.success) throw new EvidenceError('statement', `${what}: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

import { z } from 'zod';
import type { Json } from '../json.ts';
import { parseDocument } from './document.ts';
import { type Condition, compile, compileCondition, condition, type Expression, expression } from './expression.ts';
import type { Activity, Comparable, Correlation, SourceEvent } from './source-event.ts';
import { readTime, timeForms } from './time.ts';

const name = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, 'lower-case letters, digits, ".", "_", "-"');
const words = z.array(z.string().min(1).max(300)).max(32);
const fieldName = z.string().regex(/^[A-Za-z][A-Za-z0-9_.-]{0,62}$/, 'letters, digits, ".", "_", "-"');

const form = z.strictObject({
  $schema: z.string().optional(),
  deed: z.literal('source-mapping/v1'),
  name,
  /** Rises with every change that gives the same record another event. */
  version: z.string().min(1).max(32),
  title: z.string().min(1).max(200),
  /** How a file holds records: one a line, or a list inside one document. */
  records: z.union([z.literal('lines'), z.strictObject({ list: z.string() })]),
  /** A record of which this is not true is no event of this source. */
  accept: condition.optional(),
  id: expression,
  /** A number that rises by one with each record of the log, accepted or not: one that is left out is a record that is missing. */
  sequence: expression.optional(),
  /** The first of these that is a time. */
  time: z
    .array(z.strictObject({ of: expression, form: z.enum(timeForms) }))
    .min(1)
    .max(4),
  class_uid: z.union([z.number().int(), expression]),
  activity: expression,
  operation: expression,
  status: expression,
  credential: z.strictObject({ kind: z.string().min(1).max(64), uid: expression }).optional(),
  principal: z.strictObject({ uid: expression, type: expression.optional() }).optional(),
  session: expression.optional(),
  correlation: z
    .strictObject({
      request: expression.optional(),
      idempotency: expression.optional(),
      trace: expression.optional(),
      transaction: expression.optional(),
      task: expression.optional(),
    })
    .prefault({}),
  resource: z.strictObject({ type: expression, uid: expression, parent: expression.optional() }).optional(),
  fields: z
    .record(fieldName, expression)
    .refine((all) => Object.keys(all).length <= 64, '64 fields at the most')
    .prefault({}),
  network: z.strictObject({ ip: expression.optional(), agent: expression.optional() }).optional(),
  /** What the source records, and what one might expect of it and does not find there. */
  coverage: words.min(1),
  notCovered: words,
  /** How long after it happened an event may still appear. */
  lagSeconds: z
    .number()
    .int()
    .min(0)
    .max(7 * 86_400),
});

/** How the records of one kind of system are read (docs/formats/source-mapping.md). */
export type Mapping = z.infer<typeof form>;
export const mappingForm = form;

/** @throws EvidenceError mapping (not JSON, or not in form: the message says where and what would be), limit */
export function parseMapping(bytes: Uint8Array): Mapping {
  return parseDocument(bytes, form, 'mapping');
}

/** What a record is: an event; null, none of this source's; a text, why it should be one and is not. */
export type Reader = (record: Json) => SourceEvent | string | null;

const activities = new Set<string>(['create', 'read', 'update', 'delete', 'other'] satisfies Activity[]);
const statuses = new Set<string>(['success', 'failure', 'unknown'] satisfies SourceEvent['status'][]);

/** Compiles a mapping once; what comes out reads records quickly, and never throws. */
export function compileMapping(mapping: Mapping): Reader {
  const accepts = mapping.accept ? compileCondition(mapping.accept) : () => true;
  const text = (from: Expression | undefined) => {
    if (from === undefined) return () => null;
    const take = compile(from);
    return (record: Json) => {
      const value = take(record);
      return value === undefined || value === null ? null : String(value);
    };
  };
  const [id, operation] = [text(mapping.id), text(mapping.operation)];
  const times = mapping.time.map(({ of, form }) => ({ take: compile(of), form }));
  const [activity, status, session] = [text(mapping.activity), text(mapping.status), text(mapping.session)];
  const classUid = typeof mapping.class_uid === 'number' ? () => mapping.class_uid : compile(mapping.class_uid);
  const credentialKind = mapping.credential?.kind ?? '';
  const credential = text(mapping.credential?.uid);
  const [principal, principalType] = [text(mapping.principal?.uid), text(mapping.principal?.type)];
  const [type, uid, parent] = [
    text(mapping.resource?.type),
    text(mapping.resource?.uid),
    text(mapping.resource?.parent),
  ];
  const [ip, agent] = [text(mapping.network?.ip), text(mapping.network?.agent)];
  const correlation = compiled(mapping.correlation, text);
  const fields = compiled(mapping.fields, compile);
  return (record) => {
    if (!accepts(record)) return null;
    const known = id(record);
    if (known === null) return 'it has no id';
    let time: string | null = null;
    for (const { take, form } of times) if (time === null) time = readTime(take(record), form);
    if (time === null) return 'it has no time';
    const did = operation(record);
    if (did === null) return 'it does not say what was done';
    const [how, came] = [activity(record) ?? 'other', status(record) ?? 'unknown'];
    if (!activities.has(how)) return `${how} is no activity`;
    if (!statuses.has(came)) return `${came} is no status`;
    const [by, who, touched] = [credential(record), principal(record), uid(record)];
    return {
      id: known,
      time,
      class_uid: Number(classUid(record) ?? 0) || 0,
      activity: how as Activity,
      operation: did,
      status: came as SourceEvent['status'],
      credential: by === null ? null : { kind: credentialKind, uid: by },
      principal: who === null ? null : { uid: who, type: principalType(record) },
      session: session(record),
      correlation: taken<string>(correlation, record) as Correlation,
      resource: touched === null ? null : { type: type(record) ?? 'unknown', uid: touched, parent: parent(record) },
      fields: taken<Comparable>(fields, record),
      network: mapping.network ? { ip: ip(record), agent: agent(record) } : null,
    };
  };
}

/** The number of a record in its log; null: it has none, or the mapping knows of none. */
export function compileSequence({ sequence }: Mapping): (record: Json) => number | null {
  if (sequence === undefined) return () => null;
  const take = compile(sequence);
  return (record) => {
    const value = Number(take(record) ?? Number.NaN);
    return Number.isSafeInteger(value) ? value : null;
  };
}

type Taken<T> = readonly (readonly [string, (record: Json) => T | null | undefined])[];

function compiled<T>(
  from: Readonly<Record<string, Expression | undefined>>,
  by: (each: Expression) => (record: Json) => T | null | undefined,
): Taken<T> {
  return Object.entries(from).flatMap(([key, each]) => (each === undefined ? [] : [[key, by(each)] as const]));
}

/** Those that are there. */
function taken<T>(from: Taken<T>, record: Json): Record<string, T> {
  const found: Record<string, T> = {};
  for (const [key, take] of from) {
    const value = take(record);
    if (value !== undefined && value !== null) found[key] = value;
  }
  return found;
}

export type { Condition, Expression };

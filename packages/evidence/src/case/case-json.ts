import { z } from 'zod';
import { equalBytes, utf8 } from '../encoding.ts';
import { EvidenceError } from '../errors.ts';
import { idPattern } from '../ids.ts';
import { parseStrictJson } from '../json.ts';
import { count, sha256Hex } from '../predicates.ts';

const caseSchema = z.strictObject({
  v: z.literal(1),
  format: z.literal('deed-case'),
  case: z.string().regex(idPattern('case')),
  origin: z.string().min(1).max(255),
  tasks: z.array(z.string().regex(idPattern('task'))).min(1),
  /** Name and version of the program that wrote it. A claim. */
  writer: z.string().max(100),
});
export type CaseJson = z.infer<typeof caseSchema>;

const batchSchema = z.strictObject({
  v: z.literal(1),
  leaves: z.array(z.strictObject({ credential: sha256Hex, root: sha256Hex, events: count.min(1) })),
  disclosed: z.array(
    z.strictObject({
      credential: sha256Hex,
      id: z.string().max(256),
      blind: z.string().regex(/^[0-9a-f]{32}$/),
      events: z.array(sha256Hex).min(1),
    }),
  ),
});
export type BatchJson = z.infer<typeof batchSchema>;

const manifestSchema = z.array(z.strictObject({ path: z.string().min(1).max(200), sha256: sha256Hex })).min(1);
export type PolicyManifest = z.infer<typeof manifestSchema>;

export const encodeCaseJson = (value: CaseJson): Uint8Array =>
  encode({
    v: 1,
    format: value.format,
    case: value.case,
    origin: value.origin,
    tasks: value.tasks,
    writer: value.writer,
  });

export const encodeBatchJson = (value: BatchJson): Uint8Array =>
  encode({
    v: 1,
    leaves: value.leaves.map(({ credential, root, events }) => ({ credential, root, events })),
    disclosed: value.disclosed.map(({ credential, id, blind, events }) => ({ credential, id, blind, events })),
  });

/** The manifest of a policy bundle, files sorted by path. Its SHA-256 is the bundle's digest. */
export const encodePolicyManifest = (files: PolicyManifest): Uint8Array =>
  encode([...files].sort((a, b) => (a.path < b.path ? -1 : 1)).map(({ path, sha256 }) => ({ path, sha256 })));

/** @throws EvidenceError case, json */
export const parseCaseJson = (bytes: Uint8Array): CaseJson => read('case.json', caseSchema, encodeCaseJson, bytes);
/** @throws EvidenceError case, json */
export const parseBatchJson = (bytes: Uint8Array): BatchJson => read('batch.json', batchSchema, encodeBatchJson, bytes);
/** @throws EvidenceError case, json */
export const parsePolicyManifest = (bytes: Uint8Array): PolicyManifest =>
  read('manifest.json', manifestSchema, encodePolicyManifest, bytes);

function encode(value: unknown): Uint8Array {
  return utf8(JSON.stringify(value));
}

function read<T>(name: string, schema: z.ZodType<T>, form: (value: T) => Uint8Array, bytes: Uint8Array): T {
  const parsed = schema.safeParse(parseStrictJson(bytes).value);
  if (!parsed.success) throw new EvidenceError('case', `${name}: ${z.prettifyError(parsed.error)}`);
  if (!equalBytes(form(parsed.data), bytes)) throw new EvidenceError('case', `${name} is not in its one byte form`);
  return parsed.data;
}

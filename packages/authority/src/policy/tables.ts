import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { approvalGrade, DeedError, type Facet, maxApprovers, parseStrictJson, tiers } from '@deed/evidence';
import { z } from 'zod';
import { AuthorityError } from '../errors.ts';
import { type Bundle, testFolder } from './bundle.ts';
import { type Evaluation, evaluate } from './evaluate.ts';
import { factsOf } from './facts.ts';
import { policyRequests } from './request.ts';

const text = z.string().min(1).max(2000);
const git = z.strictObject({
  remote: text.default('https://forge.example/acme/site.git'),
  repository: text,
  ref: text,
  deletes: z.boolean().default(false),
  forced: z.boolean().default(false),
  tag: z.boolean().default(false),
});
const row = z.strictObject({
  /** What the row shows, in words. */
  name: text,
  method: text.default('tools/call'),
  server: text,
  tool: text.nullable().default(null),
  arguments: z.record(z.string(), z.unknown()).default({}),
  paths: z.array(text).default([]),
  git: z.array(git).default([]),
  hints: z.partialRecord(z.enum(['readOnly', 'destructive', 'idempotent', 'openWorld']), z.boolean()).default({}),
  /** False: an agent that is not enrolled, in an implicit task. */
  enrolled: z.boolean().default(true),
  ceiling: z.enum(tiers).default('approve'),
  /** The tier of what is allowed, or deny. */
  expect: z.enum(['deny', ...tiers]),
  /** The ids of the policies that decide, all of them, in any order. */
  because: z.array(text).optional(),
  /** What approval it takes, where it is allowed at tier approve. */
  quorum: z.strictObject({ people: z.int().min(1).max(maxApprovers), grade: approvalGrade }).optional(),
});
const table = z.array(row).min(1).max(1000);

/** An example: a call, and what policy should say of it. */
export type Example = z.infer<typeof row>;

export interface Tried {
  readonly name: string;
  readonly passed: boolean;
  readonly evaluation: Evaluation;
  readonly expected: string;
}

/** The tables in the folder `tests` of a bundle's folder. */
export function tablesOf(folder: string): readonly string[] {
  try {
    const names = readdirSync(join(folder, testFolder)).filter((name) => name.endsWith('.json'));
    return names.sort().map((name) => join(folder, testFolder, name));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

/** @throws AuthorityError policy-invalid (with the file and what is wrong in it) */
export function readTable(path: string): readonly Example[] {
  try {
    const parsed = table.safeParse(parseStrictJson(readFileSync(path)).value);
    if (parsed.success) return parsed.data;
    throw new AuthorityError('policy-invalid', `${path}: ${z.prettifyError(parsed.error)}`);
  } catch (cause) {
    if (!(cause instanceof DeedError) || cause instanceof AuthorityError) throw cause;
    throw new AuthorityError('policy-invalid', `${path}: ${cause.message}`, { cause });
  }
}

/** Decides an example exactly as a call would be, and compares. */
export function tryExample(bundle: Bundle, example: Example): Tried {
  const { method, server, tool, hints, paths, git: refs, enrolled, ceiling, expect, because, quorum } = example;
  const facets: readonly Facet[] = [
    ...paths.map((real) => ({ kind: 'path', real }) as const),
    ...refs.map((ref) => ({ kind: 'git', ...ref }) as const),
  ];
  const evaluation = evaluate(
    bundle,
    policyRequests({
      agent: enrolled ? { id: 'agt_example', spiffe: 'spiffe://example.deed.local/agent/example' } : null,
      task: { implicit: !enrolled, ceiling, objective: '0'.repeat(64) },
      grant: { grade: 'E0', verdict: 'WAIVED', ceiling: 'approve', unearned: true },
      method,
      server,
      tool,
      hints: hints as Parameters<typeof policyRequests>[0]['hints'],
      facets,
      facts: factsOf(bundle.facts, { server, tool, arguments: JSON.stringify(example.arguments) }),
    }),
  );
  const came = evaluation.outcome === 'deny' ? 'deny' : evaluation.tier;
  const wanted = because && [...new Set(because)].sort().join();
  const takes = evaluation.quorum;
  const asks = !quorum || (takes?.people === quorum.people && takes.grade === quorum.grade);
  const passed = came === expect && asks && (wanted === undefined || wanted === evaluation.reasons.join());
  const expected = [
    expect,
    ...(quorum ? [`by ${quorum.people}, ${quorum.grade}`] : []),
    ...(because === undefined ? [] : [`because of ${because.join(', ') || 'nothing'}`]),
  ].join(' ');
  return { name: example.name, passed, evaluation, expected };
}

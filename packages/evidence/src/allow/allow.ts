import { z } from 'zod';
import type { ActionRecord } from '../action-record.ts';
import { utf8 } from '../encoding.ts';
import { EvidenceError } from '../errors.ts';
import { type Json, parseStrictJson } from '../json.ts';
import { type Argument, constraint, folder, satisfies } from './constraint.ts';
import { type Facet, facetsOf } from './facets.ts';
import { readPath } from './path.ts';

const name = z.string().min(1).max(256);
const set = z.array(name).min(1).max(256);

const entry = z
  .strictObject({
    /** The registered server, exactly. */
    server: name,
    /** Tools that may be called; absent: each tool of the server. */
    tools: set.optional(),
    /** Methods that may be used; absent: each. */
    methods: set.optional(),
    /** Each path that the action touches lies in one of these folders (whole segments, on resolved paths). */
    paths: z.strictObject({ under: z.array(folder).min(1).max(64) }).optional(),
    /** Each ref that the action pushes is one of these, in one of these repositories (both exact). */
    git: z.strictObject({ repositories: set, refs: set }).optional(),
    /** Each of these arguments of the call is there and as it must be. Absent: whatever arguments. */
    arguments: z.record(name, constraint).optional(),
    /** Whether a call may have arguments that `arguments` does not name. Default: refused. */
    otherArguments: z.enum(['refused', 'allowed']).optional(),
    /** So many actions of the task at most may begin under this entry. */
    maxCount: z.number().int().min(1).max(1_000_000).optional(),
  })
  .refine(({ arguments: named, otherArguments }) => named !== undefined || otherArguments === undefined, {
    message: 'otherArguments says what is besides arguments',
  });
const allow = z.array(entry).max(64);

/** The allowed actions of a task: an action is allowed if one entry admits all of it. Closed vocabulary, no patterns. */
export type Allow = z.infer<typeof allow>;
export type AllowEntry = Allow[number];

/** What is asked of an {@link Allow}. */
export interface Attempt {
  readonly method: string;
  readonly server: string;
  /** For tools/call. */
  readonly tool: string | null;
  readonly facets: readonly Facet[];
  /** The top-level arguments; null if they are no object, or one that readers may read differently. */
  readonly arguments: ReadonlyMap<string, Argument> | null;
}

/** @throws EvidenceError statement */
export function parseAllow(value: unknown): Allow {
  const parsed = allow.safeParse(value);
  if (!parsed.success) throw new EvidenceError('statement', `allowed actions: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

/** The payload of type application/vnd.deed.allow+json. */
export function encodeAllow(value: Allow): Uint8Array {
  return utf8(JSON.stringify(value));
}

/** @throws EvidenceError statement, json */
export function decodeAllow(bytes: Uint8Array): Allow {
  return parseAllow(parseStrictJson(bytes).value);
}

/** What a record would have to be allowed. */
export function attemptOf({ method, server, tool, operands, arguments: text }: ActionRecord): Attempt {
  return {
    method,
    server,
    tool: method === 'tools/call' ? tool : null,
    facets: facetsOf(operands),
    arguments: readArguments(text),
  };
}

/**
 * The first entry that admits the method, the tool, every facet and the arguments, and has not yet admitted as many as it may; or
 * null. An entry without `paths` or `git` admits no such facet.
 * @param used how many actions each entry admitted before, by its place
 */
export function admittedBy(value: Allow, attempt: Attempt, used: readonly number[] = []): number | null {
  const found = value.findIndex((candidate, i) => admits(candidate, attempt) && !isUsedUp(candidate, used[i] ?? 0));
  return found < 0 ? null : found;
}

export function isUsedUp({ maxCount }: AllowEntry, used: number): boolean {
  return maxCount !== undefined && used >= maxCount;
}

function admits(candidate: AllowEntry, attempt: Attempt): boolean {
  return (
    candidate.server === attempt.server &&
    (candidate.methods?.includes(attempt.method) ?? true) &&
    (attempt.tool === null || (candidate.tools?.includes(attempt.tool) ?? true)) &&
    attempt.facets.every((facet) => admitsFacet(candidate, facet)) &&
    admitsArguments(candidate, attempt.arguments)
  );
}

function admitsFacet({ paths, git }: AllowEntry, facet: Facet): boolean {
  if (facet.kind === 'path') return paths?.under.some((under) => isResolvedUnder(facet.real, under)) ?? false;
  return (git?.repositories.includes(facet.repository) && git.refs.includes(facet.ref)) ?? false;
}

/** A resolved path is what the file system says, in whatever spelling: only whole segments are compared. */
function isResolvedUnder(real: string, under: string): boolean {
  const inner = real.split('/').filter((part) => part !== '');
  if (!real.startsWith('/') || inner.includes('..') || inner.includes('.')) return false;
  return readPath(under)?.every((part, i) => inner[i] === part) ?? false;
}

function admitsArguments(
  { arguments: named, otherArguments }: AllowEntry,
  given: ReadonlyMap<string, Argument> | null,
): boolean {
  if (!named) return true;
  if (!given) return false;
  const known = Object.entries(named);
  if (otherArguments !== 'allowed' && [...given.keys()].some((key) => !Object.hasOwn(named, key))) return false;
  return known.every(([key, by]) => satisfies(by, given.get(key)));
}

function readArguments(text: string): ReadonlyMap<string, Argument> | null {
  try {
    const { value, raw } = parseStrictJson(text, { refuseCaseVariants: true });
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
    return new Map(
      Object.entries(value as { readonly [key: string]: Json }).map(([key, each]) => [
        key,
        { value: each, raw: raw(key) ?? '' },
      ]),
    );
  } catch {
    return null;
  }
}

import { parseStrictJson, utf8 } from '@deed/evidence';
import { z } from 'zod';
import { AuthorityError } from '../errors.ts';
import type { Facet } from '../policy/request.ts';

const name = z.string().min(1).max(256);
const set = z.array(name).min(1).max(256);
const folder = z
  .string()
  .max(4096)
  .refine((path) => path.startsWith('/') && segments(path).every((part) => part !== '.' && part !== '..'), {
    message: 'an absolute folder without "." and ".."',
  });

const entry = z.strictObject({
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
});
const allow = z.array(entry).max(64);

/** The allowed actions of a task: an action is allowed if one entry admits all of it. Closed vocabulary, no patterns. */
export type Allow = z.infer<typeof allow>;

export interface Attempt {
  readonly method: string;
  readonly server: string;
  /** For tools/call. */
  readonly tool: string | null;
  readonly facets: readonly Facet[];
}

/** @throws AuthorityError task */
export function parseAllow(value: unknown): Allow {
  const parsed = allow.safeParse(value);
  if (!parsed.success) throw new AuthorityError('task', `allowed actions: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

/** The payload of type application/vnd.deed.allow+json. */
export function encodeAllow(value: Allow): Uint8Array {
  return utf8(JSON.stringify(value));
}

/** @throws AuthorityError task; EvidenceError json */
export function decodeAllow(bytes: Uint8Array): Allow {
  return parseAllow(parseStrictJson(bytes).value);
}

/** True if one entry admits the method, the tool and every facet. An entry without `paths` or `git` admits no such facet. */
export function allows(value: Allow, attempt: Attempt): boolean {
  return value.some(
    (candidate) =>
      candidate.server === attempt.server &&
      (candidate.methods?.includes(attempt.method) ?? true) &&
      (attempt.tool === null || (candidate.tools?.includes(attempt.tool) ?? true)) &&
      attempt.facets.every((facet) => admits(candidate, facet)),
  );
}

function admits({ paths, git }: Allow[number], facet: Facet): boolean {
  if (facet.kind === 'path') return paths?.under.some((under) => isUnder(facet.real, under)) ?? false;
  return (git?.repositories.includes(facet.repository) && git.refs.includes(facet.ref)) ?? false;
}

/** Segment by segment: /a/b is under /a, /ab is not. */
function isUnder(real: string, under: string): boolean {
  const [inner, outer] = [segments(real), segments(under)];
  if (!real.startsWith('/') || inner.includes('..') || inner.includes('.')) return false;
  return outer.every((part, i) => inner[i] === part);
}

function segments(path: string): readonly string[] {
  return path.split('/').filter((part) => part !== '');
}

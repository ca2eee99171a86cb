import { z } from 'zod';
import { EvidenceError } from '../errors.ts';
import { idPattern } from '../ids.ts';
import { type Json, parseStrictJson } from '../json.ts';
import { agentKinds, sha256Hex } from '../predicates.ts';
import { publicJwk } from './jwk-set.ts';

/** The file of a policy bundle that says which workloads may enrol. */
export const trustRulesFile = 'identities.json';
/** How old a workload token may be when it enrols, in seconds, where its rule says nothing else. */
export const defaultTokenAgeSeconds = 600;

export const platforms = ['github-actions', 'kubernetes', 'aws', 'gcp', 'azure', 'oidc'] as const;
export type WorkloadPlatform = (typeof platforms)[number];

/** A claim that a token must have: this very value, or in an object each of these. */
export type RequiredClaim = string | number | boolean | { readonly [name: string]: RequiredClaim };
const requiredClaim: z.ZodType<RequiredClaim> = z.lazy(() =>
  z.union([z.string().max(1024), z.int(), z.boolean(), z.record(z.string().min(1).max(256), requiredClaim)]),
);
const text = z.string().min(1).max(1024);

const trustRule = z.strictObject({
  /** What the workload is called here: the SPIFFE id says it, and nothing of the token. */
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/),
  kind: z.enum(agentKinds),
  /** The person who answers for it, and so approves nothing that it does. */
  owner: z.string().regex(idPattern('person')).optional(),
  platform: z.enum(platforms),
  issuer: text,
  /** Where its keys are, if its own discovery names another origin. */
  jwks: text.optional(),
  /** The keys themselves: then nobody is asked for them. */
  keys: z.array(publicJwk).min(1).max(20).optional(),
  audience: text,
  /** The exact subject, or a pattern in which `*` is one whole segment between `:` and `/`. */
  subject: z.union([text, z.strictObject({ pattern: text })]),
  claims: z.record(z.string().min(1).max(256), requiredClaim).optional(),
  /** Digests of the definitions that may enrol; absent: each that is declared. */
  definitions: z.array(sha256Hex).min(1).max(64).optional(),
  maxAgeSeconds: z.int().min(60).max(86_400).optional(),
  /** For trying out: the issuer is on this very machine. */
  loopback: z.literal(true).optional(),
});
export type TrustRule = z.infer<typeof trustRule>;

const file = z.strictObject({ v: z.literal(1), rules: z.array(trustRule).max(200) });

/** Reads identities.json (docs/formats/identities.md). @throws EvidenceError json, encoding, statement */
export function parseTrustRules(bytes: Uint8Array): readonly TrustRule[] {
  const parsed = file.safeParse(parseStrictJson(bytes).value);
  if (!parsed.success) throw new EvidenceError('statement', `${trustRulesFile}: ${z.prettifyError(parsed.error)}`);
  const names = parsed.data.rules.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new EvidenceError('statement', `${trustRulesFile}: two rules are called ${twice}`);
  return parsed.data.rules;
}

export type Claims = Readonly<Record<string, Json>>;

/** Runs that a stranger can start: a token of these names its event, and no rule admits it. */
const strangersEvents: readonly Json[] = ['pull_request', 'pull_request_target'];

/** Why a rule does not admit a token with these claims; null if it does. Neither signature nor times are looked at. */
export function whyNotAdmitted(rule: TrustRule, claims: Claims): string | null {
  if (claims.iss !== rule.issuer) return 'another issuer';
  const audience = Array.isArray(claims.aud) && claims.aud.length === 1 ? claims.aud[0] : claims.aud;
  if (audience !== rule.audience) return 'another audience, or more than one';
  if (typeof claims.sub !== 'string' || !matchesSubject(rule.subject, claims.sub)) return 'another subject';
  if (!has(claims, rule.claims ?? {})) return 'a claim that is required is absent or another';
  if (rule.platform === 'github-actions' && strangersEvents.includes(claims.event_name ?? null)) {
    return 'a run for a pull request, which strangers can start';
  }
  return null;
}

/** Segment by segment, from the first to the last: `*` is one that is not empty, anything else is itself. */
export function matchesSubject(subject: TrustRule['subject'], given: string): boolean {
  if (typeof subject === 'string') return subject === given;
  const [wanted, parts] = [segmentsOf(subject.pattern), segmentsOf(given)];
  return (
    wanted.length === parts.length && wanted.every((part, i) => (part === '*' ? parts[i] !== '' : part === parts[i]))
  );
}

/** The segments at even places, the `:` and `/` between them at odd ones. */
export function segmentsOf(subject: string): readonly string[] {
  return subject.split(/([:/])/);
}

function has(claims: Json | undefined, required: Readonly<Record<string, RequiredClaim>>): boolean {
  if (typeof claims !== 'object' || claims === null || Array.isArray(claims)) return false;
  return Object.entries(required).every(([name, wanted]) => {
    const value = Object.hasOwn(claims, name) ? (claims as Claims)[name] : undefined;
    return typeof wanted === 'object' ? has(value, wanted) : value === wanted;
  });
}

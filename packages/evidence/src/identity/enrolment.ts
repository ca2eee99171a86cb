import { z } from 'zod';
import { fromUtf8, toBase64, toHex, utf8 } from '../encoding.ts';
import { EvidenceError } from '../errors.ts';
import { parseStrictJson } from '../json.ts';
import { sha256 } from '../platform.ts';
import { sha256Hex, timestamp } from '../predicates.ts';
import { publicJwk } from './jwk-set.ts';
import { defaultTokenAgeSeconds, type TrustRule, whyNotAdmitted } from './trust-rules.ts';
import type { WorkloadToken } from './workload-token.ts';

export const enrolmentEvidenceType = 'application/vnd.deed.enrolment+json';
/** How far the clocks of issuer and server may be apart. */
const skewSeconds = 60;

/** What became of an issuer's keys since they were last asked for; `pinned`: the rule holds them itself. */
export const keyChanges = ['pinned', 'first', 'same', 'added', 'replaced'] as const;
export type KeyChange = (typeof keyChanges)[number];

const text = z.string().max(128 * 1024);
const schema = z.strictObject({
  v: z.literal(1),
  /** The workload token, verbatim. */
  token: text,
  /** The issuer's key that verified it. */
  key: publicJwk,
  issuer: z.strictObject({
    /** Exact texts of what the issuer served; null where the rule holds the keys. */
    discovery: text.nullable(),
    jwks: text.nullable(),
    change: z.enum(keyChanges),
  }),
  /** Name of the rule that admitted it, in the bundle with this digest. */
  rule: z.string(),
  bundle: sha256Hex,
  at: timestamp,
  /** Base64: the new key's signature over {@link workloadChallenge}. */
  proof: z.string(),
  /** The exact text of the definition, if it was sent. */
  definition: text.nullable(),
});
/** What an enrolment by a workload token rests on: archived, so that it verifies after the issuer's keys are gone. */
export type EnrolmentEvidence = z.infer<typeof schema>;

export function encodeEnrolmentEvidence(evidence: Omit<EnrolmentEvidence, 'v'>): Uint8Array {
  return utf8(JSON.stringify({ v: 1, ...evidence }));
}

/** @throws EvidenceError json, encoding, statement */
export function parseEnrolmentEvidence(bytes: Uint8Array): EnrolmentEvidence {
  const parsed = schema.safeParse(parseStrictJson(bytes).value);
  if (!parsed.success) throw new EvidenceError('statement', `enrolment: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

/** What a new key signs (ES256, DER) to be enrolled with a workload token: for one deployment, token, definition and key. */
export function workloadChallenge(
  origin: string,
  token: string,
  definition: string | null,
  spki: Uint8Array,
): Uint8Array {
  const parts = ['deed-enrol-workload-v1', origin, toHex(sha256(utf8(token))), definition ?? 'none', toBase64(spki)];
  return utf8(parts.join('\0'));
}

/** Why a rule does not admit this token at this time, seconds since 1970; null if it does. */
export function whyNotNow(rule: TrustRule, { claims, iat, exp }: WorkloadToken, nowSeconds: number): string | null {
  const why = whyNotAdmitted(rule, claims);
  if (why !== null) return why;
  const { nbf } = claims;
  const begins = Math.max(iat, typeof nbf === 'number' ? nbf : iat);
  if (begins > nowSeconds + skewSeconds) return 'it is made ahead of time';
  if (exp <= nowSeconds) return 'it has expired';
  const oldest = rule.maxAgeSeconds ?? defaultTokenAgeSeconds;
  return nowSeconds - iat > oldest + skewSeconds ? `it is older than ${oldest} s` : null;
}

const definitionPart = z.union([z.string().min(1).max(512), z.array(z.string().min(1).max(512)).max(512)]);
const definitionSchema = z.strictObject({
  v: z.literal(1),
  model: z.string().min(1).max(512),
  /** Digest of the prompt's text. */
  prompt: sha256Hex,
  /** Names or digests of the tools it is given. */
  tools: definitionPart,
  /** Digest of the program or image. */
  artifact: z.string().min(1).max(512),
});

/** Reads an agent's definition and gives its digest: SHA-256 of its exact bytes. @throws EvidenceError json, statement */
export function digestOfDefinition(bytes: Uint8Array): string {
  const parsed = definitionSchema.safeParse(parseStrictJson(fromUtf8(bytes)).value);
  if (!parsed.success) throw new EvidenceError('statement', `definition: ${z.prettifyError(parsed.error)}`);
  return toHex(sha256(bytes));
}

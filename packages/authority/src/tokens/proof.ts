import { randomBytes, sha256, sha256Hex, toBase64Url, utf8 } from '@deed/evidence';
import { decodeJwt } from 'jose';
import { z } from 'zod';
import type { Clock } from '../clock.ts';
import { AuthorityError } from '../errors.ts';
import { type AgentSigner, readJwt, signJwt, skewSeconds } from './jwt.ts';

export const proofType = 'wpt+jwt';
export const assertionType = 'deed-assertion+jwt';
export const maxProofSeconds = 60;

const seconds = z.number().int().min(0);
const jti = z
  .string()
  .regex(/^[A-Za-z0-9_-]+$/)
  .min(22)
  .max(128);
const digest = z.string().regex(/^[A-Za-z0-9_-]{43}$/);
const proofSchema = z.strictObject({
  aud: z.string(),
  ath: digest,
  deed_bdh: digest,
  jti,
  iat: seconds,
  exp: seconds,
  /** What the server gave last: tier approve asks for it. */
  nonce: z
    .string()
    .regex(/^[A-Za-z0-9_-]{22,128}$/)
    .optional(),
});
export type ProofClaims = z.infer<typeof proofSchema>;

const assertionSchema = z.strictObject({
  iss: z.string(),
  aud: z.string(),
  task: z.string(),
  /** Digest of the hop by which the agent asks; absent where there is only one way. */
  hop: sha256Hex.optional(),
  jti,
  iat: seconds,
  exp: seconds,
});
export type AssertionClaims = z.infer<typeof assertionSchema>;

/**
 * The agent's side: one proof for one message, bound to the token and to the exact bytes of the body (docs/formats/token.md).
 * `key` signs for the agent, `nonce` what came with the token: an action at tier approve needs it.
 */
export function makeProof(
  key: AgentSigner,
  token: string,
  body: Uint8Array,
  clock: Clock,
  nonce?: string,
): Promise<string> {
  const iat = Math.floor(clock.now() / 1000);
  return signJwt(key, proofType, {
    aud: decodeJwt(token).aud,
    ath: hash(utf8(token)),
    deed_bdh: hash(body),
    jti: toBase64Url(randomBytes(16)),
    iat,
    exp: iat + maxProofSeconds,
    ...(nonce === undefined ? {} : { nonce }),
  });
}

/** @throws AuthorityError proof-invalid, proof-expired, proof-body */
export function readProof(
  text: string,
  expected: {
    readonly origin: string;
    /** SPKI of the agent's enrolled key. */
    readonly key: Uint8Array;
    readonly token: string;
    readonly body: Uint8Array;
    readonly nowMs: number;
  },
): ProofClaims {
  const claims = readJwt(text, proofType, [expected.key], proofSchema, 'proof-invalid');
  if (claims.aud !== expected.origin || claims.ath !== hash(utf8(expected.token))) {
    throw new AuthorityError('proof-invalid', 'the proof is for another token or another deployment');
  }
  checkTimes(claims, expected.nowMs, 'proof-invalid');
  if (claims.deed_bdh !== hash(expected.body)) {
    throw new AuthorityError('proof-body', 'the proof is for another message: the body was changed on its way');
  }
  return claims;
}

/** The agent's side: asks for a token of a task. @see Tokens.issue */
export function makeAssertion(
  key: AgentSigner,
  of: { readonly spiffe: string; readonly origin: string; readonly task: string; readonly hop?: string | undefined },
  clock: Clock,
): Promise<string> {
  const iat = Math.floor(clock.now() / 1000);
  const hop = of.hop === undefined ? {} : { hop: of.hop };
  const claims = { iss: of.spiffe, aud: of.origin, task: of.task, ...hop, iat, exp: iat + maxProofSeconds };
  return signJwt(key, assertionType, { ...claims, jti: toBase64Url(randomBytes(16)) });
}

/** @throws AuthorityError assertion-invalid, proof-expired */
export function readAssertion(
  text: string,
  expected: {
    readonly origin: string;
    readonly key: Uint8Array;
    readonly spiffe: string;
    readonly task: string;
    readonly nowMs: number;
  },
): AssertionClaims {
  const claims = readJwt(text, assertionType, [expected.key], assertionSchema, 'assertion-invalid');
  if (claims.aud !== expected.origin || claims.iss !== expected.spiffe || claims.task !== expected.task) {
    throw new AuthorityError('assertion-invalid', 'the assertion is for another task, agent or deployment');
  }
  checkTimes(claims, expected.nowMs, 'assertion-invalid');
  return claims;
}

function checkTimes(
  { iat, exp }: { readonly iat: number; readonly exp: number },
  nowMs: number,
  code: 'proof-invalid' | 'assertion-invalid',
): void {
  const now = nowMs / 1000;
  if (exp <= now) throw new AuthorityError('proof-expired', 'the proof has expired: sign a new one for each message');
  if (exp > iat + maxProofSeconds || exp <= iat || iat > now + skewSeconds) {
    throw new AuthorityError(code, `a proof lives at most ${maxProofSeconds} s and is not made ahead of time`);
  }
}

function hash(bytes: Uint8Array): string {
  return toBase64Url(sha256(bytes));
}

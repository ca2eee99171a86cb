import type { KeyObject } from 'node:crypto';
import { idPattern, randomBytes, sha256Hex, toBase64Url } from '@deed/evidence';
import { z } from 'zod';
import { AuthorityError } from '../errors.ts';
import { readJwt, signJwt, skewSeconds } from './jwt.ts';

export const taskTokenType = 'deed-task+jwt';
export const maxTokenSeconds = 300;

const seconds = z.number().int().min(0);
const schema = z.strictObject({
  iss: z.string(),
  aud: z.string(),
  /** Opaque id of the principal. */
  sub: z.string().min(1).max(256),
  act: z.strictObject({ sub: z.string() }),
  task: z.string().regex(idPattern('task')),
  epoch: z.number().int().min(0),
  /** Name of the objective's payload. */
  obj: sha256Hex,
  cnf: z.strictObject({ jkt: z.string() }),
  authorization_details: z.array(z.looseObject({ type: z.literal('deed-actions') })),
  policy: sha256Hex,
  grant: sha256Hex,
  jti: z.string().min(16).max(128),
  iat: seconds,
  exp: seconds,
});
export type TaskTokenClaims = z.infer<typeof schema>;

/** Signs a task token (docs/formats/token.md) that lives for `ttlSeconds`, at most 300. */
export function makeTaskToken(
  key: KeyObject,
  claims: Omit<TaskTokenClaims, 'jti' | 'iat' | 'exp'>,
  nowMs: number,
  ttlSeconds = maxTokenSeconds,
): Promise<string> {
  const iat = Math.floor(nowMs / 1000);
  const exp = iat + Math.min(ttlSeconds, maxTokenSeconds);
  return signJwt(key, taskTokenType, { ...claims, jti: toBase64Url(randomBytes(16)), iat, exp });
}

/** @throws AuthorityError token-invalid, token-expired */
export function readTaskToken(
  text: string,
  expected: { readonly origin: string; readonly keys: readonly Uint8Array[]; readonly nowMs: number },
): TaskTokenClaims {
  const claims = readJwt(text, taskTokenType, expected.keys, schema, 'token-invalid');
  if (claims.iss !== expected.origin || claims.aud !== expected.origin) {
    throw new AuthorityError('token-invalid', 'the task token is for another deployment');
  }
  const now = expected.nowMs / 1000;
  if (claims.exp <= now) throw new AuthorityError('token-expired', 'the task token has expired: ask for a new one');
  if (claims.exp - claims.iat > maxTokenSeconds || claims.iat > now + skewSeconds) {
    throw new AuthorityError('token-invalid', 'the lifetime of the task token is not accepted');
  }
  return claims;
}

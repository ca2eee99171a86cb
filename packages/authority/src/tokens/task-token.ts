import type { KeyObject } from 'node:crypto';
import { type Allow, idPattern, parseAllow, randomBytes, sha256Hex, toBase64Url } from '@deed/evidence';
import { z } from 'zod';
import { AuthorityError } from '../errors.ts';
import { readJwt, signJwt, skewSeconds } from './jwt.ts';

export const taskTokenType = 'deed-task+jwt';
export const maxTokenSeconds = 300;

const seconds = z.number().int().min(0);
/** The actor, and in it who passed it on (RFC 8693 section 4.1): this deployment makes it, nobody claims it. */
export interface ActClaim {
  readonly sub: string;
  readonly act?: ActClaim | undefined;
}
const act: z.ZodType<ActClaim> = z.lazy(() => z.strictObject({ sub: z.string(), act: act.optional() }));

const schema = z.strictObject({
  iss: z.string(),
  aud: z.string(),
  /** Opaque id of the principal. */
  sub: z.string().min(1).max(256),
  act,
  task: z.string().regex(idPattern('task')),
  /** Digest of the hop-accepted by which a delegate holds it; absent for the task's own agent. */
  hop: sha256Hex.optional(),
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

/** A task token that holds, read. */
export interface TaskToken {
  readonly claims: TaskTokenClaims;
  /** Its authorization_details. */
  readonly allow: Allow;
}

/** Tokens whose signature and form hold, by key and exact text: what time and state decide is looked at each time. Bounded. */
const knownOf = new WeakMap<Uint8Array, Map<string, TaskToken>>();
const maxKnown = 4096;

/** @throws AuthorityError token-invalid, token-expired */
export function readTaskToken(
  text: string,
  expected: { readonly origin: string; readonly key: Uint8Array; readonly nowMs: number },
): TaskToken {
  const known = knownOf.get(expected.key) ?? new Map<string, TaskToken>();
  knownOf.set(expected.key, known);
  const token = known.get(text) ?? openToken(text, expected.key);
  const { claims } = token;
  if (claims.iss !== expected.origin || claims.aud !== expected.origin) {
    throw new AuthorityError('token-invalid', 'the task token is for another deployment');
  }
  const now = expected.nowMs / 1000;
  if (claims.exp <= now) {
    known.delete(text);
    throw new AuthorityError('token-expired', 'the task token has expired: ask for a new one');
  }
  if (claims.iat > now + skewSeconds) throw new AuthorityError('token-invalid', 'the task token is from the future');
  if (known.size >= maxKnown) known.clear();
  known.set(text, token);
  return token;
}

function openToken(text: string, key: Uint8Array): TaskToken {
  const claims = readJwt(text, taskTokenType, [key], schema, 'token-invalid');
  if (claims.exp - claims.iat > maxTokenSeconds) {
    throw new AuthorityError('token-invalid', 'the lifetime of the task token is not accepted');
  }
  try {
    return { claims, allow: parseAllow(claims.authorization_details.map(({ type: _, ...entry }) => entry)) };
  } catch (cause) {
    throw new AuthorityError('token-invalid', 'the authorization_details of the task token are not in form', { cause });
  }
}

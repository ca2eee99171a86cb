import { type KeyObject, sign } from 'node:crypto';
import { type CompactJwt, parseJwt } from '@deed/evidence';
import type { z } from 'zod';
import { AuthorityError, type AuthorityErrorCode } from '../errors.ts';

/** How far the clocks of agent and server may be apart. */
export const skewSeconds = 5;

/** An agent's P-256 private key, or what holds it and gives its ES256 signatures (r and s, 32 bytes each). */
export type AgentSigner = KeyObject | { readonly sign: (data: Uint8Array) => Promise<Uint8Array> };

/**
 * Signs claims as a compact ES256 JWT of one type. Each message of an agent waits for one: jose, which goes by way of WebCrypto and a
 * thread, takes four times as long.
 */
export async function signJwt(
  key: AgentSigner,
  typ: string,
  claims: Readonly<Record<string, unknown>>,
): Promise<string> {
  const text = `${part({ alg: 'ES256', typ })}.${part(claims)}`;
  const bytes = Buffer.from(text);
  const signature = 'sign' in key ? await key.sign(bytes) : sign('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' });
  return `${text}.${Buffer.from(signature).toString('base64url')}`;
}

function part(value: Readonly<Record<string, unknown>>): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** True if this key made the JWT, and it is one of this type. */
export function isSignedJwt(text: string, typ: string, key: Uint8Array): boolean {
  try {
    return parseJwt(text, typ).verify(key);
  } catch {
    return false;
  }
}

/**
 * Reads and verifies with the very parser of the offline verifier, so that nothing is admitted here that it would later
 * call forged (jose, for one, takes the last of two equal keys).
 */
export function readJwt<T>(
  text: string,
  typ: string,
  keys: readonly Uint8Array[],
  claims: z.ZodType<T>,
  code: AuthorityErrorCode,
): T {
  let jwt: CompactJwt;
  try {
    jwt = parseJwt(text, typ);
  } catch (cause) {
    throw new AuthorityError(code, `not a JWT of type ${typ} in the accepted form`, { cause });
  }
  if (!keys.some((spki) => jwt.verify(spki))) throw new AuthorityError(code, `the signature of the ${typ} fails`);
  const parsed = claims.safeParse(jwt.claims);
  if (!parsed.success) throw new AuthorityError(code, `the claims of the ${typ} are not as they must be`);
  return parsed.data;
}

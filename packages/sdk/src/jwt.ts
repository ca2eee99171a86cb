import { createHash, type KeyObject, randomBytes, sign } from 'node:crypto';

/** Signs claims as a compact ES256 JWT of this type, with an id of its own, good for a minute. */
export function signJwt(
  key: KeyObject,
  type: string,
  claims: Readonly<Record<string, unknown>>,
  nowMs: number,
): string {
  const iat = Math.floor(nowMs / 1000);
  const whole = { ...claims, jti: randomBytes(16).toString('base64url'), iat, exp: iat + 60 };
  const signed = `${part({ alg: 'ES256', typ: type })}.${part(whole)}`;
  const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' });
  return `${signed}.${signature.toString('base64url')}`;
}

/** Base64url of the SHA-256, as claims hold it. */
export function hash64(bytes: string | Uint8Array): string {
  return createHash('sha256').update(bytes).digest('base64url');
}

function part(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

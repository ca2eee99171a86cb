import { z } from 'zod';
import { concat, fromBase64Url } from '../encoding.ts';
import { EvidenceError } from '../errors.ts';
import { parseStrictJson } from '../json.ts';
import { der } from '../time/der.ts';
import { isSoundRsa } from './rsa.ts';

const part = (bytes: number) => z.string().regex(new RegExp(`^[A-Za-z0-9_-]{1,${Math.ceil((bytes * 4) / 3)}}$`));
const kid = z.string().min(1).max(256);

/** The public key of an issuer, reduced to what makes it that key (RFC 7517). */
export const publicJwk = z.union([
  z.strictObject({ kty: z.literal('RSA'), kid, n: part(1024), e: part(4) }),
  z.strictObject({ kty: z.literal('EC'), kid, crv: z.literal('P-256'), x: part(32), y: part(32) }),
  z.strictObject({ kty: z.literal('EC'), kid, crv: z.literal('P-384'), x: part(48), y: part(48) }),
]);
export type PublicJwk = z.infer<typeof publicJwk>;

/**
 * The keys of a JWK set that can sign workload tokens: RSA, P-256 and P-384 with a `kid`. Others are let be.
 * @throws EvidenceError json, encoding; key (no set, or two keys with one `kid`)
 */
export function readJwkSet(set: string | Uint8Array): readonly PublicJwk[] {
  const value = parseStrictJson(set).value;
  const listed = typeof value === 'object' && value !== null && 'keys' in value ? value.keys : undefined;
  if (!Array.isArray(listed)) throw new EvidenceError('key', 'not a JWK set: it has no list of keys');
  const keys = listed.flatMap((jwk) => {
    const read = publicJwk.safeParse(reduced(jwk));
    return read.success ? [read.data] : [];
  });
  const twice = keys.find((key, i) => keys.findIndex((other) => other.kid === key.kid) !== i);
  if (twice) throw new EvidenceError('key', `the JWK set has two keys with the kid ${twice.kid}`);
  return keys;
}

/** Two keys are one if all that makes them is equal. */
export function isSameKey(a: PublicJwk, b: PublicJwk): boolean {
  return JSON.stringify(publicJwk.parse(a)) === JSON.stringify(publicJwk.parse(b));
}

function reduced(jwk: unknown): unknown {
  if (typeof jwk !== 'object' || jwk === null) return undefined;
  const { kty, kid: id, n, e, crv, x, y, use } = jwk as Readonly<Record<string, unknown>>;
  if (use !== undefined && use !== 'sig') return undefined;
  return kty === 'RSA' ? { kty, kid: id, n, e } : { kty, kid: id, crv, x, y };
}

const ecPrefix = {
  'P-256': [
    0x30, 0x59, 0x30, 0x13, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7,
  ],
  'P-384': [0x30, 0x76, 0x30, 0x10, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 5, 0x2b, 0x81, 4, 0, 0x22],
} as const;
const coordinateBytes = { 'P-256': 32, 'P-384': 48 } as const;
const rsaAlgorithm = [0x30, 0x0d, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];

/** SPKI DER of a public key. @throws EvidenceError key, encoding */
export function spkiOfJwk(jwk: PublicJwk): Uint8Array {
  if (jwk.kty === 'EC') {
    const [x, y] = [fromBase64Url(jwk.x), fromBase64Url(jwk.y)];
    const size = coordinateBytes[jwk.crv];
    if (x.length !== size || y.length !== size) throw new EvidenceError('key', `not a point of ${jwk.crv}`);
    const bits = der(3, Uint8Array.of(0, 4), x, y);
    return concat(Uint8Array.from(ecPrefix[jwk.crv]), bits);
  }
  const [n, e] = [fromBase64Url(jwk.n), fromBase64Url(jwk.e)];
  if (!isSoundRsa(n, e)) throw new EvidenceError('key', 'an RSA key has 2048 to 8192 bits and the exponent 65537');
  const key = der(0x30, integer(n), integer(e));
  return der(0x30, Uint8Array.from(rsaAlgorithm), der(3, Uint8Array.of(0), key));
}

function integer(value: Uint8Array): Uint8Array {
  const start = value.findIndex((byte) => byte !== 0);
  if (start !== 0) throw new EvidenceError('key', 'a number of an RSA key begins with zeros');
  return der(2, (value[0] ?? 0) >= 0x80 ? Uint8Array.of(0) : new Uint8Array(), value);
}

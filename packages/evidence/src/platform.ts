/**
 * Hashes and signatures, synchronous, the same in Node and in browsers: `#platform` in package.json chooses the file below.
 * Keys are SPKI DER.
 */
import { primitives } from '#platform';
import { concat } from './encoding.ts';
import { signaturesOf } from './platform/signatures.ts';
import { ed25519SpkiPrefix, mlDsa44SpkiPrefix } from './signature-rules.ts';

export type { HashName, SignatureAlgorithm } from './platform/primitives.ts';
export const { sha256, sha512, hash, hmacSha256, randomBytes, verifySignature } = primitives;
export const { verifyP256, verifyPure } = signaturesOf(primitives);

/** SPKI DER of a raw 32-byte Ed25519 public key (RFC 8410). */
export function ed25519Spki(raw: Uint8Array): Uint8Array {
  return concat(ed25519SpkiPrefix, raw);
}

/** SPKI DER of a raw 1312-byte ML-DSA-44 public key (RFC 9881). */
export function mlDsa44Spki(raw: Uint8Array): Uint8Array {
  return concat(mlDsa44SpkiPrefix, raw);
}

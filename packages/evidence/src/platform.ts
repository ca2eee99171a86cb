/**
 * The one file of this room that touches the platform's cryptography. Everything above it is pure.
 * All functions are synchronous; keys are SPKI DER, imported once and remembered by content.
 */
import * as crypto from 'node:crypto';
import {
  ed25519SpkiPrefix,
  isSoundEd25519,
  isSoundMlDsa44,
  isSoundP256,
  mlDsa44SpkiPrefix,
} from './signature-rules.ts';

export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = crypto.createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

export function sha512(bytes: Uint8Array): Uint8Array {
  return crypto.createHash('sha512').update(bytes).digest();
}

export type HashName = 'sha1' | 'sha256' | 'sha384' | 'sha512';

/** SHA-1 is for naming a certificate that something else vouches for, never for what is signed. */
export function hash(name: HashName, bytes: Uint8Array): Uint8Array {
  return crypto.createHash(name).update(bytes).digest();
}

export function hmacSha256(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  const mac = crypto.createHmac('sha256', key);
  for (const part of parts) mac.update(part);
  return mac.digest();
}

export function randomBytes(size: number): Uint8Array {
  return crypto.randomBytes(size);
}

const imported = new Map<string, crypto.KeyObject>();
const importedLimit = 4096;

function publicKey(spki: Uint8Array): crypto.KeyObject {
  const name = Buffer.from(spki).toString('latin1');
  let key = imported.get(name);
  if (!key) {
    key = crypto.createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
    if (imported.size >= importedLimit) imported.clear();
    imported.set(name, key);
  }
  return key;
}

/** ECDSA P-256 over SHA-256 of the message, signature in strict DER. False for any other kind or form of key. */
export function verifyP256(spki: Uint8Array, message: Uint8Array, signatureDer: Uint8Array): boolean {
  if (!isSoundP256(spki, signatureDer)) return false;
  try {
    const key = publicKey(spki);
    if (key.asymmetricKeyType !== 'ec' || key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') return false;
    return crypto.verify('sha256', message, key, signatureDer);
  } catch {
    return false;
  }
}

/** SPKI DER of a raw 32-byte Ed25519 public key (RFC 8410). */
export function ed25519Spki(raw: Uint8Array): Uint8Array {
  return Buffer.concat([ed25519SpkiPrefix, raw]);
}

/** SPKI DER of a raw 1312-byte ML-DSA-44 public key (RFC 9881). */
export function mlDsa44Spki(raw: Uint8Array): Uint8Array {
  return Buffer.concat([mlDsa44SpkiPrefix, raw]);
}

/** Ed25519 (RFC 8032, without cofactor) or ML-DSA-44 (FIPS 204, empty context) over the message itself. */
export function verifyPure(
  algorithm: 'ed25519' | 'ml-dsa-44',
  spki: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  const isSound = algorithm === 'ed25519' ? isSoundEd25519 : isSoundMlDsa44;
  if (!isSound(spki, signature)) return false;
  try {
    const key = publicKey(spki);
    if ((key.asymmetricKeyType as string) !== algorithm) return false;
    return crypto.verify(null, message, key, signature);
  } catch {
    return false;
  }
}

/** How a timestamp authority signs. */
export type SignatureAlgorithm =
  | { readonly kind: 'ecdsa' | 'rsa-pkcs1'; readonly hash: HashName }
  | { readonly kind: 'rsa-pss'; readonly hash: HashName; readonly saltBytes: number };

const curves: readonly (string | undefined)[] = ['prime256v1', 'secp384r1'];
const leastRsaBits = 2048;

/**
 * ECDSA (P-256, P-384; signature in DER) or RSA (from 2048 bits) over the hash of the message. False for a key that does not
 * fit; `unsupported` where this platform cannot tell, which is never success.
 */
export function verifySignature(
  algorithm: SignatureAlgorithm,
  spki: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean | 'unsupported' {
  try {
    const key = publicKey(spki);
    const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
    if (algorithm.kind === 'ecdsa') {
      if (type !== 'ec' || !curves.includes(details?.namedCurve)) return false;
      return crypto.verify(algorithm.hash, message, key, signature);
    }
    const fits = type === 'rsa' || (type === 'rsa-pss' && algorithm.kind === 'rsa-pss');
    if (!fits || (details?.modulusLength ?? 0) < leastRsaBits) return false;
    const padding =
      algorithm.kind === 'rsa-pss'
        ? { padding: crypto.constants.RSA_PKCS1_PSS_PADDING, saltLength: algorithm.saltBytes }
        : { padding: crypto.constants.RSA_PKCS1_PADDING };
    return crypto.verify(algorithm.hash, message, { key, ...padding }, signature);
  } catch {
    return false;
  }
}

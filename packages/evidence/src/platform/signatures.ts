/**
 * One rule for both platforms (docs/formats/signatures.md): where the libraries below them would disagree, it is set here,
 * before either sees the bytes.
 */
import { isSoundEd25519, isSoundMlDsa44, isSoundP256 } from '../signature-rules.ts';
import type { Primitives } from './primitives.ts';

export interface Signatures {
  /** ECDSA P-256 over SHA-256 of the message: SPKI with an uncompressed point, strict DER. False for all else. */
  verifyP256(spki: Uint8Array, message: Uint8Array, signatureDer: Uint8Array): boolean;
  /** Ed25519 (RFC 8032) or ML-DSA-44 (FIPS 204, empty context) over the message itself. False for any other key. */
  verifyPure(algorithm: 'ed25519' | 'ml-dsa-44', spki: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
}

export function signaturesOf(primitives: Primitives): Signatures {
  return {
    verifyP256: (spki, message, signatureDer) =>
      isSoundP256(spki, signatureDer) && holds(() => primitives.verifyP256(spki, message, signatureDer)),
    verifyPure: (algorithm, spki, message, signature) =>
      algorithm === 'ml-dsa-44'
        ? isSoundMlDsa44(spki, signature) && holds(() => primitives.verifyMlDsa44(spki, message, signature))
        : isSoundEd25519(spki, signature) && holds(() => primitives.verifyEd25519(spki, message, signature)),
  };
}

/** The libraries throw at keys that are no point of their curve; to a verifier that is a signature that fails. */
function holds(check: () => boolean): boolean {
  try {
    return check();
  } catch {
    return false;
  }
}

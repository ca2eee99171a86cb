/**
 * One rule for both platforms (docs/formats/signatures.md): where the libraries below them would disagree, it is set here,
 * before either sees the bytes.
 */
import { fromHex, toHex } from '../encoding.ts';
import type { Primitives } from './primitives.ts';

const p256Prefix = fromHex('3059301306072a8648ce3d020106082a8648ce3d03010703420004');
export const ed25519Prefix = fromHex('302a300506032b6570032100');
export const mlDsa44Prefix = fromHex('30820532300b06096086480165030403110382052100');

export interface Signatures {
  /** ECDSA P-256 over SHA-256 of the message: SPKI with an uncompressed point, strict DER. False for all else. */
  verifyP256(spki: Uint8Array, message: Uint8Array, signatureDer: Uint8Array): boolean;
  /** Ed25519 (RFC 8032) or ML-DSA-44 (FIPS 204, empty context) over the message itself. False for any other key. */
  verifyPure(algorithm: 'ed25519' | 'ml-dsa-44', spki: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
}

export function signaturesOf(primitives: Primitives): Signatures {
  return {
    verifyP256(spki, message, signatureDer) {
      if (!isSpki(spki, p256Prefix, 64) || !isStrictDer(signatureDer)) return false;
      return holds(() => primitives.verifyP256(spki, message, signatureDer));
    },
    verifyPure(algorithm, spki, message, signature) {
      if (algorithm === 'ml-dsa-44') {
        if (!isSpki(spki, mlDsa44Prefix, 1312) || signature.length !== 2420) return false;
        return holds(() => primitives.verifyMlDsa44(spki, message, signature));
      }
      if (!isSpki(spki, ed25519Prefix, 32) || signature.length !== 64) return false;
      const [key, r] = [spki.subarray(ed25519Prefix.length), signature.subarray(0, 32)];
      if (!isSoundPoint(key) || !isSoundPoint(r)) return false;
      return holds(() => primitives.verifyEd25519(spki, message, signature));
    },
  };
}

/** SEQUENCE of two positive INTEGERs in their shortest form, nothing before or after (X.690 section 10, RFC 3279). */
export function isStrictDer(signature: Uint8Array): boolean {
  if (signature.length < 8 || signature.length > 72 || signature[0] !== 0x30) return false;
  if (signature[1] !== signature.length - 2) return false;
  const afterR = integerEnd(signature, 2);
  return afterR > 0 && integerEnd(signature, afterR) === signature.length;
}

function integerEnd(der: Uint8Array, at: number): number {
  const length = der[at + 1] ?? 0;
  const end = at + 2 + length;
  const [first = 0x80, second = 0] = [der[at + 2], der[at + 3]];
  if (der[at] !== 0x02 || length < 1 || length > 33 || end > der.length) return -1;
  if (first >= 0x80) return -1;
  if (first === 0 && (length === 1 || second < 0x80)) return -1;
  return end;
}

function isSpki(spki: Uint8Array, prefix: Uint8Array, keyBytes: number): boolean {
  return spki.length === prefix.length + keyBytes && prefix.every((byte, i) => spki[i] === byte);
}

/** The y of every point of small order, as 32 bytes little-endian in hex: 0, 1, -1 and the two of order 8. */
const smallOrder: ReadonlySet<string> = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
]);

/** A y below 2^255 - 19, and not that of a point of small order, with which one signature would hold for many messages. */
function isSoundPoint(encoded: Uint8Array): boolean {
  const y = Uint8Array.from(encoded);
  y[31] = (y[31] ?? 0) & 0x7f;
  const isReduced = y[31] !== 0x7f || (y[0] ?? 0) < 0xed || y.subarray(1, 31).some((byte) => byte !== 0xff);
  return isReduced && !smallOrder.has(toHex(y));
}

/** The libraries throw at keys that are no point of their curve; to a verifier that is a signature that fails. */
function holds(check: () => boolean): boolean {
  try {
    return check();
  } catch {
    return false;
  }
}

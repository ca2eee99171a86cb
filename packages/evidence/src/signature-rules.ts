/**
 * What a key and a signature must look like before a cryptographic library sees them (docs/formats/signatures.md).
 * Libraries and their versions differ exactly here: OpenSSL 3.0 believes Ed25519 keys of small order, 3.5 does not, and
 * both read an SPKI that something follows.
 */
import { equalBytes } from './encoding.ts';

/** SPKI DER of a P-256 key up to the point: named curve, uncompressed point of 65 bytes. */
export const p256SpkiPrefix = bytes('3059301306072a8648ce3d020106082a8648ce3d030107034200');
export const ed25519SpkiPrefix = bytes('302a300506032b6570032100');
export const mlDsa44SpkiPrefix = bytes('30820532300b06096086480165030403110382052100');

/** ECDSA P-256: a key in its one form and a signature in strict DER. Both values of `s` are good. */
export function isSoundP256(spki: Uint8Array, signatureDer: Uint8Array): boolean {
  return hasForm(spki, p256SpkiPrefix, 65) && spki[26] === 4 && isStrictDer(signatureDer);
}

/** Ed25519: a key in its one form, 64 bytes of signature, `s` below the group order, neither point of small order or spelt twice. */
export function isSoundEd25519(spki: Uint8Array, signature: Uint8Array): boolean {
  if (!hasForm(spki, ed25519SpkiPrefix, 32) || signature.length !== 64) return false;
  return (
    isSoundPoint(spki.subarray(12)) && isSoundPoint(signature.subarray(0, 32)) && isBelow(signature.subarray(32), l)
  );
}

/** ML-DSA-44: a key in its one form and a signature of the one length. */
export function isSoundMlDsa44(spki: Uint8Array, signature: Uint8Array): boolean {
  return hasForm(spki, mlDsa44SpkiPrefix, 1312) && signature.length === 2420;
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

/** Ed25519's field prime and group order, little-endian as everything in RFC 8032. */
const p = bytes('edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f');
const l = bytes('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010');

/** The `y` of the eight points of small order. The sign bit is left out: it makes the other point, or a second spelling. */
const smallOrder = [
  bytes('0100000000000000000000000000000000000000000000000000000000000000'), // order 1
  bytes('ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f'), // order 2
  bytes('0000000000000000000000000000000000000000000000000000000000000000'), // order 4
  bytes('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05'), // order 8
  bytes('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a'), // order 8
];

function isSoundPoint(encoded: Uint8Array): boolean {
  const y = Uint8Array.from(encoded);
  y[31] = (y[31] ?? 0) & 0x7f;
  return isBelow(y, p) && !smallOrder.some((small) => equalBytes(small, y));
}

function isBelow(value: Uint8Array, limit: Uint8Array): boolean {
  for (let i = value.length - 1; i >= 0; i--) {
    const [a = 0, b = 0] = [value[i], limit[i]];
    if (a !== b) return a < b;
  }
  return false;
}

function hasForm(spki: Uint8Array, prefix: Uint8Array, keyBytes: number): boolean {
  return spki.length === prefix.length + keyBytes && equalBytes(spki.subarray(0, prefix.length), prefix);
}

function bytes(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** What browsers lack in synchronous cryptography, from the noble libraries. */
import { ed25519 } from '@noble/curves/ed25519.js';
import { p256, p384 } from '@noble/curves/nist.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha1 } from '@noble/hashes/legacy.js';
import { sha256, sha384, sha512 } from '@noble/hashes/sha2.js';
import { ml_dsa44 } from '@noble/post-quantum/ml-dsa.js';
import type { Primitives } from './primitives.ts';

const pointBytes = 65;
const ed25519KeyBytes = 32;
const mlDsa44KeyBytes = 1312;

type P256Point = InstanceType<typeof p256.Point>;
const points = new Map<string, P256Point>();
const pointsLimit = 256;
/** Bits of the window of precomputed multiples: pays from the sixth signature by a key on, and a case has few keys. */
const windowBits = 4;

function p256Point(key: Uint8Array): P256Point {
  const name = toHex(key);
  let point = points.get(name);
  if (!point) {
    point = p256.Point.fromBytes(key).precompute(windowBits, false);
    if (points.size >= pointsLimit) points.clear();
    points.set(name, point);
  }
  return point;
}

/**
 * FIPS 186-5 section 6.4.2, written out because the library's own verify cannot keep a key's precomputed multiples, which
 * make it three times as fast. Either s and n - s is accepted, as ECDSA has it and OpenSSL does.
 */
function verifyP256(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const { Point, Signature } = p256;
  const { r, s } = Signature.fromBytes(signature, 'der'); // throws unless both are from 1 to n - 1
  const inverse = Point.Fn.inv(s);
  const digest = Point.Fn.create(bigEndian(sha256(message)));
  const base = Point.BASE.multiplyUnsafe(Point.Fn.mul(digest, inverse));
  const sum = base.add(p256Point(key).multiplyUnsafe(Point.Fn.mul(r, inverse)));
  return !sum.is0() && Point.Fn.create(sum.toAffine().x) === r;
}

/** The key in an SPKI of fixed length: its last bytes. */
function keyOf(spki: Uint8Array, length: number): Uint8Array {
  return spki.subarray(spki.length - length);
}

/**
 * The library's own verify multiplies by the cofactor and so accepts signatures that OpenSSL refuses. This is OpenSSL's
 * equation (RFC 8032 section 5.1.7, the stricter of its two): R is compared as bytes with the encoding of [s]B - [k]A.
 */
function verifyEd25519(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const { Point } = ed25519;
  const [r, s] = [signature.subarray(0, 32), littleEndian(signature.subarray(32))];
  if (s >= Point.Fn.ORDER) return false;
  const digest = sha512.create().update(r).update(key).update(message).digest();
  const k = Point.Fn.create(littleEndian(digest));
  const expected = Point.BASE.multiplyUnsafe(s).subtract(Point.fromBytes(key).multiplyUnsafe(k)).toBytes();
  return expected.every((byte, i) => byte === r[i]);
}

const hashes = { sha1, sha256, sha384, sha512 };
const curvesBySpki = [
  { prefix: '3059301306072a8648ce3d020106082a8648ce3d030107034200', pointBytes: 65, curve: p256 },
  { prefix: '3076301006072a8648ce3d020106052b81040022036200', pointBytes: 97, curve: p384 },
] as const;

/** The libraries at hand have no RSA. */
const verifySignature: Primitives['verifySignature'] = (algorithm, spki, message, signature) => {
  if (algorithm.kind !== 'ecdsa') return 'unsupported';
  const known = curvesBySpki.find(
    ({ prefix, pointBytes: bytes }) => toHex(spki.subarray(0, Math.max(0, spki.length - bytes))) === prefix,
  );
  if (!known) return false;
  try {
    const options = { prehash: false, lowS: false, format: 'der' } as const;
    return known.curve.verify(signature, hashes[algorithm.hash](message), keyOf(spki, known.pointBytes), options);
  } catch {
    return false;
  }
};

function bigEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(bytes)}`);
}

function littleEndian(bytes: Uint8Array): bigint {
  return bigEndian(bytes.toReversed());
}

const hexDigits = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const base64Codes = Uint8Array.from(alphabet, (c) => c.charCodeAt(0));
const base64Values = new Int8Array(128).fill(-1);
base64Codes.forEach((code, value) => {
  base64Values[code] = value;
});
const ascii = new TextDecoder();
const equalsSign = 0x3d;

function toHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += hexDigits[byte];
  return text;
}

function toBase64(bytes: Uint8Array): string {
  const out = new Uint8Array(Math.ceil(bytes.length / 3) * 4).fill(equalsSign);
  for (let i = 0, at = 0; i < bytes.length; i += 3, at += 4) {
    const left = bytes.length - i;
    const bits = ((bytes[i] ?? 0) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    out[at] = base64Codes[bits >>> 18] ?? 0;
    out[at + 1] = base64Codes[(bits >>> 12) & 63] ?? 0;
    if (left > 1) out[at + 2] = base64Codes[(bits >>> 6) & 63] ?? 0;
    if (left > 2) out[at + 3] = base64Codes[bits & 63] ?? 0;
  }
  return ascii.decode(out);
}

function fromBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0) return undefined;
  const padded = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const end = text.length - padded;
  const out = new Uint8Array((text.length / 4) * 3 - padded);
  for (let i = 0, at = 0; i < end; i += 4, at += 3) {
    let bits = 0;
    for (let n = i; n < i + 4; n++) {
      const value = n < end ? (base64Values[text.charCodeAt(n)] ?? -1) : 0;
      if (value < 0) return undefined;
      bits = (bits << 6) | value;
    }
    out[at] = bits >>> 16;
    out[at + 1] = bits >>> 8;
    out[at + 2] = bits;
  }
  return out;
}

function fromHex(text: string): Uint8Array {
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
}

function toBase64Url(bytes: Uint8Array): string {
  return toBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

function fromBase64Url(text: string): Uint8Array | undefined {
  const padding = '='.repeat((4 - (text.length % 4)) % 4);
  return fromBase64(text.replaceAll('-', '+').replaceAll('_', '/') + padding);
}

export const primitives: Primitives = {
  sha256(...parts) {
    const hash = sha256.create();
    for (const part of parts) hash.update(part);
    return hash.digest();
  },
  sha512: (bytes) => sha512(bytes),
  hash: (name, bytes) => hashes[name](bytes),
  hmacSha256(key, ...parts) {
    const mac = hmac.create(sha256, key);
    for (const part of parts) mac.update(part);
    return mac.digest();
  },
  randomBytes: (size) => crypto.getRandomValues(new Uint8Array(size)),
  toHex,
  toBase64,
  toBase64Url,
  fromHex,
  fromBase64,
  fromBase64Url,
  verifyP256: (spki, message, signature) => verifyP256(keyOf(spki, pointBytes), message, signature),
  verifyEd25519: (spki, message, signature) => verifyEd25519(keyOf(spki, ed25519KeyBytes), message, signature),
  verifyMlDsa44: (spki, message, signature) => ml_dsa44.verify(signature, message, keyOf(spki, mlDsa44KeyBytes)),
  verifySignature,
};

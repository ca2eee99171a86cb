import { fromHex, toHex } from '../encoding.ts';
import { sha256 } from '../platform.ts';

/** DER of a DigestInfo of SHA-256, up to the digest (RFC 8017 section 9.2, note 1). */
const digestInfo = '3031300d060960864801650304020105000420';
const publicExponent = 65_537n;
const [leastBits, mostBits] = [2048, 8192];

/** Keys that RS256 is checked with: 2048 to 8192 bits, and the one exponent that issuers use. */
export function isSoundRsa(modulus: Uint8Array, exponent: Uint8Array): boolean {
  const bits = modulus.length * 8 - Math.clz32(modulus[0] ?? 0) + 24;
  return (
    bits >= leastBits && bits <= mostBits && numberOf(exponent) === publicExponent && (modulus.at(-1) ?? 0) % 2 === 1
  );
}

/**
 * RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 section 8.2.2), for platforms whose libraries have no RSA (browsers). The encoded message
 * is made again and compared whole, so nothing of it is parsed. It holds no secret: time tells nothing.
 */
export function verifyRsaSha256(
  { modulus, exponent }: { readonly modulus: Uint8Array; readonly exponent: Uint8Array },
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  const size = modulus.length;
  const [n, s] = [numberOf(modulus), numberOf(signature)];
  if (!isSoundRsa(modulus, exponent) || signature.length !== size || s >= n) return false;
  let power = s;
  for (let i = 0; i < 16; i++) power = (power * power) % n;
  const tail = `00${digestInfo}${toHex(sha256(message))}`;
  const encoded = `0001${'f'.repeat(size * 2 - 4 - tail.length)}${tail}`;
  return (power * s) % n === numberOf(fromHex(encoded));
}

function numberOf(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(bytes) || '0'}`);
}

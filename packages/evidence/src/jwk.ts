import { concat, toBase64Url, utf8 } from './encoding.ts';
import { EvidenceError } from './errors.ts';
import { sha256 } from './platform.ts';

/** Size of a P-256 SubjectPublicKeyInfo with an uncompressed point, the only form accepted. */
const p256SpkiSize = 91;

/** RFC 7638 thumbprint of a P-256 key, base64url: what `cnf.jkt` names. @throws EvidenceError key */
export function jwkThumbprint(spki: Uint8Array): string {
  if (spki.length !== p256SpkiSize || spki[26] !== 4) throw new EvidenceError('key', 'not an uncompressed P-256 key');
  const [x, y] = [spki.subarray(27, 59), spki.subarray(59, 91)].map(toBase64Url);
  return toBase64Url(sha256(utf8(`{"crv":"P-256","kty":"EC","x":"${x}","y":"${y}"}`)));
}

export interface Jwk {
  readonly kty: 'EC';
  readonly crv: 'P-256';
  readonly x: string;
  readonly y: string;
  /** The thumbprint. */
  readonly kid: string;
}

/** A P-256 key as a JWK. @throws EvidenceError key */
export function jwkOf(spki: Uint8Array): Jwk {
  const kid = jwkThumbprint(spki);
  return { kty: 'EC', crv: 'P-256', x: toBase64Url(spki.subarray(27, 59)), y: toBase64Url(spki.subarray(59, 91)), kid };
}

/** A JWS ECDSA signature is r || s (RFC 7518 section 3.4); everything else here speaks DER. `size`: 32 for ES256, 48 for ES384. */
export function derFromP1363(signature: Uint8Array, size: 32 | 48 = 32): Uint8Array {
  if (signature.length !== 2 * size) throw new EvidenceError('signature', `this signature has ${2 * size} bytes`);
  const body = concat(integer(signature.subarray(0, size)), integer(signature.subarray(size)));
  return concat(Uint8Array.of(0x30, body.length), body);
}

function integer(value: Uint8Array): Uint8Array {
  let start = 0;
  while (start < value.length - 1 && value[start] === 0) start++;
  const bytes = value.subarray(start);
  const padded = (bytes[0] ?? 0) >= 0x80 ? concat(Uint8Array.of(0), bytes) : bytes;
  return concat(Uint8Array.of(2, padded.length), padded);
}

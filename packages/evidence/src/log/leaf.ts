import { fromBase64, fromUtf8, toBase64, utf8 } from '../encoding.ts';
import { EvidenceError } from '../errors.ts';

/** Version of the leaf's form, stored with every entry: a leaf must be rebuilt byte for byte for ever. */
export const leafVersion = 1;

export interface LeafParts {
  /** SHA-256 of the statement's PAE: `statementDigest(payload)`. */
  readonly digest: Uint8Array;
  /** ECDSA P-256 in DER, as in the envelope. */
  readonly signature: Uint8Array;
  /** Signer's SPKI DER. */
  readonly spki: Uint8Array;
}

/** The log's entry: Rekor v2 `hashedrekord` 0.0.2 as JSON in JCS order (RFC 8785). Its values need no escaping. */
export function encodeLeaf(parts: LeafParts): Uint8Array {
  return utf8(
    `{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"hashedRekordV002":{"data":{"algorithm":"SHA2_256","digest":"${toBase64(parts.digest)}"},"signature":{"content":"${toBase64(parts.signature)}","verifier":{"keyDetails":"PKIX_ECDSA_P256_SHA_256","publicKey":{"rawBytes":"${toBase64(parts.spki)}"}}}}}}`,
  );
}

const leafPattern =
  /^\{"apiVersion":"0\.0\.2","kind":"hashedrekord","spec":\{"hashedRekordV002":\{"data":\{"algorithm":"SHA2_256","digest":"([A-Za-z0-9+/=]+)"\},"signature":\{"content":"([A-Za-z0-9+/=]+)","verifier":\{"keyDetails":"PKIX_ECDSA_P256_SHA_256","publicKey":\{"rawBytes":"([A-Za-z0-9+/=]+)"\}\}\}\}\}\}$/;

/** Reads what {@link encodeLeaf} writes and nothing else. @throws EvidenceError proof, encoding */
export function decodeLeaf(bytes: Uint8Array): LeafParts {
  const match = leafPattern.exec(fromUtf8(bytes));
  if (!match) throw new EvidenceError('proof', 'not a leaf of this log: expected a hashedrekord 0.0.2 entry');
  const [, digest = '', signature = '', spki = ''] = match;
  return { digest: fromBase64(digest), signature: fromBase64(signature), spki: fromBase64(spki) };
}

import { toBase64, utf8 } from '../encoding.ts';

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

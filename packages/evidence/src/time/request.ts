import { der, tags } from './der.ts';

const sha256Algorithm = Uint8Array.of(0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01);

export const nonceBytes = 16;

/**
 * A TimeStampReq (RFC 3161 section 2.4.1) that asks for the certificate too.
 * @param imprint SHA-256 of what is to be stamped
 * @param nonce bytes of an integer above 0 in its shortest form: the first from 0x40 to 0x7f does
 */
export function encodeTimestampRequest(imprint: Uint8Array, nonce: Uint8Array): Uint8Array {
  const algorithm = der(tags.sequence, der(tags.oid, sha256Algorithm), der(tags.null));
  return der(
    tags.sequence,
    der(tags.integer, Uint8Array.of(1)),
    der(tags.sequence, algorithm, der(tags.octetString, imprint)),
    der(tags.integer, nonce),
    der(tags.boolean, Uint8Array.of(0xff)),
  );
}

/** A nonce for {@link encodeTimestampRequest} from as many random bytes. */
export function timestampNonce(random: Uint8Array): Uint8Array {
  const nonce = Uint8Array.from(random.subarray(0, nonceBytes));
  nonce[0] = ((nonce[0] ?? 0) & 0x3f) | 0x40;
  return nonce;
}

import { equalBytes, toHex } from '../encoding.ts';
import { EvidenceError } from '../errors.ts';
import { sha256 } from '../platform.ts';
import { hashOf } from './algorithms.ts';
import { extensionsOf } from './certificate.ts';
import { booleanOf, context, type Der, fieldsOf, integerOf, oidOf, readDer, smallIntegerOf, tags } from './der.ts';
import { momentOf } from './moment.ts';
import { openSignedData } from './signed-data.ts';

export const maxTimestampBytes = 64 * 1024;
/** A stamp of an authority that knows the time less well does not count. */
export const worstAccuracyMs = 60_000;

/** A timestamp whose signature holds. Whether its authority is to be believed is for a trust file to say. */
export interface Timestamp {
  /** SHA-256 of what was stamped, as the authority says. */
  readonly imprint: Uint8Array;
  /** `genTime`, in milliseconds since 1970. */
  readonly timeMs: number;
  /** How far off the authority says that may be, in milliseconds. */
  readonly accuracyMs: number;
  /** The request's nonce, as the bytes of its integer. */
  readonly nonce: Uint8Array | null;
  /** Hex SHA-256 of the signer's certificate. */
  readonly certificate: string;
  /** Serial number of the stamp, hex. */
  readonly serial: string;
  /** False where this platform cannot check a signature of this kind: the stamp proves nothing here. */
  readonly checked: boolean;
}

/**
 * Reads a TimeStampResp (RFC 3161) and checks all of docs/formats/timestamps.md but what was stamped and whose certificate it is.
 * @param response untrusted
 * @throws EvidenceError timestamp, limit
 */
export function openTimestamp(response: Uint8Array): Timestamp {
  if (response.length > maxTimestampBytes) throw new EvidenceError('limit', 'a timestamp of more than 64 KiB');
  const fields = fieldsOf(readDer(response));
  const status = smallIntegerOf(fieldsOf(fields.next()).next());
  if (status !== 0) throw bad(`the authority did not grant it (status ${status})`);
  const token = fields.optional(tags.sequence);
  fields.end();
  if (!token) throw bad('an answer without a token');
  const { content, certificate, checked } = openSignedData(token);
  const info = readInfo(readDer(content));
  if (info.timeMs < certificate.notBeforeMs || info.timeMs > certificate.notAfterMs)
    throw bad('made outside the validity of its certificate');
  return { ...info, certificate: certificate.sha256, checked };
}

/** {@link openTimestamp}, and that it stamps exactly these bytes. @throws EvidenceError timestamp, limit */
export function verifyTimestamp(response: Uint8Array, stamped: Uint8Array): Timestamp {
  const timestamp = openTimestamp(response);
  if (!equalBytes(timestamp.imprint, sha256(stamped))) throw bad('it stamps other bytes');
  return timestamp;
}

/** TSTInfo, RFC 3161 section 2.4.2. */
function readInfo(element: Der): Omit<Timestamp, 'certificate' | 'checked'> {
  const fields = fieldsOf(element);
  if (smallIntegerOf(fields.next()) !== 1) throw bad('a TSTInfo of another version than 1');
  oidOf(fields.next()); // its policy: the trust file names a certificate, not a policy
  const imprint = imprintOf(fields.next());
  const serial = toHex(integerOf(fields.next()));
  const time = fields.next(tags.generalizedTime);
  const accuracy = fields.optional(tags.sequence);
  const ordering = fields.optional(tags.boolean);
  if (ordering) booleanOf(ordering);
  const nonce = fields.optional(tags.integer);
  fields.optional(context(0));
  const extensions = extensionsOf(fields.optional(context(1))?.content);
  fields.end();
  if ([...extensions.values()].some(({ critical }) => critical)) throw bad('a TSTInfo with a critical extension');
  return {
    imprint,
    serial,
    timeMs: momentOf(time),
    accuracyMs: accuracy ? accuracyOf(accuracy) : 0,
    nonce: nonce ? integerOf(nonce) : null,
  };
}

function imprintOf(element: Der): Uint8Array {
  const fields = fieldsOf(element);
  const hash = hashOf(fields.next());
  const { content } = fields.next(tags.octetString);
  fields.end();
  if (hash !== 'sha256' || content.length !== 32) throw bad('an imprint that is not SHA-256');
  return content;
}

/** Seconds, milliseconds and microseconds; a part of a millisecond counts as one. */
function accuracyOf(element: Der): number {
  const fields = fieldsOf(element);
  const seconds = fields.optional(tags.integer);
  const [millis, micros] = [0, 1].map((number) => {
    const part = fields.optional(context(number, 'primitive'));
    return part ? smallIntegerOf(part, part.tag) : 0;
  });
  fields.end();
  return (seconds ? smallIntegerOf(seconds) : 0) * 1000 + (millis ?? 0) + Math.ceil((micros ?? 0) / 1000);
}

function bad(message: string): EvidenceError {
  return new EvidenceError('timestamp', message);
}

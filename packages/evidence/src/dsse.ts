import { concat, fromBase64, fromUtf8, toBase64, toHex, utf8 } from './encoding.ts';
import { EvidenceError } from './errors.ts';
import { parseStrictJson } from './json.ts';
import { sha256, verifyP256 } from './platform.ts';
import { isStrictDer } from './signature-rules.ts';

export const payloadType = 'application/vnd.in-toto+json';

/** One DSSE envelope with exactly one signature. */
export interface Envelope {
  /** The exact statement bytes. */
  readonly payload: Uint8Array;
  /** Lower-case hex SHA-256 of the signer's SPKI. A hint for look-up only: trust comes from key-events. */
  readonly keyid: string;
  /** ECDSA P-256 signature in DER over {@link pae} of the payload. */
  readonly signature: Uint8Array;
}

/** DSSE v1 pre-authentication encoding: what is signed, and what `prev` and every reference hash. */
export function pae(payload: Uint8Array): Uint8Array {
  return concat(utf8(head(payload.length)), payload);
}

function head(length: number): string {
  return `DSSEv1 ${payloadType.length} ${payloadType} ${length} `;
}

const encoder = new TextEncoder();

/** The bytes of a text and their {@link pae}, of which they are the end: encoded once, if all of it is ASCII. */
export function paeOf(text: string): { readonly payload: Uint8Array; readonly signed: Uint8Array } {
  const before = head(text.length);
  const signed = new Uint8Array(before.length + text.length);
  // Other characters take more bytes than units, and the room does not do.
  if (encoder.encodeInto(before + text, signed).read === signed.length)
    return { payload: signed.subarray(before.length), signed };
  const payload = utf8(text);
  return { payload, signed: pae(payload) };
}

/** SHA-256 of the PAE: the name by which statements cite each other, and the digest in the log's leaf. */
export function statementDigest(payload: Uint8Array): Uint8Array {
  return sha256(pae(payload));
}

export function keyId(spki: Uint8Array): string {
  return toHex(sha256(spki));
}

/** The one accepted byte form: no spaces, this key order, canonical base64. */
export function encodeEnvelope(envelope: Envelope): Uint8Array {
  return utf8(
    JSON.stringify({
      payload: toBase64(envelope.payload),
      payloadType,
      signatures: [{ keyid: envelope.keyid, sig: toBase64(envelope.signature) }],
    }),
  );
}

const envelopePattern =
  /^\{"payload":"([A-Za-z0-9+/=]+)","payloadType":"application\/vnd\.in-toto\+json","signatures":\[\{"keyid":"([0-9a-f]{64})","sig":"([A-Za-z0-9+/=]+)"\}\]\}$/;

/** Reads the one accepted form and nothing else. @throws EvidenceError envelope, encoding */
export function decodeEnvelope(bytes: Uint8Array): Envelope {
  const match = envelopePattern.exec(fromUtf8(bytes));
  if (!match) throw new EvidenceError('envelope', 'not a DSSE envelope in the accepted form');
  const [, payload = '', keyid = '', sig = ''] = match;
  const envelope = { payload: fromBase64(payload), keyid, signature: fromBase64(sig) };
  parseStrictJson(envelope.payload);
  if (!isStrictDer(envelope.signature)) throw new EvidenceError('envelope', 'signature is not strict DER');
  return envelope;
}

/** True if the envelope was signed with this P-256 key. */
export function verifyEnvelope(envelope: Envelope, spki: Uint8Array): boolean {
  return envelope.keyid === keyId(spki) && verifyP256(spki, pae(envelope.payload), envelope.signature);
}

import { primitives } from '#platform';
import { EvidenceError } from './errors.ts';

const utf8Decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const utf8Encoder = new TextEncoder();

export function utf8(text: string): Uint8Array {
  return utf8Encoder.encode(text);
}

/** Strict UTF-8: no replacement characters, a byte order mark is kept as a character. @throws EvidenceError encoding */
export function fromUtf8(bytes: Uint8Array): string {
  try {
    return utf8Decoder.decode(bytes);
  } catch (cause) {
    throw new EvidenceError('encoding', 'not valid UTF-8', { cause });
  }
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

export function toHex(bytes: Uint8Array): string {
  return primitives.toHex(bytes);
}

/** Lower-case hex only. @throws EvidenceError encoding */
export function fromHex(text: string): Uint8Array {
  const bytes = text.length % 2 === 0 && /^[0-9a-f]*$/.test(text) ? primitives.fromHex(text) : undefined;
  if (bytes === undefined) throw new EvidenceError('encoding', 'not lower-case hex');
  return bytes;
}

export function toBase64(bytes: Uint8Array): string {
  return primitives.toBase64(bytes);
}

/** RFC 4648 section 4 with padding, and only the one spelling that encodes back to itself. @throws EvidenceError encoding */
export function fromBase64(text: string): Uint8Array {
  const bytes = primitives.fromBase64(text);
  if (bytes === undefined || toBase64(bytes) !== text) throw new EvidenceError('encoding', 'not canonical base64');
  return bytes;
}

export function toBase64Url(bytes: Uint8Array): string {
  return primitives.toBase64Url(bytes);
}

/** RFC 4648 section 5 without padding, one spelling only. @throws EvidenceError encoding */
export function fromBase64Url(text: string): Uint8Array {
  const bytes = primitives.fromBase64Url(text);
  if (bytes === undefined || toBase64Url(bytes) !== text)
    throw new EvidenceError('encoding', 'not canonical base64url');
  return bytes;
}

import { concat, fromBase64, fromHex, fromUtf8, toBase64, toHex, utf8 } from '../encoding.ts';
import { EvidenceError } from '../errors.ts';
import { sha256 } from '../platform.ts';

export const maxNoteBytes = 1024 * 1024;
export const maxNoteSignatures = 64;

/** One signature line of a note (C2SP signed-note). */
export interface NoteSignature {
  readonly name: string;
  /** Key ID: 8 lower-case hex digits. */
  readonly id: string;
  /** What follows the key ID. Its form depends on the key's type. */
  readonly signature: Uint8Array;
}

export interface Note {
  /** The signed text with its final newline. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

/** Checks one key's signatures over a note's text. */
export interface NoteVerifier {
  readonly name: string;
  readonly id: string;
  verify(text: string, signature: Uint8Array): boolean;
}

/** Signature types of the keys we accept: log (1), witness (4), both (6). */
export type NoteKeyType = 0x01 | 0x04 | 0x06;

interface NoteKeyForm {
  readonly algorithm: 'ed25519' | 'ml-dsa-44';
  readonly publicKeyBytes: number;
  readonly signatureBytes: number;
  /** The signature begins with 8 bytes of time. */
  readonly timestamped: boolean;
}

/** All that is known about each signature type, in one place. */
export const noteKeyForms: Readonly<Record<NoteKeyType, NoteKeyForm>> = {
  1: { algorithm: 'ed25519', publicKeyBytes: 32, signatureBytes: 64, timestamped: false },
  4: { algorithm: 'ed25519', publicKeyBytes: 32, signatureBytes: 64, timestamped: true },
  6: { algorithm: 'ml-dsa-44', publicKeyBytes: 1312, signatureBytes: 2420, timestamped: true },
};

export interface NoteKey {
  readonly name: string;
  readonly id: string;
  readonly type: NoteKeyType;
  /** The raw public key. */
  readonly publicKey: Uint8Array;
}

const keyName = /^[^\p{White_Space}\p{Cc}+]+$/u;
const signatureLine = /^— ([^ ]+) ([A-Za-z0-9+/=]+)$/u;

/** A key with its computed key ID: SHA-256(name, newline, type, public key), first 4 bytes. @throws EvidenceError key */
export function noteKey(name: string, type: NoteKeyType, publicKey: Uint8Array): NoteKey {
  if (!isKeyName(name)) throw new EvidenceError('key', `not a key name: ${JSON.stringify(name)}`);
  const { publicKeyBytes } = noteKeyForms[type];
  if (publicKey.length !== publicKeyBytes) {
    throw new EvidenceError(
      'key',
      `key ${name}: ${publicKey.length} bytes, a key of type ${type} has ${publicKeyBytes}`,
    );
  }
  const id = toHex(sha256(utf8(`${name}\n`), Uint8Array.of(type), publicKey)).slice(0, 8);
  return { name, id, type, publicKey };
}

/** Reads `<name>+<key id>+<base64(type, public key)>` and recomputes the key ID. @throws EvidenceError key */
export function parseVkey(vkey: string): NoteKey {
  const match = /^([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/u.exec(vkey);
  if (!match) throw new EvidenceError('key', 'not a vkey: expected <name>+<8 hex digits>+<base64>');
  const [, name = '', id = '', encoded = ''] = match;
  const bytes = keyBytes(encoded);
  const type = bytes[0];
  if (type !== 1 && type !== 4 && type !== 6)
    throw new EvidenceError('key', `vkey ${name}: type ${type} is not accepted`);
  const key = noteKey(name, type, bytes.subarray(1));
  if (key.id !== id) throw new EvidenceError('key', `vkey ${name}: key ID is ${id}, the key gives ${key.id}`);
  return key;
}

export function formatVkey(key: NoteKey): string {
  return `${key.name}+${key.id}+${toBase64(concat(Uint8Array.of(key.type), key.publicKey))}`;
}

/** Reads a signed note. Signatures are not checked. @throws EvidenceError note, encoding, limit */
export function parseNote(input: string | Uint8Array): Note {
  const bytes = typeof input === 'string' ? utf8(input) : input;
  if (bytes.length > maxNoteBytes) throw new EvidenceError('limit', `note is larger than ${maxNoteBytes} bytes`);
  const whole = fromUtf8(bytes);
  if (typeof input === 'string' && whole !== input) throw new EvidenceError('note', 'note holds a lone surrogate');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the format forbids them
  if (/[\u0000-\u0009\u000b-\u001f]/.test(whole)) throw new EvidenceError('note', 'note holds a control character');
  const gap = whole.lastIndexOf('\n\n');
  if (gap < 0 || !whole.endsWith('\n')) throw new EvidenceError('note', 'note has no signature block');
  const lines = whole
    .slice(gap + 2)
    .split('\n')
    .slice(0, -1);
  if (lines.length === 0) throw new EvidenceError('note', 'note has no signatures');
  if (lines.length > maxNoteSignatures) {
    throw new EvidenceError('limit', `note has more than ${maxNoteSignatures} signatures`);
  }
  return { text: whole.slice(0, gap + 1), signatures: lines.map(parseSignatureLine) };
}

/** Reads one `— <name> <base64>` line, without its newline. @throws EvidenceError note */
export function parseSignatureLine(line: string): NoteSignature {
  const match = signatureLine.exec(line);
  const [, name = '', encoded = ''] = match ?? [];
  if (!match || !isKeyName(name)) throw new EvidenceError('note', 'not a signature line');
  let bytes: Uint8Array;
  try {
    bytes = fromBase64(encoded);
  } catch (cause) {
    throw new EvidenceError('note', `signature of ${name} is not canonical base64`, { cause });
  }
  if (bytes.length < 5) throw new EvidenceError('note', `signature of ${name} is too short`);
  return { name, id: toHex(bytes.subarray(0, 4)), signature: bytes.subarray(4) };
}

/** One signature line with its newline. */
export function formatSignatureLine(signature: NoteSignature): string {
  return `— ${signature.name} ${toBase64(concat(fromHex(signature.id), signature.signature))}\n`;
}

export function formatNote(note: Note): string {
  return `${note.text}\n${note.signatures.map(formatSignatureLine).join('')}`;
}

/**
 * The signatures of known keys; those of unknown keys are left out.
 * @throws EvidenceError signature: a line with the name and ID of a known key does not verify, so the note is refused
 */
export function verifyNote(note: Note, verifiers: readonly NoteVerifier[]): readonly NoteSignature[] {
  const verified: NoteSignature[] = [];
  for (const signature of note.signatures) {
    const verifier = verifiers.find((known) => known.name === signature.name && known.id === signature.id);
    if (!verifier) continue;
    if (!verifier.verify(note.text, signature.signature)) {
      throw new EvidenceError('signature', `signature of ${signature.name} (${signature.id}) does not verify`);
    }
    verified.push(signature);
  }
  return verified;
}

export function isKeyName(name: string): boolean {
  return keyName.test(name) && name.isWellFormed();
}

function keyBytes(encoded: string): Uint8Array {
  try {
    return fromBase64(encoded);
  } catch (cause) {
    throw new EvidenceError('key', 'vkey is not canonical base64', { cause });
  }
}

import { concat, utf8 } from '../encoding.ts';
import { EvidenceError } from '../errors.ts';
import { ed25519Spki, mlDsa44Spki, verifyPure } from '../platform.ts';
import { parseCheckpoint } from './checkpoint.ts';
import { type NoteKey, type NoteSignature, type NoteVerifier, noteKeyForms } from './note.ts';

const timestampBytes = 8;

/**
 * The exact message a key signs for a note's text. Types 4 and 6 sign a checkpoint and a POSIX time in seconds;
 * type 1 signs the text alone (C2SP signed-note, tlog-cosignature).
 * @throws EvidenceError note: for types 4 and 6 the text is no checkpoint, or a name is longer than 255 bytes
 */
export function cosignedMessage(key: NoteKey, text: string, timestampSeconds: number): Uint8Array {
  if (key.type === 1) return utf8(text);
  const checkpoint = parseCheckpoint(text);
  if (key.type === 4) return utf8(`cosignature/v1\ntime ${timestampSeconds}\n${text}`);
  return concat(
    utf8('subtree/v1\n\0'),
    lengthPrefixed(key.name),
    uint64(timestampSeconds),
    lengthPrefixed(checkpoint.origin),
    uint64(0),
    uint64(checkpoint.size),
    checkpoint.root,
  );
}

/**
 * Signs a note's text. `sign` returns the bare signature over the message it is given; the private key stays with it.
 * `timestampSeconds` is left out of a type 1 signature.
 * @throws EvidenceError note, key (signature of another length than the key's type has)
 */
export function signNote(
  key: NoteKey,
  text: string,
  timestampSeconds: number,
  sign: (message: Uint8Array) => Uint8Array,
): NoteSignature {
  const form = noteKeyForms[key.type];
  const bare = sign(cosignedMessage(key, text, timestampSeconds));
  if (bare.length !== form.signatureBytes) {
    throw new EvidenceError('key', `signature has ${bare.length} bytes, ${form.algorithm} has ${form.signatureBytes}`);
  }
  const signature = form.timestamped ? concat(uint64(timestampSeconds), bare) : bare;
  return { name: key.name, id: key.id, signature };
}

/** The time in a timestamped signature, POSIX seconds; undefined for type 1 and for times that are not below 2^53. */
export function signatureTimestamp(key: NoteKey, signature: Uint8Array): number | undefined {
  const form = noteKeyForms[key.type];
  if (!form.timestamped || signature.length !== timestampBytes + form.signatureBytes) return undefined;
  const view = new DataView(signature.buffer, signature.byteOffset, timestampBytes);
  const seconds = view.getUint32(0) * 2 ** 32 + view.getUint32(4);
  return Number.isSafeInteger(seconds) ? seconds : undefined;
}

/** True if the signature (as it stands after the key ID) is this key's over the text. */
export function verifyNoteSignature(key: NoteKey, text: string, signature: Uint8Array): boolean {
  const form = noteKeyForms[key.type];
  const seconds = form.timestamped ? signatureTimestamp(key, signature) : 0;
  const bare = form.timestamped ? signature.subarray(timestampBytes) : signature;
  if (seconds === undefined || bare.length !== form.signatureBytes) return false;
  const spki = form.algorithm === 'ed25519' ? ed25519Spki(key.publicKey) : mlDsa44Spki(key.publicKey);
  try {
    return verifyPure(form.algorithm, spki, cosignedMessage(key, text, seconds), bare);
  } catch {
    return false;
  }
}

export function noteVerifier(key: NoteKey): NoteVerifier {
  return { name: key.name, id: key.id, verify: (text, signature) => verifyNoteSignature(key, text, signature) };
}

function uint64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, Math.floor(value / 2 ** 32));
  view.setUint32(4, value % 2 ** 32);
  return bytes;
}

function lengthPrefixed(text: string): Uint8Array {
  const bytes = utf8(text);
  if (bytes.length < 1 || bytes.length > 255) throw new EvidenceError('note', 'name must have 1 to 255 bytes');
  return concat(Uint8Array.of(bytes.length), bytes);
}

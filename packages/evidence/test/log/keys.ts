import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { type NoteKey, type NoteKeyType, noteKey } from '../../src/log/note.ts';

export interface TestKey {
  readonly key: NoteKey;
  sign(message: Uint8Array): Uint8Array;
}

/** A fresh real key of a note signature type. */
export function testKey(name: string, type: NoteKeyType): TestKey {
  const pair = type === 6 ? generateKeyPairSync('ml-dsa-44' as 'ed25519') : generateKeyPairSync('ed25519');
  const privateKey: KeyObject = pair.privateKey;
  const spki = pair.publicKey.export({ format: 'der', type: 'spki' });
  const raw = spki.subarray(spki.length - (type === 6 ? 1312 : 32));
  return { key: noteKey(name, type, raw), sign: (message) => sign(null, message, privateKey) };
}

import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import {
  formatVkey,
  type NoteKey,
  type NoteKeyType,
  type NoteSignature,
  noteKey,
  noteKeyForms,
  signNote,
} from '@deed/evidence';
import { LedgerError } from './errors.ts';

/** The log's private keys, each PKCS#8 PEM. */
export interface LogKeyPems {
  readonly ed25519: string;
  readonly mlDsa44: string;
}

/** A key that signs notes. */
export interface NoteSigner {
  readonly key: NoteKey;
  sign(text: string, timestampSeconds: number): NoteSignature;
}

/** The log's keys under its origin: every checkpoint carries a signature of each. */
export interface LogKeys {
  readonly origin: string;
  readonly signers: readonly NoteSigner[];
  readonly vkeys: readonly string[];
}

export function makeLogKeys(): LogKeyPems {
  const pem = (key: KeyObject) => key.export({ format: 'pem', type: 'pkcs8' }).toString();
  return {
    ed25519: pem(generateKeyPairSync('ed25519').privateKey),
    mlDsa44: pem(generateKeyPairSync('ml-dsa-44').privateKey),
  };
}

/** @throws LedgerError key, EvidenceError key (origin that is no key name) */
export function loadLogKeys(origin: string, pems: LogKeyPems): LogKeys {
  const signers = [pemNoteSigner(origin, 0x01, pems.ed25519), pemNoteSigner(origin, 0x06, pems.mlDsa44)];
  return { origin, signers, vkeys: signers.map((signer) => formatVkey(signer.key)) };
}

/** The vkey of a public key in SPKI DER. @throws EvidenceError key */
export function noteVkey(name: string, type: NoteKeyType, spki: Uint8Array): string {
  return formatVkey(noteKeyOf(name, type, spki));
}

/** The raw key is the end of its SPKI. */
function noteKeyOf(name: string, type: NoteKeyType, spki: Uint8Array): NoteKey {
  return noteKey(name, type, spki.subarray(spki.length - noteKeyForms[type].publicKeyBytes));
}

/** A note key from its private PEM. @throws LedgerError key */
export function pemNoteSigner(name: string, type: NoteKeyType, pem: string): NoteSigner {
  return noteSigner(name, type, createPrivateKey(pem));
}

/** A note key that is held in this process. @throws LedgerError key (of another kind than the type) */
export function noteSigner(name: string, type: NoteKeyType, privateKey: KeyObject): NoteSigner {
  const { algorithm } = noteKeyForms[type];
  if (privateKey.asymmetricKeyType !== algorithm) {
    throw new LedgerError('key', `key of ${name} is ${privateKey.asymmetricKeyType}, expected ${algorithm}`);
  }
  const key = noteKeyOf(name, type, createPublicKey(privateKey).export({ format: 'der', type: 'spki' }));
  return {
    key,
    sign: (text, timestampSeconds) =>
      signNote(key, text, timestampSeconds, (message) => sign(null, message, privateKey)),
  };
}

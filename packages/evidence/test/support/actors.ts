import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { keyId } from '../../src/dsse.ts';
import { toBase64, toBase64Url, utf8 } from '../../src/encoding.ts';
import { signNote } from '../../src/log/cosignature.ts';
import { formatNote, formatVkey, type NoteKey, type NoteKeyType, noteKey } from '../../src/log/note.ts';
import { makeWord, type Word, type WordDomain, wordChallenge } from '../../src/word.ts';

/** A P-256 key pair of somebody in the story. */
export interface Signer {
  readonly spki: Uint8Array;
  readonly keyid: string;
  readonly privateKey: KeyObject;
  /** ECDSA P-256 with SHA-256, in DER. */
  sign(message: Uint8Array): Uint8Array;
}

export function newSigner(): Signer {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const spki = new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }));
  return { spki, keyid: keyId(spki), privateKey, sign: (message) => sign('sha256', message, privateKey) };
}

/** A key that signs notes: the log's two, and the witness's. */
export interface NoteSigner {
  readonly key: NoteKey;
  readonly spki: Uint8Array;
  readonly vkey: string;
  sign(message: Uint8Array): Uint8Array;
}

export function newNoteSigner(name: string, type: NoteKeyType): NoteSigner {
  const pair = type === 6 ? generateKeyPairSync('ml-dsa-44' as 'ed25519') : generateKeyPairSync('ed25519');
  const spki = new Uint8Array(pair.publicKey.export({ format: 'der', type: 'spki' }));
  const key = noteKey(name, type, spki.subarray(spki.length - (type === 6 ? 1312 : 32)));
  const privateKey = createPrivateKey(pair.privateKey.export({ format: 'pem', type: 'pkcs8' }));
  return { key, spki, vkey: formatVkey(key), sign: (message) => sign(null, message, privateKey) };
}

/** Signs a note's text by each of the keys, in this order. */
export function signedNote(text: string, signers: readonly NoteSigner[], seconds: number): string {
  return formatNote({ text, signatures: signers.map((signer) => signNote(signer.key, text, seconds, signer.sign)) });
}

export function makeJwt(signer: Signer, typ: string, claims: Readonly<Record<string, unknown>>): string {
  const part = (value: unknown) => toBase64Url(utf8(JSON.stringify(value)));
  const signed = `${part({ alg: 'ES256', typ })}.${part(claims)}`;
  const signature = sign('sha256', utf8(signed), { key: signer.privateKey, dsaEncoding: 'ieee-p1363' });
  return `${signed}.${toBase64Url(signature)}`;
}

export function signWord(domain: WordDomain, bytes: Uint8Array, signer: Signer): Word {
  return makeWord(bytes, 'es256', signer.spki, signer.sign(wordChallenge(domain, bytes)));
}

export const origin = 'deed.local/3f9a12c4';

/** Everybody in the story, with real keys, made once a process. */
export const actors = {
  root: newSigner(),
  registrar: newSigner(),
  receipt: newSigner(),
  token: newSigner(),
  agent: newSigner(),
  person: newSigner(),
  /** Somebody who has no part in it. */
  stranger: newSigner(),
  logs: [newNoteSigner(origin, 1), newNoteSigner(origin, 6)],
  witness: newNoteSigner(`${origin}/witness`, 4),
} as const;

export const roleKey = (role: 'root' | 'registrar' | 'receipt' | 'token', { spki, keyid } = actors[role]) => ({
  role,
  alg: 'ES256' as const,
  spki: toBase64(spki),
  keyid,
  vkey: null,
});

export const logKey = ({ key, spki, vkey }: NoteSigner) => ({
  role: 'log' as const,
  alg: key.type === 1 ? ('Ed25519' as const) : ('ML-DSA-44' as const),
  spki: toBase64(spki),
  keyid: keyId(spki),
  vkey,
});

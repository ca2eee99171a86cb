import * as crypto from 'node:crypto';
import { readFileSync } from 'node:fs';
import { keyId } from '@deed/evidence';
import { AuthorityError } from '../errors.ts';
import { requireP256, signP256, spkiOf } from './p256.ts';

/** Signs statements: ES256 in DER. The shape that the ledger asks for. */
export interface FileSigner {
  readonly keyid: string;
  readonly spki: Uint8Array;
  sign(message: Uint8Array): Promise<Uint8Array>;
}

/** A signer over a private key in memory. The bare key object: an options object would lose DER and the fast path. */
export function keySigner(key: crypto.KeyObject): FileSigner {
  const spki = spkiOf(requireP256(key));
  return { keyid: keyId(spki), spki, sign: (message) => signP256(key, message) };
}

/** @throws AuthorityError key (missing or not a P-256 private key in PEM) */
export function readPemKey(file: string): crypto.KeyObject {
  try {
    return requireP256(crypto.createPrivateKey(readFileSync(file)));
  } catch (cause) {
    throw new AuthorityError('key', `no P-256 private key in PEM at ${file}`, { cause });
  }
}

export function pemSigner(file: string): FileSigner {
  return keySigner(readPemKey(file));
}

import * as crypto from 'node:crypto';
import { AuthorityError } from '../errors.ts';

/** A new P-256 private key (ES256): the one kind of key that Deed makes for services, agents and people. */
export function newP256(): crypto.KeyObject {
  return crypto.generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey;
}

/** SPKI DER of a key's public half. */
export function spkiOf(key: crypto.KeyObject): Uint8Array {
  const publicKey = key.type === 'public' ? key : crypto.createPublicKey(key);
  return publicKey.export({ format: 'der', type: 'spki' });
}

/** @throws AuthorityError key (not a P-256 key) */
export function requireP256(key: crypto.KeyObject): crypto.KeyObject {
  if (key.asymmetricKeyType !== 'ec' || key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    throw new AuthorityError('key', 'only P-256 keys are accepted here');
  }
  return key;
}

/** Accepts SPKI DER of a P-256 public key in its one spelling. @throws AuthorityError key */
export function requireP256Spki(spki: Uint8Array): void {
  let again: Uint8Array;
  try {
    const key = crypto.createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
    again = spkiOf(requireP256(key));
  } catch (cause) {
    throw new AuthorityError('key', 'not a P-256 public key in SPKI DER', { cause });
  }
  if (!Buffer.from(again).equals(spki)) throw new AuthorityError('key', 'the public key is not in its one DER form');
}

/** ECDSA P-256 over SHA-256 in DER, on the libuv pool. The bare key object: DER is its default form. */
export function signP256(key: crypto.KeyObject, message: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    crypto.sign('sha256', message, key, (error, signature) => (error ? reject(error) : resolve(signature)));
  });
}

import * as crypto from 'node:crypto';
import { readFileSync } from 'node:fs';
import { keyId, type PredicateBody, toBase64 } from '@deed/evidence';
import { noteVkey } from '@deed/ledger';
import { AuthorityError } from '../errors.ts';

/** A key as key-events name it. */
export type KeyOfEvent = PredicateBody<'key-event'>['key'];

const algorithms = { ec: 'ES256', ed25519: 'Ed25519', 'ml-dsa-44': 'ML-DSA-44' } as const;

/** Describes the public half of a key. `origin` names a log key's vkey. @throws AuthorityError key */
export function keyOfEvent(role: KeyOfEvent['role'], key: crypto.KeyObject, origin: string): KeyOfEvent {
  const alg = algorithms[key.asymmetricKeyType as keyof typeof algorithms];
  if (!alg || (alg === 'ES256') === (role === 'log')) {
    throw new AuthorityError('key', `a ${key.asymmetricKeyType} key cannot be a ${role} key`);
  }
  const spki = (key.type === 'public' ? key : crypto.createPublicKey(key)).export({ format: 'der', type: 'spki' });
  const vkey = role === 'log' ? noteVkey(origin, alg === 'Ed25519' ? 0x01 : 0x06, spki) : null;
  return { role, alg, spki: toBase64(spki), keyid: keyId(spki), vkey };
}

/** @throws AuthorityError key (missing, or of a kind that does not fit the role) */
export function keyOfFile(role: KeyOfEvent['role'], file: string, origin: string): KeyOfEvent {
  let key: crypto.KeyObject;
  try {
    key = crypto.createPrivateKey(readFileSync(file));
  } catch (cause) {
    throw new AuthorityError('key', `no private key in PEM at ${file}`, { cause });
  }
  return keyOfEvent(role, key, origin);
}

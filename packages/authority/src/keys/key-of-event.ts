import * as crypto from 'node:crypto';
import { keyId, type PredicateBody, toBase64 } from '@deed/evidence';
import { noteVkey } from '@deed/ledger';
import { AuthorityError } from '../errors.ts';
import { keyAlgorithm } from './sealed-key.ts';

/** A key as key-events name it. */
export type KeyOfEvent = PredicateBody<'key-event'>['key'];

/** Describes the public half of a key. `origin` names a log key's vkey. @throws AuthorityError key */
export function keyOfEvent(role: KeyOfEvent['role'], key: crypto.KeyObject, origin: string): KeyOfEvent {
  const alg = keyAlgorithm(key);
  if ((alg === 'ES256') === (role === 'log')) {
    throw new AuthorityError('key', `a key for ${alg} cannot be a ${role} key`);
  }
  const spki = (key.type === 'public' ? key : crypto.createPublicKey(key)).export({ format: 'der', type: 'spki' });
  const vkey = role === 'log' ? noteVkey(origin, alg === 'Ed25519' ? 0x01 : 0x06, spki) : null;
  return { role, alg, spki: toBase64(spki), keyid: keyId(spki), vkey };
}

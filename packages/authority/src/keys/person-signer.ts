import type * as crypto from 'node:crypto';
import { makeWord, type Word, type WordDomain, wordChallenge } from '@deed/evidence';
import { requireP256, signP256, spkiOf } from './p256.ts';

/** A person's key, wherever it rests: what enrolment records of it, and how it gives a word. */
export interface PersonSigner {
  readonly kind: Word['signature']['kind'];
  /** SPKI DER for es256, the SSH wire form for sshsig: what the word and the enrolment carry. */
  readonly public: Uint8Array;
  /** Signs exactly these bytes for one purpose. */
  word(domain: WordDomain, bytes: Uint8Array): Promise<Word>;
}

/** A person whose P-256 key lies in a sealed file that was opened with the passphrase. */
export function keyPersonSigner(key: crypto.KeyObject): PersonSigner {
  const spki = spkiOf(requireP256(key));
  return {
    kind: 'es256',
    public: spki,
    async word(domain, bytes) {
      return makeWord(bytes, 'es256', spki, await signP256(key, wordChallenge(domain, bytes)));
    },
  };
}

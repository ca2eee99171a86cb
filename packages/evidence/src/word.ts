import { fromBase64, toBase64, utf8 } from './encoding.ts';
import { EvidenceError } from './errors.ts';
import { sha256, verifyP256 } from './platform.ts';
import type { PersonKey } from './predicates.ts';
import { parseSshPublicKey, verifySshsig } from './ssh.ts';

/**
 * A word: bytes that somebody other than the server signed (a person, an agent, a tool), embedded in a statement with
 * their exact bytes. Each purpose has a domain string of its own, so that a signature given for one never serves another.
 */
export const wordDomains = [
  'deed-approval-v1',
  'deed-activation-v1',
  'deed-finding-v1',
  'deed-hold-v1',
  'deed-people-v1',
  'deed-hop-v1',
  'deed-hop-accepted-v1',
  'deed-hop-ended-v1',
] as const;
export type WordDomain = (typeof wordDomains)[number];

export interface Word {
  /** Base64 of the exact bytes that were shown and signed: a JSON document. */
  readonly bytes: string;
  readonly signature: {
    /** `es256`: P-256 in DER. `sshsig`: an SSHSIG blob whose namespace is the domain (OpenSSH PROTOCOL.sshsig). */
    readonly kind: 'es256' | 'sshsig';
    /** Base64 of the signer's public key: SPKI DER for es256, the SSH wire form for sshsig. */
    readonly key: string;
    /** Base64 of the signature. */
    readonly sig: string;
  };
}

/** What a signer of any kind signs: SHA-256(domain || 0x00 || bytes), 32 bytes. */
export function wordChallenge(domain: WordDomain, bytes: Uint8Array): Uint8Array {
  return sha256(utf8(`${domain}\0`), bytes);
}

export function makeWord(bytes: Uint8Array, kind: Word['signature']['kind'], key: Uint8Array, sig: Uint8Array): Word {
  return { bytes: toBase64(bytes), signature: { kind, key: toBase64(key), sig: toBase64(sig) } };
}

/** Checks the signature and returns the signed bytes. @throws EvidenceError signature, key, encoding */
export function openWord(domain: WordDomain, word: Word): Uint8Array {
  const bytes = fromBase64(word.bytes);
  const key = fromBase64(word.signature.key);
  const sig = fromBase64(word.signature.sig);
  const challenge = wordChallenge(domain, bytes);
  const holds =
    word.signature.kind === 'es256' ? verifyP256(key, challenge, sig) : verifySshsig(domain, key, challenge, sig);
  if (!holds)
    throw new EvidenceError('signature', `the ${word.signature.kind} signature over the ${domain} word fails`);
  return bytes;
}

/** The key itself, SPKI DER, in whatever form a person has it. @throws EvidenceError key, encoding */
export function spkiOfPerson({ kind, public: text }: PersonKey): Uint8Array {
  const bytes = fromBase64(text);
  return kind === 'sshsig' ? parseSshPublicKey(bytes).spki : bytes;
}

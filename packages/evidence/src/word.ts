import type { z } from 'zod';
import { fromBase64, toBase64, utf8 } from './encoding.ts';
import { EvidenceError } from './errors.ts';
import { sha256, verifyP256 } from './platform.ts';
import type { PersonKey, word } from './predicates.ts';
import { parseSshPublicKey, verifySshsig } from './ssh.ts';
import { type Assertion, openAssertion } from './webauthn.ts';

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

/**
 * All members are base64: `bytes`, the exact bytes that were shown and signed, a JSON document; `key`, SPKI DER, for `sshsig` the SSH
 * wire form; `sig`, ECDSA P-256 in DER, for `sshsig` a blob whose namespace is the domain (OpenSSH PROTOCOL.sshsig), for `webauthn`
 * over what the authenticator and the browser say beside it.
 */
export type Word = Readonly<z.infer<typeof word>>;

/** What a signer of any kind signs: SHA-256(domain || 0x00 || bytes), 32 bytes. */
export function wordChallenge(domain: WordDomain, bytes: Uint8Array): Uint8Array {
  return sha256(utf8(`${domain}\0`), bytes);
}

export function makeWord(bytes: Uint8Array, kind: 'es256' | 'sshsig', key: Uint8Array, sig: Uint8Array): Word {
  return { bytes: toBase64(bytes), signature: { kind, key: toBase64(key), sig: toBase64(sig) } };
}

/** What a passkey says: its challenge is the word's. */
export function makePasskeyWord(bytes: Uint8Array, key: Uint8Array, assertion: Assertion): Word {
  const { sig, authenticatorData, clientDataJSON } = assertion;
  const beside = { authenticatorData: toBase64(authenticatorData), clientDataJSON: toBase64(clientDataJSON) };
  return { bytes: toBase64(bytes), signature: { kind: 'webauthn', key: toBase64(key), sig: toBase64(sig), ...beside } };
}

/** Checks the signature and returns the signed bytes. @throws EvidenceError signature, key, encoding, json */
export function openWord(domain: WordDomain, { bytes: text, signature }: Word): Uint8Array {
  const bytes = fromBase64(text);
  const key = fromBase64(signature.key);
  const sig = fromBase64(signature.sig);
  const challenge = wordChallenge(domain, bytes);
  if (signature.kind === 'webauthn') {
    const [authenticatorData, clientDataJSON] = [signature.authenticatorData, signature.clientDataJSON].map(fromBase64);
    if (authenticatorData && clientDataJSON) openAssertion(key, challenge, { authenticatorData, clientDataJSON, sig });
    return bytes;
  }
  const holds =
    signature.kind === 'es256' ? verifyP256(key, challenge, sig) : verifySshsig(domain, key, challenge, sig);
  if (!holds) throw new EvidenceError('signature', `the ${signature.kind} signature over the ${domain} word fails`);
  return bytes;
}

/** The key itself, SPKI DER, in whatever form a person has it. @throws EvidenceError key, encoding */
export function spkiOfPerson({ kind, public: text }: PersonKey): Uint8Array {
  const bytes = fromBase64(text);
  return kind === 'sshsig' ? parseSshPublicKey(bytes).spki : bytes;
}

import { concat, toBase64Url, utf8 } from '../../src/encoding.ts';
import { sha256 } from '../../src/platform.ts';
import { makePasskeyWord, type Word, type WordDomain, wordChallenge } from '../../src/word.ts';
import type { Signer } from './actors.ts';

/** How an authenticator or a page answers, where it is not as it should be. */
export interface Answering {
  /** The members of the client data that are other, or more. */
  readonly client?: Readonly<Record<string, unknown>>;
  /** The very bytes of the client data. */
  readonly clientText?: (honest: string) => string;
  /** The host for which the passkey was made. */
  readonly host?: string;
  /** User present, user verified; and what else is set. */
  readonly flags?: number;
  /** Bytes after the counter. */
  readonly more?: Uint8Array;
  readonly signer?: Signer;
}

/** A word as a passkey signs it, on a page of deed.example. */
export function passkeyWord(signer: Signer, domain: WordDomain, bytes: Uint8Array, over: Answering = {}): Word {
  const { client, host = 'deed.example', flags = 0x05, more = new Uint8Array(), clientText = (text) => text } = over;
  const challenge = toBase64Url(wordChallenge(domain, bytes));
  const said = { type: 'webauthn.get', challenge, origin: 'https://deed.example', crossOrigin: false, ...client };
  const clientDataJSON = utf8(clientText(JSON.stringify(said)));
  const authenticatorData = concat(sha256(utf8(host)), Uint8Array.of(flags, 0, 0, 0, 7), more);
  const sig = (over.signer ?? signer).sign(concat(authenticatorData, sha256(clientDataJSON)));
  return makePasskeyWord(bytes, signer.spki, { authenticatorData, clientDataJSON, sig });
}

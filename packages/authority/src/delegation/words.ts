import type { KeyObject } from 'node:crypto';
import {
  type Allow,
  encodeAllow,
  encodeHop,
  encodeHopAccepted,
  encodeHopEnded,
  type HopParty,
  jwkThumbprint,
  makePayload,
  makeWord,
  randomBytes,
  saltSize,
  sha256,
  type Tier,
  toHex,
  utf8,
  type Word,
  type WordDomain,
  wordChallenge,
} from '@deed/evidence';
import { decodeJwt } from 'jose';
import type { Clock } from '../clock.ts';
import { signP256, spkiOf } from '../keys/p256.ts';
import { makeProof } from '../tokens/proof.ts';
import type { HopOffer } from './delegation.ts';

/** An agent on its own side: its id and its P-256 private key. */
export interface HopSigner {
  readonly agent: string;
  readonly key: KeyObject;
}

/** What is passed on. */
export interface HopTerms {
  readonly delegate: HopParty;
  readonly allow: Allow;
  readonly ceiling: Tier;
  /** How many actions may begin. */
  readonly actions: number;
  /** Milliseconds since 1970. */
  readonly deadlineMs: number;
  /** How many hops may follow. */
  readonly depth: number;
}

/**
 * The delegator's side: signs that it passes this part on of what it may do by `token`, which is its own and alive
 * (docs/formats/signers.md). Used within the life of a proof, once.
 */
export async function makeHop(signer: HopSigner, token: string, terms: HopTerms, clock: Clock): Promise<HopOffer> {
  const { aud, task, hop } = decodeJwt(token) as { aud?: string; task?: string; hop?: string };
  const { delegate, ceiling, actions, depth } = terms;
  const { name, salt, bytes } = makePayload(encodeAllow(terms.allow));
  const allow = new Uint8Array(saltSize + bytes.length);
  allow.set(salt);
  allow.set(bytes, saltSize);
  const word = encodeHop({
    origin: aud ?? '',
    task: task ?? '',
    delegator: partyOf(signer),
    delegate,
    token: toHex(sha256(utf8(token))),
    parent: hop ?? null,
    allow: name,
    ceiling,
    actions,
    deadline: new Date(terms.deadlineMs).toISOString(),
    depth,
    nonce: nonce(),
  });
  const proof = await makeProof(signer.key, token, word, clock);
  return { token, proof, word: await signed('deed-hop-v1', word, signer.key), allow };
}

/** The delegate's side: signs that it acts by this hop (the digest of its statement) in its own name. */
export function makeHopAccepted(
  signer: HopSigner,
  of: { readonly origin: string; readonly task: string; readonly hop: string },
): Promise<Word> {
  const { origin, task, hop } = of;
  const word = encodeHopAccepted({ origin, task, hop, delegate: partyOf(signer), nonce: nonce() });
  return signed('deed-hop-accepted-v1', word, signer.key);
}

/** The delegator's side: signs that it takes back what it passed on. */
export function makeHopEnded(
  signer: HopSigner,
  of: { readonly origin: string; readonly task: string; readonly hop: string },
): Promise<Word> {
  const { origin, task, hop } = of;
  const word = encodeHopEnded({ origin, task, hop, delegator: partyOf(signer), nonce: nonce() });
  return signed('deed-hop-ended-v1', word, signer.key);
}

/** How words name an agent: its id and the thumbprint of its key. */
function partyOf({ agent, key }: HopSigner): HopParty {
  return { agent, jkt: jwkThumbprint(spkiOf(key)) };
}

async function signed(domain: WordDomain, bytes: Uint8Array, key: KeyObject): Promise<Word> {
  return makeWord(bytes, 'es256', spkiOf(key), await signP256(key, wordChallenge(domain, bytes)));
}

function nonce(): string {
  return toHex(randomBytes(16));
}

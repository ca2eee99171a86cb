import { z } from 'zod';
import { concat, equalBytes, fromBase64Url, utf8 } from './encoding.ts';
import { EvidenceError } from './errors.ts';
import { parseStrictJson } from './json.ts';
import { sha256, verifyP256 } from './platform.ts';

/** What an authenticator returns beside its signature. */
export interface Assertion {
  /** Authenticator data, 37 bytes: hash of the relying party's id, flags, counter. */
  readonly authenticatorData: Uint8Array;
  /** The browser's JSON: what was asked for, and by whose page. */
  readonly clientDataJSON: Uint8Array;
  /** ECDSA P-256 in DER. */
  readonly sig: Uint8Array;
}

/** What an assertion says beside that the key was used. */
export interface Asserted {
  /** Of the page that asked. */
  readonly origin: string;
  /** The key is held by more than one device, or may be. */
  readonly isSynced: boolean;
}

const flags = { present: 0x01, verified: 0x04, eligible: 0x08, synced: 0x10 } as const;
const allowed = flags.present | flags.verified | flags.eligible | flags.synced;

/** Browsers may add members: only those that bind are looked at. */
const clientData = z.looseObject({
  type: z.literal('webauthn.get'),
  challenge: z.string(),
  origin: z.string(),
  crossOrigin: z.literal(false).optional(),
  topOrigin: z.undefined().optional(),
});

/**
 * Checks that a passkey answered exactly this challenge, with its user verified, on a page of the party that it was made for
 * (WebAuthn Level 3, section 7.2, as far as it can be judged later; docs/formats/signatures.md has the rules).
 * @param spki the passkey's key, P-256
 * @throws EvidenceError signature, json, key, encoding
 */
export function openAssertion(spki: Uint8Array, challenge: Uint8Array, assertion: Assertion): Asserted {
  const { authenticatorData, clientDataJSON, sig } = assertion;
  const parsed = clientData.safeParse(parseStrictJson(clientDataJSON).value);
  if (!parsed.success) throw failed('its client data is not of a request to sign, from a page of its own');
  need(equalBytes(readBase64Url(parsed.data.challenge), challenge), 'it answers another challenge');
  const origin = originOf(parsed.data.origin);
  const host = sha256(utf8(origin.hostname));
  need(authenticatorData.length === 37, 'its authenticator data is not 37 bytes: no extension was asked for');
  need(equalBytes(authenticatorData.subarray(0, 32), host), 'the passkey is of another site than the page');
  const set = authenticatorData[32] ?? 0;
  need((set & flags.present) !== 0 && (set & flags.verified) !== 0, 'the user was not verified');
  need((set & ~allowed) === 0, 'it has flags that nobody asked for');
  need((set & flags.synced) === 0 || (set & flags.eligible) !== 0, 'it is synced and may not be');
  const signed = concat(authenticatorData, sha256(clientDataJSON));
  need(verifyP256(spki, signed, sig), 'the signature fails');
  return { origin: parsed.data.origin, isSynced: (set & flags.eligible) !== 0 };
}

function originOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || url.origin !== text || !['https:', 'http:'].includes(url.protocol)) throw failed('its origin is no site');
  return url;
}

function readBase64Url(text: string): Uint8Array {
  try {
    return fromBase64Url(text);
  } catch {
    throw failed('its challenge is not base64url');
  }
}

function need(holds: boolean, otherwise: string): void {
  if (!holds) throw failed(otherwise);
}

function failed(why: string): EvidenceError {
  return new EvidenceError('signature', `the passkey's answer: ${why}`);
}

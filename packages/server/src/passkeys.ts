import type { Passkey } from '@deed/authority';
import { type PersonKey, randomBytes, toBase64, toBase64Url } from '@deed/evidence';
import {
  type AuthenticationResponseJSON,
  generateAuthenticationOptions,
  generateRegistrationOptions,
  type RegistrationResponseJSON,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
} from '@simplewebauthn/server';
import { decodeCredentialPublicKey } from '@simplewebauthn/server/helpers';
import { ServerError } from './errors.ts';

const es256 = -7;
const challengeMs = 5 * 60_000;
const mostChallenges = 10_000;

/** What the server knows of an enrolled passkey when it signs in. */
export interface KnownPasskey {
  readonly person: string;
  readonly public: string;
}

/**
 * The two ceremonies of WebAuthn (Level 3, section 7): a passkey is made, a passkey signs in. User verification is asked for and
 * checked, ES256 is the one algorithm, no attestation is asked for. A challenge serves once, for five minutes.
 */
export class Passkeys {
  private readonly url: () => string;
  private readonly now: () => number;
  private readonly challenges = new Map<string, number>();

  constructor(url: () => string, now: () => number = Date.now) {
    this.url = url;
    this.now = now;
  }

  /** Options for `navigator.credentials.create`. `person`: the opaque id, which the authenticator keeps. */
  creation(person: string, label: string) {
    return generateRegistrationOptions({
      rpName: 'Deed',
      rpID: this.rpId(),
      userName: label,
      userDisplayName: label,
      userID: new Uint8Array(Buffer.from(person)),
      challenge: this.challenge(),
      attestationType: 'none',
      authenticatorSelection: { residentKey: 'preferred', userVerification: 'required' },
      supportedAlgorithmIDs: [es256],
    });
  }

  /** The passkey that was made. @throws ServerError passkey */
  async created(response: unknown): Promise<{ readonly key: PersonKey; readonly passkey: Passkey }> {
    const verified = await checked(() =>
      verifyRegistrationResponse({
        response: response as RegistrationResponseJSON,
        expectedChallenge: (challenge) => this.spend(challenge),
        expectedOrigin: new URL(this.url()).origin,
        expectedRPID: this.rpId(),
        requireUserVerification: true,
        supportedAlgorithmIDs: [es256],
      }),
    );
    if (!verified.verified) throw new ServerError('passkey', 'this passkey was not made for this server');
    const { credential, aaguid, credentialBackedUp } = verified.registrationInfo;
    const key = passkeyKey(spkiOfCose(credential.publicKey));
    return { key, passkey: { credential: credential.id, aaguid, backedUp: credentialBackedUp } };
  }

  /** Options for `navigator.credentials.get`: whichever passkey of this server the person has. */
  signIn() {
    return generateAuthenticationOptions({
      rpID: this.rpId(),
      challenge: this.challenge(),
      userVerification: 'required',
      allowCredentials: [],
    });
  }

  /** Who signed in, by the passkeys that are known. @throws ServerError passkey */
  async signedIn(response: unknown, find: (credential: string) => KnownPasskey | undefined): Promise<string> {
    const { id } = (response ?? {}) as { readonly id?: unknown };
    const known = typeof id === 'string' ? find(id) : undefined;
    if (!known || typeof id !== 'string') throw new ServerError('passkey', 'nobody here has this passkey');
    const { verified } = await checked(() =>
      verifyAuthenticationResponse({
        response: response as AuthenticationResponseJSON,
        expectedChallenge: (challenge) => this.spend(challenge),
        expectedOrigin: new URL(this.url()).origin,
        expectedRPID: this.rpId(),
        requireUserVerification: true,
        // Counters tell of copies only where authenticators count; passkeys that are backed up do not.
        credential: { id, publicKey: coseOfSpki(Buffer.from(known.public, 'base64')), counter: 0 },
      }),
    );
    if (!verified) throw new ServerError('passkey', 'the passkey did not sign what was asked');
    return known.person;
  }

  private rpId(): string {
    return new URL(this.url()).hostname;
  }

  private challenge() {
    const now = this.now();
    for (const [old, until] of this.challenges) if (until <= now) this.challenges.delete(old);
    if (this.challenges.size >= mostChallenges) this.challenges.delete(this.challenges.keys().next().value ?? '');
    const bytes = new Uint8Array(randomBytes(32));
    this.challenges.set(toBase64Url(bytes), now + challengeMs);
    return bytes;
  }

  private spend(challenge: string): boolean {
    const until = this.challenges.get(challenge);
    this.challenges.delete(challenge);
    return until !== undefined && this.now() < until;
  }
}

/** The key with which a passkey is enrolled. */
function passkeyKey(spki: Uint8Array): PersonKey {
  return { kind: 'webauthn', public: toBase64(spki) };
}

const spkiPrefix = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107034200', 'hex');

/** SPKI DER of a COSE P-256 key (RFC 9053 section 7.1.1). @throws ServerError passkey */
function spkiOfCose(cose: Uint8Array): Uint8Array {
  const key = decodeCredentialPublicKey(cose as Uint8Array<ArrayBuffer>) as unknown as Map<number, unknown>;
  const [x, y] = [key.get(-2), key.get(-3)];
  const isP256 = key.get(1) === 2 && key.get(3) === es256 && key.get(-1) === 1;
  if (!isP256 || !(x instanceof Uint8Array) || !(y instanceof Uint8Array) || x.length !== 32 || y.length !== 32)
    throw new ServerError('passkey', 'a passkey with a P-256 key (ES256) is wanted');
  return new Uint8Array(Buffer.concat([spkiPrefix, Uint8Array.of(4), x, y]));
}

/** The same key for a reader of COSE: {1: 2, 3: -7, -1: 1, -2: x, -3: y}. */
function coseOfSpki(spki: Uint8Array) {
  const point = spki.subarray(spkiPrefix.length + 1);
  const head = Uint8Array.of(0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20);
  return new Uint8Array(
    Buffer.concat([head, point.subarray(0, 32), Uint8Array.of(0x22, 0x58, 0x20), point.subarray(32)]),
  );
}

/** What the library refuses, in our words. @throws ServerError passkey */
async function checked<T>(verify: () => Promise<T>): Promise<T> {
  try {
    return await verify();
  } catch (cause) {
    if (cause instanceof ServerError) throw cause;
    throw new ServerError('passkey', `this passkey is not accepted: ${(cause as Error).message}`, { cause });
  }
}

import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';

const userPresent = 1;
const userVerified = 4;
const backupEligible = 8;
const backedUp = 16;
const attested = 64;

export interface CeremonyOptions {
  readonly origin: string;
  readonly rpId: string;
  readonly challenge: string;
  /** Flags that are to be other than those of a verified user with a backed-up passkey. */
  readonly flags?: number;
}

/** A passkey in software: makes and signs what a browser and its authenticator would (WebAuthn Level 3, section 6). */
export class Authenticator {
  readonly id = randomBytes(16).toString('base64url');
  private readonly keys = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });

  /** SPKI DER, base64. */
  get public(): string {
    return this.keys.publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
  }

  create({ flags = userPresent | userVerified | backupEligible | backedUp, ...options }: CeremonyOptions) {
    const { x = '', y = '' } = this.keys.publicKey.export({ format: 'jwk' });
    const [px, py] = [x, y].map((part) => Buffer.from(part, 'base64url'));
    const cose = [Buffer.from('a5010203262001215820', 'hex'), px, Buffer.from('225820', 'hex'), py] as Buffer[];
    const id = Buffer.from(this.id, 'base64url');
    const data = Buffer.concat([
      authenticatorData(options.rpId, flags | attested),
      ...[Buffer.alloc(16), Buffer.from([0, id.length]), id, ...cose],
    ]);
    // {"fmt": "none", "attStmt": {}, "authData": data}
    const object = Buffer.concat([
      Buffer.from('a363666d74646e6f6e656761747453746d74a0686175746844617461', 'hex'),
      Buffer.from([0x58, data.length]),
      data,
    ]);
    return this.answer({
      clientDataJSON: clientData('webauthn.create', options).toString('base64url'),
      attestationObject: object.toString('base64url'),
    });
  }

  get({ flags = userPresent | userVerified | backupEligible | backedUp, ...options }: CeremonyOptions) {
    const data = authenticatorData(options.rpId, flags);
    const client = clientData('webauthn.get', options);
    const signed = Buffer.concat([data, createHash('sha256').update(client).digest()]);
    return this.answer({
      clientDataJSON: client.toString('base64url'),
      authenticatorData: data.toString('base64url'),
      signature: sign('sha256', signed, this.keys.privateKey).toString('base64url'),
    });
  }

  private answer(response: Readonly<Record<string, string>>) {
    return { id: this.id, rawId: this.id, type: 'public-key', clientExtensionResults: {}, response };
  }
}

export const notVerified = userPresent | backupEligible | backedUp;

function authenticatorData(rpId: string, flags: number): Buffer {
  return Buffer.concat([createHash('sha256').update(rpId).digest(), Buffer.from([flags, 0, 0, 0, 0])]);
}

function clientData(type: string, { challenge, origin }: Pick<CeremonyOptions, 'challenge' | 'origin'>): Buffer {
  return Buffer.from(JSON.stringify({ type, challenge, origin, crossOrigin: false }));
}

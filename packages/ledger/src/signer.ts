import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { promisify } from 'node:util';
import { keyId } from '@deed/evidence';
import { LedgerError } from './errors.ts';

/** Signs statements: ECDSA P-256 over SHA-256, DER. The private key may rest elsewhere. */
export interface Signer {
  /** Hex SHA-256 of the SPKI. */
  readonly keyid: string;
  readonly spki: Uint8Array;
  sign(message: Uint8Array): Promise<Uint8Array>;
}

const signOnPool = promisify(sign);

/** A signer whose key is held in this process (PKCS#8 PEM). Signatures are made on the thread pool. @throws LedgerError key */
export function pemSigner(pem: string): Signer {
  const key = createPrivateKey(pem);
  if (key.asymmetricKeyType !== 'ec' || key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    throw new LedgerError('key', 'statement keys are ECDSA P-256; make one with `deed init`');
  }
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
  // The bare KeyObject: an options object halves the speed on Node 24.
  return { keyid: keyId(spki), spki, sign: (message) => signOnPool('sha256', message, key) };
}

/** A fresh P-256 key as PKCS#8 PEM. */
export function makeSignerKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  return privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
}

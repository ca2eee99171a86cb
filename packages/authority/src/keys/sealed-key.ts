import * as crypto from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fromBase64, fromUtf8, parseStrictJson, toBase64, utf8 } from '@deed/evidence';
import { z } from 'zod';
import { AuthorityError } from '../errors.ts';
import { spkiOf } from './p256.ts';
import { createPrivateFile } from './private-file.ts';

/** scrypt work factor: 128 MiB and about half a second a try (OWASP's first choice for scrypt). */
export const defaultScryptCost = 2 ** 17;
const maxScryptCost = 2 ** 20;
const blockSize = 8;
const parallelization = 1;

const base64 = z.string().regex(/^[A-Za-z0-9+/]+=*$/);
const schema = z.strictObject({
  v: z.literal(1),
  type: z.literal('deed-sealed-key'),
  alg: z.enum(['ES256', 'Ed25519', 'ML-DSA-44']),
  /** SPKI DER: readable without the passphrase, and bound to the sealed part. */
  spki: base64,
  kdf: z.strictObject({
    name: z.literal('scrypt'),
    n: z.number().int().min(2).max(maxScryptCost),
    r: z.literal(blockSize),
    p: z.literal(parallelization),
    salt: base64,
  }),
  cipher: z.strictObject({ name: z.literal('aes-256-gcm'), nonce: base64, tag: base64 }),
  /** PKCS#8 DER, encrypted. */
  sealed: base64,
});

export interface SealOptions {
  /** Lower than the default only in tests. */
  readonly scryptCost?: number;
}

/** Seals a private key by a passphrase into the bytes of a JSON file. @throws AuthorityError key, passphrase (empty) */
export async function sealKey(
  key: crypto.KeyObject,
  passphrase: string,
  options: SealOptions = {},
): Promise<Uint8Array> {
  if (passphrase === '') throw new AuthorityError('passphrase', 'the passphrase is empty: choose one');
  const spki = toBase64(spkiOf(key));
  const [salt, nonce] = [crypto.randomBytes(16), crypto.randomBytes(12)];
  const n = options.scryptCost ?? defaultScryptCost;
  const cipher = crypto.createCipheriv('aes-256-gcm', await derive(passphrase, salt, n), nonce);
  cipher.setAAD(binding(spki));
  const sealed = Buffer.concat([cipher.update(key.export({ format: 'der', type: 'pkcs8' })), cipher.final()]);
  const file: z.infer<typeof schema> = {
    v: 1,
    type: 'deed-sealed-key',
    alg: keyAlgorithm(key),
    spki,
    kdf: { name: 'scrypt', n, r: blockSize, p: parallelization, salt: toBase64(salt) },
    cipher: { name: 'aes-256-gcm', nonce: toBase64(nonce), tag: toBase64(cipher.getAuthTag()) },
    sealed: toBase64(sealed),
  };
  return utf8(`${JSON.stringify(file, null, 2)}\n`);
}

/** @throws AuthorityError passphrase (wrong, or the file was changed), key (not a sealed key file) */
export async function unsealKey(bytes: Uint8Array, passphrase: string): Promise<crypto.KeyObject> {
  const file = parse(bytes);
  const key = await derive(passphrase, fromBase64(file.kdf.salt), file.kdf.n);
  try {
    const decipher = crypto.createDecipheriv('aes-256-gcm', key, fromBase64(file.cipher.nonce), { authTagLength: 16 });
    decipher.setAAD(binding(file.spki));
    decipher.setAuthTag(fromBase64(file.cipher.tag));
    const der = Buffer.concat([decipher.update(fromBase64(file.sealed)), decipher.final()]);
    return crypto.createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  } catch (cause) {
    throw new AuthorityError('passphrase', 'wrong passphrase, or the key file was changed', { cause });
  }
}

/** @throws AuthorityError key (of a kind that Deed does not use) */
export function keyAlgorithm(key: crypto.KeyObject): z.infer<typeof schema>['alg'] {
  const { asymmetricKeyType, asymmetricKeyDetails } = key;
  if (asymmetricKeyType === 'ec' && asymmetricKeyDetails?.namedCurve === 'prime256v1') return 'ES256';
  if (asymmetricKeyType === 'ed25519') return 'Ed25519';
  if ((asymmetricKeyType as string) === 'ml-dsa-44') return 'ML-DSA-44';
  throw new AuthorityError('key', `a ${asymmetricKeyType} key is of no kind that is used here`);
}

/** The public half of a sealed key, which needs no passphrase: SPKI DER. @throws AuthorityError key */
export function sealedPublicKey(bytes: Uint8Array): Uint8Array {
  return fromBase64(parse(bytes).spki);
}

/** Writes a new sealed key file, mode 0600. @throws AuthorityError folder (the file exists) */
export async function writeSealedKey(
  file: string,
  key: crypto.KeyObject,
  passphrase: string,
  options: SealOptions = {},
): Promise<void> {
  createPrivateFile(file, await sealKey(key, passphrase, options));
}

export function readSealedKey(file: string, passphrase: string): Promise<crypto.KeyObject> {
  return unsealKey(readFileSync(file), passphrase);
}

function parse(bytes: Uint8Array): z.infer<typeof schema> {
  try {
    return schema.parse(parseStrictJson(fromUtf8(bytes)).value);
  } catch (cause) {
    throw new AuthorityError('key', 'not a sealed key file of this version', { cause });
  }
}

function binding(spki: string): Uint8Array {
  return utf8(`deed-sealed-key-v1\0${spki}`);
}

function derive(passphrase: string, salt: Uint8Array, n: number): Promise<Buffer> {
  const parameters = { N: n, r: blockSize, p: parallelization, maxmem: 256 * n * blockSize };
  return new Promise((resolve, reject) => {
    crypto.scrypt(passphrase.normalize('NFC'), salt, 32, parameters, (error, key) =>
      error ? reject(error) : resolve(key),
    );
  });
}

/** Node's own cryptography and its Buffer, and the only file of this room that knows either. */
import * as crypto from 'node:crypto';
import type { Primitives } from './primitives.ts';

const imported = new Map<string, crypto.KeyObject>();
const importedLimit = 4096;

/** Keys are imported once and remembered by content: importing one costs more than verifying with it. */
function publicKey(spki: Uint8Array): crypto.KeyObject {
  const name = view(spki).toString('latin1');
  let key = imported.get(name);
  if (!key) {
    key = crypto.createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
    if (imported.size >= importedLimit) imported.clear();
    imported.set(name, key);
  }
  return key;
}

function view(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

const verifyPure: Primitives['verifyEd25519'] = (spki, message, signature) =>
  crypto.verify(null, message, publicKey(spki), signature);

const curves: readonly (string | undefined)[] = ['prime256v1', 'secp384r1'];
const leastRsaBits = 2048;

const verifySignature: Primitives['verifySignature'] = (algorithm, spki, message, signature) => {
  try {
    const key = publicKey(spki);
    const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
    if (algorithm.kind === 'ecdsa') {
      if (type !== 'ec' || !curves.includes(details?.namedCurve)) return false;
      return crypto.verify(algorithm.hash, message, key, signature);
    }
    const fits = type === 'rsa' || (type === 'rsa-pss' && algorithm.kind === 'rsa-pss');
    if (!fits || (details?.modulusLength ?? 0) < leastRsaBits) return false;
    const padding =
      algorithm.kind === 'rsa-pss'
        ? { padding: crypto.constants.RSA_PKCS1_PSS_PADDING, saltLength: algorithm.saltBytes }
        : { padding: crypto.constants.RSA_PKCS1_PADDING };
    return crypto.verify(algorithm.hash, message, { key, ...padding }, signature);
  } catch {
    return false;
  }
};

// A call of the generator costs the same for 16 bytes and for four thousand. Each byte is handed out once, and wiped here.
const pool = Buffer.alloc(4096);
let taken = pool.length;

function fromPool(size: number): Uint8Array {
  if (taken + size > pool.length) {
    crypto.randomFillSync(pool);
    taken = 0;
  }
  const bytes = new Uint8Array(size);
  bytes.set(pool.subarray(taken, taken + size));
  pool.fill(0, taken, taken + size);
  taken += size;
  return bytes;
}

const scratch = new Uint8Array(4096);

/** In one call, and by way of a string: a third of the time of a hash object, and most hashes here are of 65 bytes. */
function digest(bytes: Uint8Array): Uint8Array {
  return Buffer.from(crypto.hash('sha256', bytes, 'binary'), 'latin1');
}

export const primitives: Primitives = {
  sha256(...parts) {
    const [only] = parts;
    if (parts.length === 1 && only) return digest(only);
    let length = 0;
    for (const part of parts) length += part.length;
    if (length > scratch.length) return digest(Buffer.concat(parts));
    let at = 0;
    for (const part of parts) {
      scratch.set(part, at);
      at += part.length;
    }
    return digest(scratch.subarray(0, length));
  },
  sha512: (bytes) => crypto.createHash('sha512').update(bytes).digest(),
  hash: (name, bytes) => crypto.createHash(name).update(bytes).digest(),
  hmacSha256(key, ...parts) {
    // Node spends four times as long on a key in bytes as on a key object.
    const mac = crypto.createHmac('sha256', crypto.createSecretKey(key));
    for (const part of parts) mac.update(part);
    return mac.digest();
  },
  randomBytes: (size) => (size > pool.length / 16 ? crypto.randomBytes(size) : fromPool(size)),
  toHex: (bytes) => view(bytes).toString('hex'),
  toBase64: (bytes) => view(bytes).toString('base64'),
  toBase64Url: (bytes) => view(bytes).toString('base64url'),
  fromHex: (text) => Buffer.from(text, 'hex'),
  fromBase64: (text) => Buffer.from(text, 'base64'),
  fromBase64Url: (text) => Buffer.from(text, 'base64url'),
  verifyP256: (spki, message, signature) => crypto.verify('sha256', message, publicKey(spki), signature),
  verifyEd25519: verifyPure,
  verifyMlDsa44: verifyPure,
  verifySignature,
};

import * as crypto from 'node:crypto';
import { fromUtf8, randomBytes, utf8 } from '@deed/evidence';
import { AuthorityError } from '../errors.ts';

const version = 1;
const nonceSize = 12;
const keySize = 32;
const tagSize = 16;

/**
 * A payload object at rest: version (1 byte), length of the task's id (1), the id, then the payload's own key wrapped by the
 * task's key, then the object encrypted by its own key. AES-256-GCM twice: nonce (12), ciphertext, tag (16). Both are
 * bound to the task and to the payload's name, so that objects cannot be exchanged.
 */
export function sealObject(taskKey: Uint8Array, task: string, name: string, object: Uint8Array): Uint8Array {
  const id = utf8(task);
  const key = randomBytes(keySize);
  const bound = binding(task, name);
  return Buffer.concat([
    Buffer.from([version, id.length]),
    id,
    encrypt(taskKey, bound, key),
    encrypt(key, bound, object),
  ]);
}

/** The task whose key opens it. @throws AuthorityError vault */
export function taskOfObject(sealed: Uint8Array): string {
  if (sealed[0] !== version) throw new AuthorityError('vault', 'a payload at rest of an unknown version');
  return fromUtf8(sealed.subarray(2, 2 + (sealed[1] ?? 0)));
}

/** Bytes by which a sealed object is known wherever a copy of it lies: its wrapped key, which is random. */
export function traceOf(sealed: Uint8Array): Uint8Array {
  const wrapped = 2 + (sealed[1] ?? 0);
  return sealed.slice(wrapped, wrapped + nonceSize + keySize);
}

/** @throws AuthorityError vault (another key, another name, or changed at rest) */
export function openObject(taskKey: Uint8Array, name: string, sealed: Uint8Array): Uint8Array {
  const task = taskOfObject(sealed);
  const bound = binding(task, name);
  const wrapped = 2 + utf8(task).length;
  const content = wrapped + nonceSize + keySize + tagSize;
  const key = decrypt(taskKey, bound, sealed.subarray(wrapped, content));
  return decrypt(key, bound, sealed.subarray(content));
}

/** AES-256-GCM with a fresh nonce: nonce || ciphertext || tag. */
export function encrypt(key: Uint8Array, bound: Uint8Array, plain: Uint8Array): Uint8Array {
  const nonce = randomBytes(nonceSize);
  const cipher = crypto.createCipheriv('aes-256-gcm', crypto.createSecretKey(key), nonce); // bytes as a key cost three times as much
  cipher.setAAD(bound);
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** @throws AuthorityError vault */
export function decrypt(key: Uint8Array, bound: Uint8Array, sealed: Uint8Array): Uint8Array {
  if (sealed.length < nonceSize + tagSize) throw new AuthorityError('vault', 'something encrypted is too short');
  const decipher = crypto.createDecipheriv('aes-256-gcm', crypto.createSecretKey(key), sealed.subarray(0, nonceSize), {
    authTagLength: tagSize,
  });
  decipher.setAAD(bound);
  decipher.setAuthTag(sealed.subarray(sealed.length - tagSize));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(nonceSize, sealed.length - tagSize)), decipher.final()]);
  } catch (cause) {
    throw new AuthorityError('vault', 'something encrypted was changed, or its key is another', { cause });
  }
}

function binding(task: string, name: string): Uint8Array {
  return utf8(`deed-payload-v1\0${task}\0${name}`);
}

import { toHex } from './encoding.ts';
import { EvidenceError } from './errors.ts';
import { hmacSha256, randomBytes, sha256 } from './platform.ts';

export const saltSize = 16;

/** A payload object: 16 bytes of salt, then the exact bytes. Its name is the SHA-256 of both, in hex. */
export interface PayloadObject {
  readonly name: string;
  readonly salt: Uint8Array;
  readonly bytes: Uint8Array;
}

/**
 * Makes the payload object of some bytes. With a task secret the salt is the first 16 bytes of
 * HMAC-SHA-256(secret, SHA-256(bytes)): repeats meet inside a task and nowhere else. Without one it is random.
 */
export function makePayload(bytes: Uint8Array, taskSecret?: Uint8Array): PayloadObject {
  const salt = taskSecret ? hmacSha256(taskSecret, sha256(bytes)).subarray(0, saltSize) : randomBytes(saltSize);
  return { name: toHex(sha256(salt, bytes)), salt, bytes };
}

/** Splits `salt || bytes` and checks the name. @throws EvidenceError encoding */
export function openPayload(object: Uint8Array, name: string): PayloadObject {
  if (object.length < saltSize) throw new EvidenceError('encoding', `payload ${name} is shorter than its salt`);
  if (toHex(sha256(object)) !== name) throw new EvidenceError('encoding', `payload ${name} does not hash to its name`);
  return { name, salt: object.subarray(0, saltSize), bytes: object.subarray(saltSize) };
}

import { concat, makePayload, type PayloadRef, utf8 } from '@deed/evidence';
import type { Objects } from '@deed/store';
import { AuthorityError } from '../errors.ts';
import { decrypt, encrypt, openObject, sealObject, taskOfObject } from './envelope.ts';
import type { TaskKeys } from './task-keys.ts';

/** Payload objects at rest (docs/formats/payload.md): named, salted, encrypted, erasable. */
export interface Vault {
  /**
   * Names bytes and stores them, durable when this returns, so that no statement can name what is not there. With `keep`
   * false nothing is stored: only the digest is wanted. `task` may be {@link deploymentTask}.
   */
  put(task: string, bytes: Uint8Array, type: string, keep?: boolean): PayloadRef;
  /** The object of a name: `salt || bytes`. @throws AuthorityError vault (not kept, erased, or changed at rest) */
  get(name: string): Uint8Array;
  has(name: string): boolean;
  /** Removes one object for good. False if there was none. */
  erase(name: string): boolean;
  /** Encrypts something that is not a payload under the task's key, for one purpose. */
  seal(task: string, purpose: string, bytes: Uint8Array): Uint8Array;
  /** @throws AuthorityError vault */
  unseal(task: string, purpose: string, sealed: Uint8Array): Uint8Array;
  readonly taskKeys: TaskKeys;
}

export function openVault(objects: Objects, taskKeys: TaskKeys): Vault {
  return {
    taskKeys,
    put(task, bytes, type, keep = true) {
      const payload = makePayload(bytes, taskKeys.secret(task));
      const object = concat(payload.salt, bytes);
      if (keep && !objects.has(payload.name)) {
        objects.put(payload.name, sealObject(taskKeys.key(task), task, payload.name, object));
      }
      return { sha256: payload.name, size: bytes.length, type, kept: keep };
    },
    get(name) {
      const sealed = objects.get(name);
      if (!sealed) throw new AuthorityError('vault', `payload ${name} is not kept`);
      return openObject(taskKeys.key(taskOfObject(sealed)), name, sealed);
    },
    has: (name) => objects.has(name),
    erase: (name) => objects.delete(name),
    seal: (task, purpose, bytes) => encrypt(taskKeys.key(task), bound(task, purpose), bytes),
    unseal: (task, purpose, sealed) => decrypt(taskKeys.key(task), bound(task, purpose), sealed),
  };
}

function bound(task: string, purpose: string): Uint8Array {
  return utf8(`deed-sealed-v1\0${task}\0${purpose}`);
}

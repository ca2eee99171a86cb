import { hkdfSync, type KeyObject } from 'node:crypto';
import { fromUtf8, utf8 } from '@deed/evidence';
import type { Database } from '@deed/store';
import { AuthorityError } from '../errors.ts';
import { createKey, hasKey, type KeyReader, secretsKeyName } from '../keys/key-files.ts';
import { newP256 } from '../keys/p256.ts';
import { decrypt, encrypt } from '../vault/envelope.ts';
import { type CredentialBroker, serversNamed } from './broker.ts';

const maxBytes = 64 * 1024;

/** Secrets of other systems that are the same for each task, sealed at rest. */
export interface StaticSecrets {
  /** Seals it in the place of what was there. @throws AuthorityError broker (empty, or no text) */
  put(name: string, text: string): void;
  /** @throws AuthorityError broker (there is none), vault (changed at rest, or its key is another) */
  get(name: string): string;
  remove(name: string): void;
}

/**
 * The key that seals static secrets, made at first use: beside the server's keys, sealed by their passphrase where they are.
 * @throws AuthorityError key
 */
export async function secretsKeyOf(dir: string, read: KeyReader, passphrase: string | undefined): Promise<KeyObject> {
  if (hasKey(dir, secretsKeyName)) return read(secretsKeyName);
  const key = newP256();
  await createKey(dir, secretsKeyName, key, passphrase === undefined ? null : { passphrase });
  return key;
}

/** @param key that of {@link secretsKeyOf} */
export function openStaticSecrets(db: Database, key: KeyObject): StaticSecrets {
  const sealing = sealingKeyOf(key);
  return {
    put(name, text) {
      // A variable of the environment ends at a NUL.
      if (text === '' || text.includes('\0') || utf8(text).length > maxBytes)
        throw new AuthorityError('broker', `a secret is a text of 1 to ${maxBytes} bytes without NUL`);
      const sealed = encrypt(sealing, bound(name), utf8(text));
      db.transaction((tx) => {
        tx.run('INSERT OR REPLACE INTO static_secret (name, sealed) VALUES (?, ?)', name, sealed);
      });
    },
    get(name) {
      const row = db.get<{ sealed: Uint8Array }>('SELECT sealed FROM static_secret WHERE name = ?', name);
      if (!row) throw new AuthorityError('broker', `there is no secret ${name}: deed secret add ${name}`);
      return openSecret(sealing, name, row.sealed);
    },
    remove(name) {
      db.transaction((tx) => {
        tx.run('DELETE FROM static_secret WHERE name = ?', name);
      });
    },
  };
}

/** HKDF-SHA256 (RFC 5869) over the key's PKCS#8 bytes. */
export function sealingKeyOf(key: KeyObject): Uint8Array {
  const secret = key.export({ format: 'der', type: 'pkcs8' });
  return new Uint8Array(hkdfSync('sha256', secret, new Uint8Array(0), 'deed-static-secrets-v1', 32));
}

/** @throws AuthorityError vault */
export function openSecret(sealing: Uint8Array, name: string, sealed: Uint8Array): string {
  return fromUtf8(decrypt(sealing, bound(name), sealed));
}

function bound(name: string): Uint8Array {
  return utf8(`deed-static-secret-v1\0${name}`);
}

export interface StaticOptions {
  readonly name: string;
  /** The variable of a tool's environment that holds it. */
  readonly variable: string;
  readonly secrets: StaticSecrets;
  readonly servers: () => readonly string[];
}

/**
 * Hands each task the same secret. It cannot be revoked for one task, and the target's log does not tell tasks apart by it:
 * everything that a task leaves says so.
 */
export function staticBroker({ name, variable, secrets, servers }: StaticOptions): CredentialBroker {
  return {
    name,
    kind: 'static',
    debt: 'static',
    env: { [variable]: 'value' },
    targets: (allow) => serversNamed(allow, servers()),
    mint: async ({ id }) => ({ id, secret: { value: secrets.get(name) } }),
    revoke: async () => {}, // the task's copy is deleted; the secret itself goes on until somebody rotates it
    probe: async () => ({
      refused: false,
      detail: 'a static secret does not end with its task: rotate it at its system',
    }),
    check: async () => {
      const what = 'the secret opens';
      try {
        secrets.get(name);
        return [{ what, ok: true, detail: `sealed at rest; handed out as ${variable}, the same for each task (NHI7)` }];
      } catch (error) {
        return [{ what, ok: false, detail: (error as Error).message }];
      }
    },
  };
}

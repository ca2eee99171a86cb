import { hkdfSync, type KeyObject } from 'node:crypto';
import { utf8 } from '@deed/evidence';
import type { Database } from '@deed/store';
import { decrypt, encrypt } from '../vault/envelope.ts';

export const sealedFilesMigration = {
  id: 'authority/w1',
  // not evidence: what files of others held before they were rewritten, sealed as static secrets are
  up: 'CREATE TABLE sealed_file (path TEXT PRIMARY KEY, sealed BLOB NOT NULL) STRICT;',
} as const;

/** What is kept of files with secrets in them, until they are put back. */
export interface SealedFiles {
  /** Seals it in the place of what was there. */
  put(path: string, bytes: Uint8Array): void;
  /** Undefined if there is none. @throws AuthorityError vault (changed at rest, or its key is another) */
  get(path: string): Uint8Array | undefined;
  paths(): readonly string[];
  remove(path: string): void;
}

/** @param key that of `secretsKeyOf` */
export function openSealedFiles(db: Database, key: KeyObject): SealedFiles {
  const sealing = fileSealingKeyOf(key);
  return {
    put(path, bytes) {
      const sealed = encrypt(sealing, bound(path), bytes);
      db.transaction((tx) => {
        tx.run('INSERT OR REPLACE INTO sealed_file (path, sealed) VALUES (?, ?)', path, sealed);
      });
    },
    get(path) {
      const row = db.get<{ sealed: Uint8Array }>('SELECT sealed FROM sealed_file WHERE path = ?', path);
      return row && openSealedFile(sealing, path, row.sealed);
    },
    paths: () => db.all<{ path: string }>('SELECT path FROM sealed_file ORDER BY path').map(({ path }) => path),
    remove(path) {
      db.transaction((tx) => {
        tx.run('DELETE FROM sealed_file WHERE path = ?', path);
      });
    },
  };
}

/** HKDF-SHA256 (RFC 5869) over the key's PKCS#8 bytes. */
export function fileSealingKeyOf(key: KeyObject): Uint8Array {
  const secret = key.export({ format: 'der', type: 'pkcs8' });
  return new Uint8Array(hkdfSync('sha256', secret, new Uint8Array(0), 'deed-sealed-files-v1', 32));
}

/** @throws AuthorityError vault */
export function openSealedFile(sealing: Uint8Array, path: string, sealed: Uint8Array): Uint8Array {
  return decrypt(sealing, bound(path), sealed);
}

function bound(path: string): Uint8Array {
  return utf8(`deed-sealed-file-v1\0${path}`);
}

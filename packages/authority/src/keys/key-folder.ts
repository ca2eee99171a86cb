import type { KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { utf8 } from '@deed/evidence';
import { type FileSigner, keySigner, readPemKey } from './file-signer.ts';
import { newP256 } from './p256.ts';
import { createPrivateFile } from './private-file.ts';

/** The server's own signing keys besides the log's: one role each, one 0600 PEM file each, in DIR/keys. */
export const serverKeyRoles = ['receipt', 'registrar', 'token'] as const;
export type ServerKeyRole = (typeof serverKeyRoles)[number];

export interface ServerKeys {
  readonly receipt: FileSigner;
  readonly registrar: FileSigner;
  readonly token: FileSigner & { readonly key: KeyObject };
}

/** Makes the three keys of a fresh folder. @throws AuthorityError folder (one exists) */
export function createServerKeys(dir: string): ServerKeys {
  for (const role of serverKeyRoles) {
    createPrivateFile(keyFile(dir, role), utf8(String(newP256().export({ format: 'pem', type: 'pkcs8' }))));
  }
  return readServerKeys(dir);
}

/** @throws AuthorityError key */
export function readServerKeys(dir: string): ServerKeys {
  const key = readPemKey(keyFile(dir, 'token'));
  const signer = (role: ServerKeyRole) => keySigner(readPemKey(keyFile(dir, role)));
  return { receipt: signer('receipt'), registrar: signer('registrar'), token: { ...keySigner(key), key } };
}

/** Where a key of this name lies. */
export function keyFile(dir: string, role: string): string {
  return join(dir, 'keys', `${role}.pem`);
}

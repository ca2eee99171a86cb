import * as crypto from 'node:crypto';
import { makeLogKeys } from '@deed/ledger';
import { type FileSigner, keySigner } from './file-signer.ts';
import { createKey, type KeyReader, plainKeys, type Sealing } from './key-files.ts';
import { newP256 } from './p256.ts';

/** The server's own signing keys besides the log's: one role each. */
export const serverKeyRoles = ['receipt', 'registrar', 'token'] as const;
export type ServerKeyRole = (typeof serverKeyRoles)[number];

export interface ServerKeys {
  readonly receipt: FileSigner;
  readonly registrar: FileSigner;
  readonly token: FileSigner & { readonly key: crypto.KeyObject };
}

/** Makes all keys of a fresh folder, the log's among them. @throws AuthorityError folder (one exists) */
export async function createServerKeys(dir: string, seal: Sealing | null = null): Promise<void> {
  for (const role of serverKeyRoles) await createKey(dir, role, newP256(), seal);
  const pems = makeLogKeys();
  await createKey(dir, 'log-ed25519', crypto.createPrivateKey(pems.ed25519), seal);
  await createKey(dir, 'log-ml-dsa-44', crypto.createPrivateKey(pems.mlDsa44), seal);
}

/** @throws AuthorityError key */
export function readServerKeys(dir: string, read: KeyReader = plainKeys(dir)): ServerKeys {
  const key = read('token');
  const signer = (role: ServerKeyRole) => keySigner(read(role));
  return { receipt: signer('receipt'), registrar: signer('registrar'), token: { ...keySigner(key), key } };
}

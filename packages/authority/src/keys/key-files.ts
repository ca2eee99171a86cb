import * as crypto from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { utf8 } from '@deed/evidence';
import { remove, replace } from '@deed/store';
import { AuthorityError } from '../errors.ts';
import { createPrivateFile } from './private-file.ts';
import { type SealOptions, sealedPublicKey, sealKey, unsealKey } from './sealed-key.ts';

/** The server's keys in DIR/keys, one file each: `<name>.pem`, or `<name>.sealed.json` under a passphrase. */
export const serverKeyNames = ['receipt', 'registrar', 'token', 'log-ed25519', 'log-ml-dsa-44'] as const;
export type ServerKeyName = (typeof serverKeyNames)[number];

/** Signs nothing: static secrets are sealed by what is derived from it. */
export const secretsKeyName = 'sealing';

const keptNames = [...serverKeyNames, secretsKeyName] as const;

/** Gives the private key of a name, as it may be signed with in this process. @throws AuthorityError key */
export type KeyReader = (name: string) => crypto.KeyObject;

/** The name under which the successor of a key waits for its turn. */
export function next(name: string): string {
  return `${name}.next`;
}

export function hasKey(dir: string, name: string): boolean {
  return existsSync(pemFile(dir, name)) || existsSync(sealedFile(dir, name));
}

/** Whether the keys of a folder are sealed. */
export function isSealed(dir: string): boolean {
  return existsSync(sealedFile(dir, 'receipt'));
}

/** Reads keys that are not sealed. */
export function plainKeys(dir: string): KeyReader {
  return (name) => {
    const file = pemFile(dir, name);
    try {
      return crypto.createPrivateKey(readFileSync(file));
    } catch (cause) {
      const mend = existsSync(sealedFile(dir, name)) ? 'it is sealed: give its passphrase' : 'it cannot be read';
      throw new AuthorityError('key', `the key ${file}: ${mend}`, { cause });
    }
  };
}

/** Opens every sealed key of a folder. @throws AuthorityError passphrase, key */
async function unsealedKeys(dir: string, passphrase: string): Promise<KeyReader> {
  const names = [...keptNames, ...serverKeyNames.map(next)].filter((name) => existsSync(sealedFile(dir, name)));
  const open = async (name: string) =>
    [name, await unsealKey(readFileSync(sealedFile(dir, name)), passphrase)] as const;
  const keys = new Map(await Promise.all(names.map(open)));
  return (name) => keys.get(name) ?? plainKeys(dir)(name);
}

/** The keys of a folder, sealed or not. @throws AuthorityError passphrase (wrong, or needed and not given), key */
export async function openKeys(dir: string, passphrase: string | undefined): Promise<KeyReader> {
  if (!isSealed(dir)) return plainKeys(dir);
  if (passphrase === undefined)
    throw new AuthorityError('passphrase', 'the keys of this folder are sealed: give their passphrase');
  return unsealedKeys(dir, passphrase);
}

/** The public half of a key: a sealed one says it without its passphrase. @throws AuthorityError key */
export function publicKeyOf(dir: string, name: string): crypto.KeyObject {
  if (!existsSync(sealedFile(dir, name))) return crypto.createPublicKey(plainKeys(dir)(name));
  const spki = sealedPublicKey(readFileSync(sealedFile(dir, name)));
  return crypto.createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
}

/** Writes a new key, sealed if there is a passphrase. @throws AuthorityError folder (it exists) */
export async function createKey(dir: string, name: string, key: crypto.KeyObject, seal: Sealing | null): Promise<void> {
  if (seal) createPrivateFile(sealedFile(dir, name), await sealKey(key, seal.passphrase, seal));
  else createPrivateFile(pemFile(dir, name), utf8(String(key.export({ format: 'pem', type: 'pkcs8' }))));
}

export interface Sealing extends SealOptions {
  readonly passphrase: string;
}

/** Seals every key of a folder that is not sealed yet; a crash leaves each in one form at least. */
export async function sealKeys(dir: string, seal: Sealing): Promise<void> {
  for (const name of keptNames.filter((one) => existsSync(pemFile(dir, one)))) {
    replace(sealedFile(dir, name), await sealKey(plainKeys(dir)(name), seal.passphrase, seal));
    remove(pemFile(dir, name));
  }
}

/** The reverse of {@link sealKeys}. @throws AuthorityError passphrase */
export async function unsealKeys(dir: string, passphrase: string): Promise<void> {
  const read = await unsealedKeys(dir, passphrase);
  for (const name of keptNames.filter((one) => existsSync(sealedFile(dir, one)))) {
    replace(pemFile(dir, name), utf8(String(read(name).export({ format: 'pem', type: 'pkcs8' }))));
    remove(sealedFile(dir, name));
  }
}

/** Puts the successor of a key in its place, in whichever form it is. */
export function takeOver(dir: string, name: string): void {
  const [from, to, other] = existsSync(sealedFile(dir, next(name)))
    ? [sealedFile(dir, next(name)), sealedFile(dir, name), pemFile(dir, name)]
    : [pemFile(dir, next(name)), pemFile(dir, name), sealedFile(dir, name)];
  replace(to, readFileSync(from));
  remove(other);
  remove(from);
}

export function dropKey(dir: string, name: string): void {
  remove(pemFile(dir, name));
  remove(sealedFile(dir, name));
}

function pemFile(dir: string, name: string): string {
  return join(dir, 'keys', `${name}.pem`);
}

function sealedFile(dir: string, name: string): string {
  return join(dir, 'keys', `${name}.sealed.json`);
}

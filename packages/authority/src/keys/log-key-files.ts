import { existsSync, readFileSync } from 'node:fs';
import { utf8 } from '@deed/evidence';
import { type LogKeys, loadLogKeys, makeLogKeys } from '@deed/ledger';
import { AuthorityError } from '../errors.ts';
import { keyFile } from './key-folder.ts';
import { createPrivateFile } from './private-file.ts';

/** Names of the log's keys in DIR/keys. */
export const logKeyNames = ['log-ed25519', 'log-ml-dsa-44'] as const;
const [ed25519, mlDsa44] = logKeyNames;

/** Makes the log's keys of a fresh folder, 0600 PEM files in DIR/keys. @throws AuthorityError folder (they exist) */
export function createLogKeys(dir: string, origin: string): LogKeys {
  const pems = makeLogKeys();
  createPrivateFile(keyFile(dir, ed25519), utf8(pems.ed25519));
  createPrivateFile(keyFile(dir, mlDsa44), utf8(pems.mlDsa44));
  return readLogKeys(dir, origin);
}

/** The log's keys, with those that are about to take their place. @throws AuthorityError key, LedgerError key */
export function readLogKeys(dir: string, origin: string): LogKeys {
  const read = (name: string): string => {
    const file = keyFile(dir, name);
    try {
      return readFileSync(file, 'utf8');
    } catch (cause) {
      throw new AuthorityError('key', `the log's key ${file} cannot be read`, { cause });
    }
  };
  const coming = (name: string) => (existsSync(keyFile(dir, next(name))) ? read(next(name)) : undefined);
  const [nextEd25519, nextMlDsa44] = [coming(ed25519), coming(mlDsa44)];
  return loadLogKeys(
    origin,
    { ed25519: read(ed25519), mlDsa44: read(mlDsa44) },
    {
      ...(nextEd25519 === undefined ? {} : { ed25519: nextEd25519 }),
      ...(nextMlDsa44 === undefined ? {} : { mlDsa44: nextMlDsa44 }),
    },
  );
}

/** The name under which the successor of a key waits. */
export function next(name: string): string {
  return `${name}.next`;
}

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { utf8 } from '@deed/evidence';
import { type LogKeys, loadLogKeys, makeLogKeys } from '@deed/ledger';
import { AuthorityError } from '../errors.ts';
import { createPrivateFile } from './private-file.ts';

const files = { ed25519: 'log-ed25519.pem', mlDsa44: 'log-ml-dsa-44.pem' } as const;

/** Makes the log's keys of a fresh folder, 0600 PEM files in DIR/keys. @throws AuthorityError folder (they exist) */
export function createLogKeys(dir: string, origin: string): LogKeys {
  const pems = makeLogKeys();
  createPrivateFile(join(dir, 'keys', files.ed25519), utf8(pems.ed25519));
  createPrivateFile(join(dir, 'keys', files.mlDsa44), utf8(pems.mlDsa44));
  return readLogKeys(dir, origin);
}

/** @throws AuthorityError key, LedgerError key */
export function readLogKeys(dir: string, origin: string): LogKeys {
  const read = (file: string): string => {
    try {
      return readFileSync(join(dir, 'keys', file), 'utf8');
    } catch (cause) {
      throw new AuthorityError('key', `the log's key ${join(dir, 'keys', file)} cannot be read`, { cause });
    }
  };
  return loadLogKeys(origin, { ed25519: read(files.ed25519), mlDsa44: read(files.mlDsa44) });
}

import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { createNew, makeFolder } from '@deed/store';
import { AuthorityError } from '../errors.ts';

/** Creates a file that only its owner can read, durably; never replaces one. @throws AuthorityError folder */
export function createPrivateFile(file: string, bytes: Uint8Array): void {
  if (existsSync(file)) throw new AuthorityError('folder', `${file} exists: it would be replaced`);
  makeFolder(dirname(file));
  createNew(file, bytes, { mode: 0o600 });
}

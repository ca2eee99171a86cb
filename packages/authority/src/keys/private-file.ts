import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { createNew, makeFolder } from '@deed/store';
import { AuthorityError } from '../errors.ts';

/** Creates a file that only its owner can read, durably; never replaces one. @throws AuthorityError folder */
export function createPrivateFile(file: string, bytes: Uint8Array): void {
  if (existsSync(file)) throw new AuthorityError('folder', `${file} exists: it would be replaced`);
  makeFolder(dirname(file));
  createNew(file, bytes, { mode: 0o600 });
}

/** Reads a file that others can neither read nor write. @throws AuthorityError folder */
export function readPrivateFile(file: string): string {
  const { mode } = statSync(file, { throwIfNoEntry: false }) ?? {};
  if (mode === undefined) throw new AuthorityError('folder', `${file} is not there`);
  if ((mode & 0o077) !== 0) throw new AuthorityError('folder', `others may open ${file}: chmod 600 ${file}`);
  return readFileSync(file, 'utf8');
}

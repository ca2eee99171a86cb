import { closeSync, existsSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { AuthorityError } from '../errors.ts';

/** Creates a file that only its owner can read, durably; never replaces one. @throws AuthorityError folder */
export function createPrivateFile(file: string, bytes: Uint8Array): void {
  if (existsSync(file)) throw new AuthorityError('folder', `${file} exists: it would be replaced`);
  const fd = openSync(file, 'wx', 0o600);
  try {
    writeSync(fd, bytes);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  const folder = openSync(dirname(file), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

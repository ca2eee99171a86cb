import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { createNew, syncFile, syncFolder, tempName } from './durable.ts';
import { StoreError } from './errors.ts';

/**
 * Writes a copy of a folder's database as one transaction sees it, durably, with or without a writer beside it: SQLite's
 * VACUUM INTO, which copies what the rows say and no free page. Whatever was at `target` is replaced in one step.
 * @throws StoreError absent
 */
export function snapshotDatabase(folder: string, target: string, file = 'deed.db'): void {
  const path = join(folder, file);
  if (!fs.existsSync(path)) throw new StoreError('absent', `${path} does not exist; is this the data folder?`);
  const temp = join(dirname(target), tempName(randomBytes(8).toString('hex')));
  // SQLite would make it readable by others.
  createNew(temp, new Uint8Array(), { mode: 0o600 });
  const connection = new DatabaseSync(path, { readOnly: true, timeout: 5000 });
  try {
    connection.prepare('VACUUM INTO ?').run(temp);
  } catch (error) {
    fs.rmSync(temp, { force: true });
    throw error;
  } finally {
    connection.close();
  }
  syncFile(temp);
  fs.renameSync(temp, target);
  syncFolder(dirname(target));
}

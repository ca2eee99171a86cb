import * as fs from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { makeFolder, replace } from './durable.ts';
import { StoreError } from './errors.ts';

export interface FolderLock {
  release(): void;
}

const lockFile = 'lock.db';
const holderFile = 'lock.pid';

/**
 * Takes the folder's single-writer lock for the life of the process. It is an exclusive SQLite lock, which the kernel drops
 * when the process dies in whatever way; no time-out can hand it to a second writer.
 * @throws StoreError locked
 */
export function lockFolder(folder: string): FolderLock {
  makeFolder(folder);
  const connection = new DatabaseSync(join(folder, lockFile), { timeout: 0 });
  try {
    connection.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    connection.close();
    throw new StoreError('locked', `${folder} is in use by ${holder(folder)}; stop it first`, { cause });
  }
  replace(join(folder, holderFile), Buffer.from(`${process.pid}\n`), { sync: false });
  return {
    release() {
      if (connection.isOpen) connection.close();
    },
  };
}

function holder(folder: string): string {
  try {
    return `process ${fs.readFileSync(join(folder, holderFile), 'utf8').trim()}`;
  } catch {
    return 'another process';
  }
}

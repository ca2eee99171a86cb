import { join } from 'node:path';
import { memoryTree, parseVkey } from '@deed/evidence';
import { openReadOnly } from '@deed/store';
import { readLogKeySpans } from '../log-key-spans.ts';
import { checkCheckpoints } from './checkpoints.ts';
import { checkEntries } from './entries.ts';
import type { Examined, Problem } from './examined.ts';
import { checkFiles } from './files.ts';

export interface FsckReport {
  /** No problem but unfinished ones. */
  readonly ok: boolean;
  readonly entries: number;
  readonly publishedSize: number;
  readonly problems: readonly Problem[];
}

const maxProblems = 1000;

/**
 * Derives everything again from the database's rows and compares: every statement's signature and place, every tile and
 * bundle, every checkpoint. Only reads; a server may run meanwhile. `trustedVkeys`: the log's and witnesses' keys to accept,
 * by default those that the database itself names. Memory: about 200 bytes an entry.
 * @throws StoreError absent, newer
 */
export function fsck(folder: string, options: { readonly trustedVkeys?: readonly string[] } = {}): FsckReport {
  const problems: Problem[] = [];
  const add: Examined['add'] = (code, where, what) => {
    if (problems.length < maxProblems) problems.push({ code, where, what });
  };
  const report = (entries: number, publishedSize: number) => ({
    ok: problems.every(({ code }) => code === 'unfinished'),
    entries,
    publishedSize,
    problems,
  });
  const database = openReadOnly(folder);
  try {
    for (const { integrity_check: line } of database.all<{ integrity_check: string }>('PRAGMA integrity_check')) {
      if (line !== 'ok') add('database', 'deed.db', line);
    }
    const size = database.get<{ size: number }>('SELECT size FROM head')?.size ?? 0;
    const logKeys = readLogKeySpans(database);
    const witnessVkeys = database.all<{ vkey: string }>('SELECT vkey FROM witness_key').map((row) => row.vkey);
    const keys = (options.trustedVkeys ?? [...logKeys.map(({ vkey }) => vkey), ...witnessVkeys]).map(parseVkey);
    const origin = keys.find((key) => key.type === 1)?.name ?? '';
    const leafHashes = checkEntries(database, size, origin, add);
    if (leafHashes.length < size) return report(leafHashes.length, 0);
    const examined: Examined = { database, logFolder: join(folder, 'log'), size, tree: memoryTree(leafHashes), add };
    const publishedSize = checkCheckpoints(examined, keys, origin);
    checkFiles(examined, publishedSize);
    return report(size, publishedSize);
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || error.code !== 'ERR_SQLITE_ERROR') throw error;
    add('database', 'deed.db', error.message);
    return report(0, 0);
  } finally {
    database.close();
  }
}

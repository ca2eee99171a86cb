import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { utf8 } from '@deed/evidence';
import { layOutLog } from '@deed/ledger';
import {
  createNew,
  makeFolder,
  openReadOnly,
  remove,
  replace,
  snapshotDatabase,
  sweepTemps,
  syncFile,
  syncFolder,
} from '@deed/store';
import { readConfig } from '../config.ts';
import { ServerError } from '../errors.ts';
import {
  filesIn,
  incompleteFile,
  type ListedFile,
  listFolder,
  manifestFile,
  readManifest,
  writeManifest,
} from './manifest.ts';

export interface BackupOptions {
  /** The data folder; a server may be running on it. */
  readonly dir: string;
  /** Where everything but keys goes. A folder of an earlier backup of the same log is brought up to date. */
  readonly to: string;
  /** Where the keys go: another place, or payloads and their keys are lost to the same thief. */
  readonly keysTo?: string;
  /** Removes task keys from `keysTo` that the data folder no longer has, so that an erasure reaches the backup. */
  readonly pruneKeys?: boolean;
}

export interface BackupReport {
  readonly origin: string;
  readonly entries: number;
  readonly published: number;
  readonly files: number;
  /** Files copied by this run; the others were there. */
  readonly copied: number;
  /** Task keys in `keysTo` that the data folder no longer has, and whether they were removed. */
  readonly goneKeys: readonly string[];
  readonly pruned: boolean;
}

/** Written once and never changed: what is there already need not be copied again. */
export const isImmutable = (path: string): boolean =>
  /^(objects|policy)\//.test(path) || (path.startsWith('log/tile/') && !path.includes('.p/'));

const changing = ['config.json', 'deployment.json'] as const;

/**
 * Copies a data folder, consistently, while a server runs on it. First the database as one transaction sees it; then the log
 * is made from that copy; then what its statements name, which was durable before they were: objects and policy. The
 * state of the witness is never copied: it is what knows that a copy is old.
 * @throws ServerError backup (a place that does not do, another log's backup), folder, config; LedgerError damaged
 */
export function backup(options: BackupOptions): BackupReport {
  const dir = realpathSync(options.dir);
  const { origin } = readConfig(dir);
  const to = placeFor(dir, options.to);
  const keysTo = options.keysTo === undefined ? undefined : placeFor(dir, options.keysTo, to);
  const before = begin(to, 'data', origin);
  const keysBefore = keysTo === undefined ? [] : begin(keysTo, 'keys', origin);

  snapshotDatabase(dir, join(to, 'deed.db'));
  const { entries, published } = layOut(to);
  let copied = 1 + changing.filter((path) => refresh(dir, to, path)).length;
  for (const path of ['objects', 'policy'].flatMap((part) =>
    filesIn(join(dir, part)).map((file) => `${part}/${file}`),
  )) {
    if (!existsSync(join(to, path)) && copyNew(dir, to, path)) copied++;
  }
  const files = end(to, { what: 'data', origin, entries, published, known: before });

  const gone: string[] = [];
  if (keysTo !== undefined) {
    // Secrets stay behind: they only make salts of open tasks alike, and are to die with their task.
    const keys = filesIn(join(dir, 'keys')).filter((path) => !path.startsWith('secrets/'));
    for (const path of keys.filter((key) => key.startsWith('tasks/'))) {
      if (copyNew(join(dir, 'keys'), keysTo, path)) copied++;
    }
    // The server's keys are exchanged, sealed and unsealed: the copy has those of now and no other.
    const own = (key: string) => !key.includes('/') && key !== manifestFile && key !== incompleteFile;
    for (const path of keys.filter(own)) if (refresh(join(dir, 'keys'), keysTo, path)) copied++;
    for (const path of filesIn(keysTo).filter((key) => own(key) && !keys.includes(key))) remove(join(keysTo, path));
    gone.push(...filesIn(join(keysTo, 'tasks')).filter((task) => !keys.includes(`tasks/${task}`)));
    if (options.pruneKeys) for (const task of gone) remove(join(keysTo, 'tasks', task));
    end(keysTo, { what: 'keys', origin, entries, published, known: keysBefore });
  }
  const pruned = options.pruneKeys ?? false;
  return { origin, entries, published, files: files.length, copied, goneKeys: gone, pruned };
}

/** @throws ServerError backup */
function placeFor(dir: string, path: string, other?: string): string {
  makeFolder(resolve(path));
  const place = realpathSync(path);
  for (const taken of other === undefined ? [dir] : [dir, other]) {
    if (isInside(taken, place) || isInside(place, taken)) {
      throw new ServerError('backup', `${place} and ${taken} lie in one another: choose a place of its own`);
    }
  }
  return place;
}

function isInside(outer: string, inner: string): boolean {
  const path = relative(outer, inner);
  return path === '' || !path.startsWith('..');
}

/** Marks the folder as incomplete, durably, and gives what its last complete backup listed. */
function begin(folder: string, what: 'data' | 'keys', origin: string): readonly ListedFile[] {
  const incomplete = join(folder, incompleteFile);
  let known: readonly ListedFile[] = [];
  if (existsSync(incomplete)) {
    // A run that did not end: nothing listed is believed, everything is read again.
    if (readFileSync(incomplete, 'utf8') !== notice(what, origin)) throw otherBackup(folder);
  } else if (filesIn(folder).length > 0) {
    const manifest = readManifest(folder, what);
    if (manifest.origin !== origin) throw otherBackup(folder);
    known = manifest.files;
  }
  createNew(incomplete, utf8(notice(what, origin)));
  sweepTemps(folder);
  return known;
}

function otherBackup(folder: string): ServerError {
  return new ServerError('backup', `${folder} holds something else than a backup of this log: choose another folder`);
}

function notice(what: string, origin: string): string {
  return `A backup of the ${what} of ${origin} has not ended. Run the same deed backup again before you rely on this folder.\n`;
}

function layOut(to: string): { readonly entries: number; readonly published: number } {
  const database = openReadOnly(to);
  try {
    const entries = database.get<{ size: number }>('SELECT size FROM head')?.size ?? 0;
    const published = layOutLog(database, join(to, 'log'));
    // Partial tiles are written without fsync where a server can make them again.
    for (const path of filesIn(join(to, 'log')).filter((file) => file.includes('.p/'))) {
      syncFile(join(to, 'log', path));
      syncFolder(dirname(join(to, 'log', path)));
    }
    return { entries, published };
  } finally {
    database.close();
  }
}

function refresh(dir: string, to: string, path: string): boolean {
  if (!existsSync(join(dir, path))) return false;
  replace(join(to, path), readFileSync(join(dir, path)));
  return true;
}

/** False if it has gone meanwhile (erased), or was there. @throws StoreError conflict (other bytes under a name for ever) */
function copyNew(from: string, to: string, path: string): boolean {
  let bytes: Buffer;
  try {
    bytes = readFileSync(join(from, path));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
  makeFolder(dirname(join(to, path)));
  return createNew(join(to, path), bytes) === 'created';
}

function end(
  folder: string,
  options: {
    readonly what: 'data' | 'keys';
    readonly origin: string;
    readonly entries: number;
    readonly published: number;
    readonly known: readonly ListedFile[];
  },
): readonly ListedFile[] {
  const { known, ...rest } = options;
  const files = listFolder(folder, known, isImmutable);
  writeManifest(folder, { v: 1, ...rest, made: new Date().toISOString(), files: [...files] });
  remove(join(folder, incompleteFile));
  return files;
}

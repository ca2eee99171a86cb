import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { createNew, makeFolder } from '@deed/store';
import { ServerError } from '../errors.ts';
import { examineFolder } from '../examination.ts';
import { listFolder, type Manifest, manifestFile, readManifest } from './manifest.ts';

export interface BackupProblem {
  readonly where: string;
  readonly what: string;
}

export interface BackupCheck {
  readonly ok: boolean;
  readonly manifest: Manifest;
  readonly problems: readonly BackupProblem[];
}

/**
 * Compares every file of a backup with its manifest and derives the log again from its database. Reads all of it.
 * @throws ServerError backup (none, incomplete)
 */
export function verifyBackup(folder: string, what: Manifest['what'] = 'data'): BackupCheck {
  const manifest = readManifest(folder, what);
  const problems: BackupProblem[] = [];
  const found = new Map(listFolder(folder).map((file) => [file.path, file]));
  for (const { path, sizeBytes, sha256 } of manifest.files) {
    const file = found.get(path);
    found.delete(path);
    if (!file) problems.push({ where: path, what: 'is not there' });
    else if (file.sizeBytes !== sizeBytes || file.sha256 !== sha256) {
      problems.push({ where: path, what: 'holds other bytes than when it was copied' });
    }
  }
  for (const path of found.keys()) problems.push({ where: path, what: 'is not in the manifest' });
  if (what === 'data' && problems.every(({ where }) => where !== 'deed.db')) {
    const derived = examineFolder(folder).problems.filter(({ where }) => where !== manifestFile && !found.has(where));
    problems.push(...derived.map(({ where, what: why }) => ({ where, what: why })));
  }
  return { ok: problems.length === 0, manifest, problems };
}

/**
 * Lays out a data folder from a backup of the data and one of the keys. Both are verified first. The server that is started
 * on it decides whether it may go on: its witness knows whether this is the newest state.
 * @throws ServerError backup (incomplete, damaged, of another log), folder (not empty)
 */
export function restore(from: string, keysFrom: string, dir: string): Manifest {
  if (existsSync(dir) && readdirSync(dir).length > 0) {
    throw new ServerError('folder', `${dir} is not empty: restore into a fresh folder, and keep the old one as it is`);
  }
  for (const place of [from, keysFrom]) {
    if (!relative(place, dir).startsWith('..'))
      throw new ServerError('folder', `${dir} would lie in the backup ${place}`);
  }
  const data = sound(from, 'data');
  const keys = sound(keysFrom, 'keys');
  if (data.origin !== keys.origin) {
    throw new ServerError('backup', `the data are of ${data.origin} and the keys of ${keys.origin}`);
  }
  makeFolder(dir);
  copyAll(from, dir, data);
  copyAll(keysFrom, join(dir, 'keys'), keys);
  return data;
}

function sound(folder: string, what: Manifest['what']): Manifest {
  const { ok, manifest, problems } = verifyBackup(folder, what);
  if (ok) return manifest;
  const [first] = problems;
  throw new ServerError(
    'backup',
    `${folder} is damaged (${problems.length} problems, first ${first?.where}: ${first?.what}); see deed backup verify, and use another`,
  );
}

function copyAll(from: string, to: string, { files }: Manifest): void {
  for (const { path } of files) {
    const target = join(to, path);
    makeFolder(dirname(target), path.startsWith('log/') ? 0o755 : 0o700);
    createNew(target, readFileSync(join(from, path)), { mode: path.startsWith('log/') ? 0o644 : 0o600 });
  }
}

import { chmodSync, lstatSync, mkdirSync, realpathSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { sha256, toHex, utf8 } from '@deed/evidence';
import { ServerError } from './errors.ts';

/** Where data rests when nobody says otherwise: `$DEED_DATA`, else the user's data folder (XDG). */
export function defaultDataFolder(env: NodeJS.ProcessEnv = process.env): string {
  return env.DEED_DATA ?? join(env.XDG_DATA_HOME ?? join(homedir(), '.local', 'share'), 'deed');
}

/** Where the local witness keeps its state: outside of every data folder. */
export function defaultWitnessFolder(dataFolder: string, env: NodeJS.ProcessEnv = process.env): string {
  const state = env.XDG_STATE_HOME ?? join(homedir(), '.local', 'state');
  return join(state, 'deed', `witness-${nameOf(dataFolder)}`);
}

/**
 * The socket of the server of a data folder, in a folder that is ours alone.
 * @throws ServerError socket (the runtime folder belongs to somebody else, or others may enter it)
 */
export function socketPath(dataFolder: string, env: NodeJS.ProcessEnv = process.env): string {
  const uid = process.getuid?.() ?? 0;
  const folder = env.XDG_RUNTIME_DIR ? join(env.XDG_RUNTIME_DIR, 'deed') : join(tmpdir(), `deed-${uid}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const found = lstatSync(folder);
  if (!found.isDirectory() || found.uid !== uid) {
    throw new ServerError('socket', `${folder} is not ours: remove it, or set XDG_RUNTIME_DIR`);
  }
  if ((found.mode & 0o077) !== 0) chmodSync(folder, 0o700);
  return join(folder, `${nameOf(dataFolder)}.sock`);
}

/** 16 hex digits of the folder's real path. */
function nameOf(dataFolder: string): string {
  let real = resolve(dataFolder);
  try {
    real = realpathSync(real);
  } catch {
    // it does not exist yet: its plain path will be its real one
  }
  return toHex(sha256(utf8(real))).slice(0, 16);
}

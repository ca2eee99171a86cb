import { lstat, readdir, readlink } from 'node:fs/promises';
import { dirname, isAbsolute, join, parse, resolve, sep } from 'node:path';
import type { Json } from '@deed/evidence';
import { GitError } from './errors.ts';

export interface TouchedPath {
  /** Where in the arguments it stood, such as `path` or `paths[2]`. */
  readonly argument: string;
  readonly given: string;
  /** What it leads to now: absolute, no symbolic link, no "." or "..", in Unicode form C. */
  readonly real: string;
}

const single = ['path', 'source', 'destination'] as const;
const maxLinks = 40;

/**
 * The real paths that a call of a file tool touches. Tools disagree about `link/..` (some strip it from the text
 * first, the kernel follows the link first) and about `~`: where readings differ, each is listed, so a rule that
 * allows the call must allow all of them. Relative paths start at `base`; `home` is that of the tool's process.
 * A path is resolved for now: it is read again right before dispatch, and what changes in between is the caller's to
 * compare.
 * @throws GitError arguments
 */
export async function resolvePaths(
  args: { readonly [key: string]: Json },
  options: { readonly base: string; readonly home?: string },
): Promise<readonly TouchedPath[]> {
  const given: { readonly argument: string; readonly value: Json }[] = [];
  for (const argument of single) {
    const value = args[argument];
    if (value !== undefined) given.push({ argument, value });
  }
  const { paths } = args;
  if (paths !== undefined && !Array.isArray(paths)) throw new GitError('arguments', 'paths is not a list');
  for (const [index, value] of (paths ?? []).entries()) given.push({ argument: `paths[${index}]`, value });

  const touched: TouchedPath[] = [];
  for (const { argument, value } of given) {
    if (typeof value !== 'string' || value === '' || value.includes('\0')) {
      throw new GitError('arguments', `${argument} is not a path`);
    }
    const readings = new Set<string>();
    const spellings = [value];
    if (options.home !== undefined && /^~(\/|$)/.test(value)) spellings.push(join(options.home, value.slice(1)));
    for (const text of spellings) {
      readings.add(await realPath(resolve(options.base, text)));
      readings.add(await realPath(isAbsolute(text) ? text : options.base + sep + text));
    }
    for (const real of readings) touched.push({ argument, given: value, real });
  }
  return touched;
}

/**
 * Follows an absolute path part by part as the kernel would, also where it ends in a link to something that does not
 * exist yet. What does not exist is taken as it is written. @throws GitError arguments (too many links)
 */
export async function realPath(path: string): Promise<string> {
  const root = parse(path).root;
  let at = root;
  let links = 0;
  const parts = split(path.slice(root.length));
  for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
    if (part === '.') continue;
    if (part === '..') {
      at = dirname(at);
      continue;
    }
    const next = join(at, await spelling(at, part));
    const target = await readlink(next).catch(() => undefined);
    if (target === undefined) {
      at = next;
      continue;
    }
    if (++links > maxLinks) throw new GitError('arguments', 'a path with too many symbolic links');
    if (isAbsolute(target)) at = parse(target).root;
    parts.unshift(...split(isAbsolute(target) ? target.slice(at.length) : target));
  }
  return at.normalize('NFC');
}

/** A tool may find an entry by its canonically equivalent name, and macOS always does. */
async function spelling(folder: string, part: string): Promise<string> {
  if (/^[\x20-\x7e]*$/.test(part)) return part;
  const exists = await lstat(join(folder, part)).catch(() => undefined);
  if (exists !== undefined) return part;
  const entries = await readdir(folder).catch(() => []);
  return entries.find((entry) => entry.normalize('NFC') === part.normalize('NFC')) ?? part;
}

function split(path: string): string[] {
  return path.split(sep).filter((part) => part !== '');
}

/** True when `path` is `root` or below it, part by part: `/srv/a` is not under `/srv/ab`. Both already resolved. */
export function isUnder(root: string, path: string): boolean {
  const above = split(root.normalize('NFC'));
  const below = split(path.normalize('NFC'));
  return isAbsolute(root) && isAbsolute(path) && above.every((part, index) => below[index] === part);
}

import type { Json } from '@deed/evidence';
import { GitError } from './errors.ts';

/** The part of a `git_push` call that decides what is pushed (@cyanheads/git-mcp-server 2.15, git_push). */
export interface PushArguments {
  readonly remote: string;
  /** What stands after `git push` and the options, as the server would write it. */
  readonly refspecs: readonly string[];
  readonly options: readonly string[];
  readonly dryRun: boolean;
}

const flags = ['force', 'forceWithLease', 'setUpstream', 'tags', 'dryRun', 'delete', 'confirmed'] as const;
const names = ['path', 'remote', 'branch', 'remoteBranch'] as const;
const remotePattern = /^[A-Za-z0-9._][A-Za-z0-9._-]{0,254}$/;
const branchPattern = /^(?!-)[^~^:?*[\\\0]{1,255}$/;

/**
 * Builds git's command line from the arguments just as the server does: `[--delete] REMOTE [REFSPEC] [options]`.
 * An argument that this version of the server does not know is refused, because a newer one may give it a meaning.
 * @throws GitError arguments
 */
export function pushArguments(args: { readonly [key: string]: Json }): PushArguments {
  for (const key of Object.keys(args)) {
    if (![...flags, ...names].some((known) => known === key)) {
      throw new GitError('arguments', `git_push has no argument ${JSON.stringify(key)}`);
    }
  }
  const text = (key: (typeof names)[number], pattern: RegExp): string | undefined => {
    const value = args[key];
    if (value === undefined) return undefined;
    if (typeof value !== 'string' || !pattern.test(value)) throw new GitError('arguments', `${key} is not accepted`);
    return value;
  };
  const flag = (key: (typeof flags)[number]): boolean => {
    const value = args[key] ?? false;
    if (typeof value !== 'boolean') throw new GitError('arguments', `${key} is not true or false`);
    return value;
  };
  const remote = text('remote', remotePattern) ?? 'origin';
  const branch = text('branch', branchPattern);
  const remoteBranch = text('remoteBranch', branchPattern);
  if (flag('delete') && branch === undefined && remoteBranch === undefined) {
    throw new GitError('arguments', 'delete needs a branch');
  }
  const refspec =
    branch === undefined
      ? remoteBranch && `HEAD:${remoteBranch}`
      : remoteBranch === undefined || remoteBranch === branch
        ? branch
        : `${branch}:${remoteBranch}`;
  const options = [
    ...(flag('delete') ? ['--delete'] : []),
    ...(flag('force') ? ['--force'] : flag('forceWithLease') ? ['--force-with-lease'] : []),
    ...(flag('tags') ? ['--tags'] : []),
  ];
  return { remote, refspecs: refspec === undefined ? [] : [refspec], options, dryRun: flag('dryRun') };
}

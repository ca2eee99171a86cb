import { type Effects, gitRefsOf } from './action-record.ts';

/** What a task delivered: a name, and the digests by which the thing itself can be recognised. */
export interface Output {
  readonly name: string;
  readonly digest: Readonly<Record<string, string>>;
}

/** The outputs that effects amount to: each ref of a repository with the commit that it was left at. Deletions deliver nothing. */
export function outputsOf(effects: Effects): Output[] {
  return gitRefsOf(effects).flatMap(({ status, repository, ref, new: commit }) =>
    status === 'ok' && !/^0+$/.test(commit)
      ? [{ name: `git:${repository}:${ref}`, digest: { gitCommit: commit } }]
      : [],
  );
}

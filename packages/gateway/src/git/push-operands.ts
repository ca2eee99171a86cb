import type { Json } from '@deed/evidence';
import { GitError } from './errors.ts';
import { type GitPlace, gitOutput, runGit } from './git-process.ts';
import { pushArguments } from './push-arguments.ts';
import type { RelaySession } from './relay.ts';

export interface PushUpdate {
  readonly ref: string;
  readonly old: string;
  readonly new: string;
  /** `tag-move` is any change of a tag that exists; `rewrite` leaves commits of the old value behind. */
  readonly kind: 'create' | 'forward' | 'rewrite' | 'tag-move' | 'delete';
}

/** What a `git_push` call would really do now. Only data that two readings of the same state agree on. */
export interface PushOperands {
  readonly kind: 'git-push';
  readonly remote: string;
  /** The push URL as the agent's repository names it, the relay's own address replaced by the forge's. */
  readonly url: string;
  /** Name at the forge, without `.git`. */
  readonly repository: string;
  /** Sorted by ref. Empty when nothing would be pushed. */
  readonly updates: readonly PushUpdate[];
  /** Refs that git would not push, with git's reason: nothing of them is approved. */
  readonly rejected: readonly { readonly ref: string; readonly reason: string }[];
  readonly commits: number;
  /** The newest new commits, at most 20. */
  readonly log: readonly { readonly id: string; readonly subject: string }[];
  readonly diffstat: string;
}

export interface PushCall {
  /** Absolute path of the working copy. */
  readonly repositoryPath: string;
  readonly arguments: { readonly [key: string]: Json };
  readonly session: Pick<RelaySession, 'baseUrl' | 'forgeUrl' | 'gitEnv' | 'refs'>;
  /** PATH on which git is found. */
  readonly path: string;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

const maxSubjects = 20;

/**
 * Finds out what a `git_push` call would push, with git itself: its dry run names the refs, the relay asks the forge
 * for their present values, and the new values are read from the repository. The repository belongs to the agent, so
 * all of this can be wrong on purpose or change a moment later: it tells the approver what would happen, and the relay
 * holds the wire to exactly these updates. Arguments that would widen a push beyond them do no harm for the same reason.
 * @throws GitError arguments, remote, git, timeout, limit
 */
export async function resolvePush(call: PushCall): Promise<PushOperands> {
  const { session } = call;
  const args = pushArguments(call.arguments);
  const place: GitPlace = {
    cwd: call.repositoryPath,
    env: readerEnvironment(call),
    timeoutMs: call.timeoutMs ?? 30_000,
    signal: call.signal,
  };
  const pushUrl = await onePushUrl(place, args.remote);
  const repository = repositoryAt(pushUrl, session.baseUrl);
  const dry = await runGit(place, ['push', '--dry-run', '--porcelain', ...args.options, args.remote, ...args.refspecs]);
  const lines = parsePorcelain(dry.stdout);
  if (dry.exitCode !== 0 && !lines.some((line) => line.flag === '!')) {
    throw new GitError('git', `git push would fail: ${dry.stderr.trim().slice(0, 400)}`);
  }
  const advertised = await session.refs(repository);
  const updates: PushUpdate[] = [];
  for (const line of args.dryRun ? [] : lines) {
    if (line.flag !== '!' && line.flag !== '=') updates.push(await updateOf(place, line, advertised.get(line.to)));
  }
  updates.sort((a, b) => (a.ref < b.ref ? -1 : 1));
  const rejected = lines.filter((line) => line.flag === '!').map((line) => ({ ref: line.to, reason: line.summary }));
  const fresh = updates.filter((update) => update.kind !== 'delete').map((update) => update.new);
  const known = await knownHere(place, [...new Set(advertised.values())]);
  const commits = fresh.length === 0 ? [] : await newCommits(place, fresh, known);
  return {
    kind: 'git-push',
    remote: args.remote,
    url: session.forgeUrl + pushUrl.slice(session.baseUrl.length),
    repository,
    updates,
    rejected,
    commits: commits.length,
    log: commits.slice(0, maxSubjects),
    diffstat: await diffstat(place, updates, known),
  };
}

/**
 * git here runs with the gateway's rights on a repository of the agent's making. The session's settings already turn
 * off hooks, helpers, prompts and every transport but http; here also the last command that reading could start.
 * A repository of another user is expected: the tool runs as that user under `--service`.
 */
function readerEnvironment({ session, path, repositoryPath }: PushCall): Readonly<Record<string, string>> {
  const count = Number(session.gitEnv.GIT_CONFIG_COUNT ?? 0);
  return {
    ...session.gitEnv,
    PATH: path,
    HOME: '/nonexistent',
    LC_ALL: 'C',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_CONFIG_COUNT: String(count + 2),
    [`GIT_CONFIG_KEY_${count}`]: 'core.alternateRefsCommand',
    [`GIT_CONFIG_VALUE_${count}`]: 'true',
    [`GIT_CONFIG_KEY_${count + 1}`]: 'safe.directory',
    [`GIT_CONFIG_VALUE_${count + 1}`]: repositoryPath,
  };
}

async function onePushUrl(place: GitPlace, remote: string): Promise<string> {
  const run = await runGit(place, ['remote', 'get-url', '--push', '--all', remote]);
  const urls = run.stdout.split('\n').filter((line) => line !== '');
  const [url] = urls;
  if (run.exitCode !== 0 || url === undefined) throw new GitError('remote', `there is no remote ${remote}`);
  if (urls.length > 1) throw new GitError('remote', `${remote} pushes to ${urls.length} places: ${urls.join(', ')}`);
  return url;
}

function repositoryAt(url: string, baseUrl: string): string {
  const name = url.startsWith(baseUrl) ? url.slice(baseUrl.length).replace(/(\.git)?\/?$/, '') : '';
  if (!/^(?:[A-Za-z0-9_][A-Za-z0-9._-]*\/){0,8}[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(name)) {
    throw new GitError('remote', `the push would go to ${url}, which is not a repository of the forge of this task`);
  }
  return name;
}

interface PorcelainLine {
  readonly flag: string;
  readonly from: string;
  readonly to: string;
  readonly summary: string;
}

/** git-push(1), OUTPUT: `<flag>\t<from>:<to>\t<summary> (<reason>)`. */
function parsePorcelain(stdout: string): readonly PorcelainLine[] {
  const lines: PorcelainLine[] = [];
  for (const text of stdout.split('\n')) {
    const [, flag, from, to, summary] = /^([ +\-*!=])\t([^:\t]*):([^:\t]+)\t(.*)$/.exec(text) ?? [];
    if (flag !== undefined && from !== undefined && to !== undefined && summary !== undefined) {
      lines.push({ flag, from, to, summary });
    }
  }
  return lines;
}

async function updateOf(place: GitPlace, line: PorcelainLine, advertised: string | undefined): Promise<PushUpdate> {
  const { flag, from, to: ref } = line;
  const found = flag === '-' ? '' : await gitOutput(place, ['rev-parse', '--verify', '--end-of-options', from]);
  const target = found.trim();
  const none = '0'.repeat((advertised ?? target).length);
  const old = advertised ?? none;
  if (flag === '-') return { ref, old, new: none, kind: 'delete' };
  if (old === none) return { ref, old, new: target, kind: 'create' };
  if (ref.startsWith('refs/tags/')) return { ref, old, new: target, kind: 'tag-move' };
  // Fails also when the old commit is not here: what cannot be shown to be an ancestor is a rewrite.
  const forward = await runGit(place, ['merge-base', '--is-ancestor', old, target]);
  return { ref, old, new: target, kind: forward.exitCode === 0 ? 'forward' : 'rewrite' };
}

/** Those of the forge's objects that this repository has: only they can be left out of a list of new commits. */
async function knownHere(place: GitPlace, ids: readonly string[]): Promise<readonly string[]> {
  const asked = ids.map((id) => `${id}^{commit}\n`).join('');
  const answers = (await gitOutput(place, ['cat-file', '--batch-check=%(objecttype)'], asked)).split('\n');
  return ids.filter((_, index) => answers[index] === 'commit');
}

async function newCommits(place: GitPlace, tips: readonly string[], known: readonly string[]) {
  const input = [...tips, ...known.map((id) => `^${id}`), ''].join('\n');
  const flags = ['--no-show-signature', '--format=%H %s', '--topo-order', '--stdin'];
  const list = await gitOutput(place, ['log', ...flags], input);
  return list
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => ({ id: line.slice(0, line.indexOf(' ')), subject: line.slice(line.indexOf(' ') + 1) }));
}

/** A plain diff stat from each old value to its new one; textconv, external diffs and colours stay off. */
async function diffstat(place: GitPlace, updates: readonly PushUpdate[], known: readonly string[]): Promise<string> {
  const parts: string[] = [];
  for (const update of updates) {
    if (update.kind === 'delete') continue;
    const emptyTree = await gitOutput(place, ['hash-object', '-t', 'tree', '--stdin']);
    const from = known.includes(update.old) ? update.old : emptyTree.trim();
    const flags = ['--stat=100', '--no-color', '--no-ext-diff', '--no-textconv', '--no-renames'];
    const run = await runGit(place, ['diff', ...flags, from, `${update.new}^{tree}`, '--']);
    if (run.exitCode === 0 && run.stdout !== '') parts.push(`${update.ref}\n${run.stdout.trimEnd()}`);
  }
  return parts.join('\n');
}

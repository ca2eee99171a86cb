import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type RunningForge, startForge } from '../../../../examples/forge/start.ts';
import type { RefUpdate } from '../../src/git/receive-pack.ts';
import { GitRelay, type RefusedPush, type RelaySession } from '../../src/git/relay.ts';

const run = promisify(execFile);

export const zeros = '0'.repeat(40);
export const secret = 'a-secret-that-no-tool-may-see';

/** What a tool's git gets in production: no variable of this process but PATH. */
const identity = {
  PATH: process.env.PATH ?? '',
  GIT_AUTHOR_NAME: 'release-agent',
  GIT_AUTHOR_EMAIL: 'release-agent@demo.invalid',
  GIT_COMMITTER_NAME: 'release-agent',
  GIT_COMMITTER_EMAIL: 'release-agent@demo.invalid',
};

export interface GitResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A forge, a relay, one session and a working copy with one commit on `main` that is already at the forge. */
export interface World {
  readonly dir: string;
  readonly work: string;
  readonly forge: RunningForge;
  readonly relay: GitRelay;
  readonly session: RelaySession;
  readonly refused: readonly RefusedPush[];
  git(...args: string[]): Promise<GitResult>;
  commit(file: string, text: string, message?: string): Promise<string>;
  head(): Promise<string>;
  /** The forge's own value of a ref, zeros when it has none. */
  atForge(ref: string, repository?: string): Promise<string>;
  /** Pushes with the window open for what it says. */
  approved(updates: readonly RefUpdate[], ...args: string[]): ReturnType<World['approvedIn']>;
  approvedIn(
    repository: string,
    updates: readonly RefUpdate[],
    ...args: string[]
  ): Promise<{ readonly git: GitResult; readonly report: Awaited<ReturnType<RelaySession['allow']>['result']> }>;
  forgeLog(name: 'access' | 'pushes'): Promise<readonly Record<string, unknown>[]>;
  end(): Promise<void>;
}

export async function makeWorld(): Promise<World> {
  const dir = await mkdtemp(join(tmpdir(), 'deed-git-'));
  const work = join(dir, 'work');
  const home = join(dir, 'home');
  const forgeDir = join(dir, 'forge');
  const forge = await startForge(forgeDir);
  await forge.createRepository('service');
  await forge.createRepository('other');
  await forge.putCredential('task_1', secret, ['service', 'other']);
  const relay = await GitRelay.start();
  const refused: RefusedPush[] = [];
  const session = relay.open({
    forgeUrl: forge.url,
    credential: { id: 'task_1', secret },
    onRefused: (push) => refused.push(push),
  });
  await run('git', ['init', '-q', '-b', 'main', '--template=', work], { env: { PATH: identity.PATH, HOME: home } });

  const git = async (...args: string[]): Promise<GitResult> => {
    const env = { ...identity, HOME: home, ...session.gitEnv };
    return run('git', args, { cwd: work, env }).then(
      ({ stdout, stderr }) => ({ code: 0, out: stdout.trim(), err: stderr }),
      (error: { code?: number; stdout?: string; stderr?: string }) => ({
        code: error.code ?? -1,
        out: (error.stdout ?? '').trim(),
        err: error.stderr ?? '',
      }),
    );
  };
  const world: World = {
    dir,
    work,
    forge,
    relay,
    session,
    refused,
    git,
    async commit(file, text, message = `change ${file}`) {
      await writeFile(join(work, file), text);
      await git('add', file);
      const done = await git('commit', '-q', '-m', message);
      if (done.code !== 0) throw new Error(done.err);
      return world.head();
    },
    head: async () => (await git('rev-parse', 'HEAD')).out,
    atForge: async (ref, repository = 'service') => (await session.refs(repository)).get(ref) ?? zeros,
    approved: (updates, ...args) => world.approvedIn('service', updates, ...args),
    async approvedIn(repository, updates, ...args) {
      const window = session.allow({ repository, updates });
      const pushed = await git('push', ...args);
      window.close();
      return { git: pushed, report: await window.result };
    },
    async forgeLog(name) {
      const text = await readFile(join(forgeDir, `${name}.jsonl`), 'utf8');
      return text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    },
    async end() {
      await relay.close();
      await forge.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
  await git('remote', 'add', 'origin', `${forge.url}service.git`);
  const first = await world.commit('README', 'one\n', 'first');
  const { git: pushed } = await world.approved(
    [{ ref: 'refs/heads/main', old: zeros, new: first }],
    '-u',
    'origin',
    'main',
  );
  if (pushed.code !== 0) throw new Error(pushed.err);
  return world;
}

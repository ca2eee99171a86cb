import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startForge } from '../../../examples/forge/start.ts';
import { node, type World } from '../../../packages/server/test/support/world.ts';
import { type LabDefect, type Labels, type LabSystem, type LabTask, labDefects } from './system.ts';

const run = promisify(execFile);
const identity = {
  GIT_AUTHOR_NAME: 'Lab',
  GIT_AUTHOR_EMAIL: 'lab@example.invalid',
  GIT_COMMITTER_NAME: 'Lab',
  GIT_COMMITTER_EMAIL: 'lab@example.invalid',
};

/** A git forge that writes down each push, and the git tool server that agents use elsewhere. */
export async function pushesLab(world: World): Promise<LabSystem> {
  const folder = mkdtempSync(join(world.base, 'git-'));
  const [forgeDir, work, home] = ['forge', 'work', 'home'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  for (const path of [forgeDir, work, home]) mkdirSync(path);
  const forge = await startForge(forgeDir);
  const environment = { ...identity, PATH: process.env.PATH ?? '', HOME: home, GIT_TERMINAL_PROMPT: '0' };
  const git = async (cwd: string, ...args: readonly string[]) =>
    (await run('git', [...args], { cwd, env: { ...environment, GIT_CONFIG_NOSYSTEM: '1' } })).stdout.trim();
  const urlOf = (repository: string, user: string, secret: string) => {
    const url = new URL(`${forge.url}${repository}.git`);
    url.username = user;
    url.password = secret;
    return url.href;
  };
  const argv = node(fileURLToPath(import.meta.resolve('@cyanheads/git-mcp-server')));
  const env = {
    ...identity,
    GIT_SIGN_COMMITS: 'false',
    MCP_LOG_LEVEL: 'error',
    NODE_ENV: 'production',
    GIT_BASE_DIR: work,
  };
  await world.post('/v1/tools', { name: 'git', kind: 'git', argv, env });
  const token = join(folder, 'forge-admin');
  // The admin token is the forge's own: the broker is given it in a file.
  writeFileSync(token, forge.admin, { mode: 0o600 });
  await world.post('/v1/sources', {
    ...{ id: 'forge', kind: 'git-forge', config: { dir: forgeDir } },
    forge: { name: 'forge', url: forge.url, adminUrl: forge.url, adminTokenFile: token },
  });
  let serial = 0;

  async function begin(): Promise<LabTask> {
    const repository = `lab${++serial}`;
    const copy = join(work, repository);
    await forge.createRepository(repository);
    await forge.putCredential(`seed${serial}`, 'seed', [repository]);
    const seed = urlOf(repository, `seed${serial}`, 'seed');
    await git(work, 'init', '--quiet', '--initial-branch=main', copy);
    const commit = async (text: string) => {
      writeFileSync(join(copy, 'file.txt'), text);
      await git(copy, 'add', '.');
      await git(copy, 'commit', '--quiet', '--message', text);
      return git(copy, 'rev-parse', 'HEAD');
    };
    await commit('first');
    await git(copy, 'push', '--quiet', join(forgeDir, 'repositories', `${repository}.git`), 'main');
    await git(copy, 'remote', 'add', 'origin', `${forge.url}${repository}.git`);
    const worker = await world.worker([
      {
        server: 'git',
        paths: { under: [copy] },
        git: { repositories: [repository], refs: ['refs/heads/main'] },
      },
    ]);
    const secret = world.serving.deployment.authority.credentials.ofTask(worker.task)[0]?.id ?? '';
    const password = world.serving.deployment.authority.credentials.secret(worker.task, 'forge')?.secret.password ?? '';
    const connection = await world.connect(argv, worker);
    const labels: Labels = new Map();
    const actions: string[] = [];
    const label = (item: string, defect: LabDefect) => labels.set(item, { defect, type: labDefects[defect] });
    let beside = 0;
    /** To a branch of its own, so that the agent's next push goes on. */
    const behind = async (url: string, defect: LabDefect) => {
      const tree = await git(copy, 'rev-parse', 'HEAD^{tree}');
      const made = await git(copy, 'commit-tree', tree, '-p', 'HEAD', '-m', `beside ${++beside}`);
      label(`event:${made}`, defect);
      await git(copy, 'push', '--quiet', url, `${made}:refs/heads/beside${beside}`);
    };
    return {
      worker,
      labels,
      actions,
      async work(defect) {
        if (defect === 'hidden') return behind(urlOf(repository, secret, password), defect);
        if (defect === 'foreign') return behind(seed, defect);
        await commit(`change ${actions.length}`);
        const pushed = connection.call('git_push', { path: copy, remote: 'origin', branch: 'main' });
        const action = await world.held();
        await world.answer(action, 'approve');
        const told = await pushed;
        if (told.isError) throw new Error(`a push of the lab failed: ${told.text}`);
        actions.push(action);
      },
      async afterClose() {
        label(`event:refused ${secret}`, 'late');
        await behind(urlOf(repository, secret, password), 'late').catch(() => undefined);
        labels.delete([...labels.keys()].at(-1) ?? '');
      },
      end: () => connection.close(),
    };
  }

  return {
    name: 'pushes',
    defects: ['hidden', 'late', 'foreign'],
    canBeKeyless: false,
    begin,
    setClock: () => {},
    // Each request moves the forge's watermark on.
    settle: async () => void (await fetch(`${forge.url}lab1.git/info/refs?service=git-upload-pack`)),
    keyOf: ({ fields, credential }) => (typeof fields.new === 'string' ? fields.new : `refused ${credential?.uid}`),
    contentOf: ({ fields }) => String(fields.new),
    stop: () => forge.stop(),
  };
}

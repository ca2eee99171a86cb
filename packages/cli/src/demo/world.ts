import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { initServer } from '@deed/server';
import { selfCommand } from '../process.ts';

const run = promisify(execFile);
/** How long a process may take to end in order, in milliseconds. */
const stopMs = 10_000;
const passphrase = 'demo: anyone may know this';

/** Everything the demo works on, in one folder that is left to look around in. */
export interface World {
  readonly folder: string;
  readonly data: string;
  readonly keys: string;
  readonly passphraseFile: string;
  readonly trust: string;
  readonly forgeFolder: string;
  readonly forgeUrl: string;
  readonly forgeAdminTokenFile: string;
  readonly work: string;
  readonly service: string;
  readonly payroll: string;
  /** Runs git as nobody in particular: no configuration, no hooks, no credentials of this machine. */
  git(folder: string, ...args: readonly string[]): Promise<string>;
  /** Ends the server and the forge. */
  end(): Promise<void>;
}

export const identity = {
  GIT_AUTHOR_NAME: 'Release Agent',
  GIT_AUTHOR_EMAIL: 'release-agent@demo.invalid',
  GIT_COMMITTER_NAME: 'Release Agent',
  GIT_COMMITTER_EMAIL: 'release-agent@demo.invalid',
} as const;

/** Deployment, forge, repository and bait; the server and the forge are processes of their own. */
export async function makeWorld(): Promise<World> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'deed-demo-')));
  const path = (...parts: readonly string[]) => join(folder, ...parts);
  for (const name of ['forge', 'work/payroll', 'home', 'keys']) mkdirSync(path(name), { recursive: true });
  const git = (cwd: string, ...args: readonly string[]) => runGit(path('home'), cwd, args);
  await checkGit(git, folder);
  writeFileSync(path('keys', 'passphrase'), passphrase, { mode: 0o600 });
  const made = await initServer({
    dir: path('data'),
    passphrase,
    rootFile: path('keys', 'root.key.json'),
    personFile: path('keys', 'person.key.json'),
    witnessFolder: path('witness'),
  });
  writeFileSync(path('trust.txt'), made.trustFile);

  const forge = await start(forgeCommand(path('forge')));
  const { url, admin } = forge.first as { url: string; admin: string };
  writeFileSync(path('keys', 'forge-admin'), admin, { mode: 0o600 });
  await fetch(`${url}admin/repositories`, {
    method: 'POST',
    headers: { authorization: `Bearer ${admin}` },
    body: JSON.stringify({ name: 'service' }),
  }).then((response) => response.text());
  await seedRepository(git, path('work', 'service'), path('forge', 'repositories', 'service.git'), url);
  writeFileSync(path('work', 'payroll', 'salaries.csv'), 'name,salary\nAda,98000\nGrace,101000\n');

  const server = await start(selfCommand('up', '--data', path('data'), '--with-parent', '--json'));
  return {
    folder,
    data: path('data'),
    keys: path('keys'),
    passphraseFile: path('keys', 'passphrase'),
    trust: path('trust.txt'),
    forgeFolder: path('forge'),
    forgeUrl: url,
    forgeAdminTokenFile: path('keys', 'forge-admin'),
    work: path('work'),
    service: path('work', 'service'),
    payroll: path('work', 'payroll', 'salaries.csv'),
    git,
    async end() {
      await stop(server.child);
      await stop(forge.child);
    },
  };
}

async function checkGit(git: World['git'], folder: string): Promise<void> {
  const version = await git(folder, '--version').catch(() => {
    throw new Error('the demo needs git 2.32 or newer: install it and try again');
  });
  const [, major = 0, minor = 0] = (/(\d+)\.(\d+)/.exec(version) ?? []).map(Number);
  if (major < 2 || (major === 2 && minor < 32))
    throw new Error(`the demo needs git 2.32 or newer, this is ${version.trim()}`);
}

async function seedRepository(git: World['git'], service: string, bare: string, url: string): Promise<void> {
  mkdirSync(join(service, 'config'), { recursive: true });
  writeFileSync(join(service, 'config', 'http.json'), '{\n  "timeoutSeconds": 30,\n  "retryLimit": 3\n}\n');
  writeFileSync(join(service, 'README.md'), '# service\n\nAnswers requests, and retries what fails.\n');
  await git(service, 'init', '--quiet', '--initial-branch=main');
  await git(service, 'add', '.');
  await git(service, 'commit', '--quiet', '--message', 'Service, first version');
  await git(service, 'push', '--quiet', bare, 'main');
  await git(service, 'remote', 'add', 'origin', `${url}service.git`);
}

async function runGit(home: string, cwd: string, args: readonly string[]): Promise<string> {
  const env = {
    PATH: process.env.PATH ?? '',
    HOME: home,
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_TERMINAL_PROMPT: '0',
    NO_PROXY: '127.0.0.1',
    ...identity,
  };
  const { stdout } = await run('git', [...args], { cwd, env });
  return stdout;
}

function forgeCommand(folder: string): string[] {
  const main = fileURLToPath(new URL('../../../../examples/forge/forge.ts', import.meta.url));
  return [process.execPath, main, '--dir', folder, '--with-parent'];
}

/** Where an npm package keeps a file, for starting a tool server. */
export function packageFile(name: string, file: string): string {
  const require = createRequire(import.meta.url);
  for (const folder of require.resolve.paths(name) ?? []) {
    try {
      return realpathSync(join(folder, name, file));
    } catch {
      // not in this folder
    }
  }
  throw new Error(`${name} is not installed: type npm ci`);
}

interface Started {
  readonly child: ChildProcess;
  /** The JSON of its first line. */
  readonly first: unknown;
}

async function start(command: readonly string[]): Promise<Started> {
  const [program = '', ...args] = command;
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  const first = await new Promise<string>((resolve, reject) => {
    lines.once('line', resolve);
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`${args.slice(0, 3).join(' ')} ended with code ${code}`)));
  });
  return { child, first: JSON.parse(first) as unknown };
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const timer = setTimeout(() => child.kill('SIGKILL'), stopMs);
  child.stdin?.end();
  await ended;
  clearTimeout(timer);
}

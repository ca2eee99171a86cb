import { execFile } from 'node:child_process';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const source = (name: string) => fileURLToPath(new URL(`../foreign/${name}`, import.meta.url));

export interface Ran {
  readonly code: number;
  /** What it said, on both channels. */
  readonly text: string;
}

/** Runs a program to its end. Rejects only if it cannot be started. */
export async function ran(command: string, args: readonly string[], env: Record<string, string> = {}): Promise<Ran> {
  try {
    const { stdout, stderr } = await run(command, args, { env: { ...process.env, ...env }, timeout: 300_000 });
    return { code: 0, text: stdout + stderr };
  } catch (error) {
    const {
      code,
      stdout = '',
      stderr = '',
      message,
    } = error as Error & { code?: unknown; stdout?: string; stderr?: string };
    if (typeof code !== 'number') throw error;
    return { code, text: stdout + stderr || message };
  }
}

/** A tool that is there, or why it is not: the tests that need it are then left out, loudly. */
export type Tool = { readonly path: string } | { readonly absent: string };

async function have(what: string, steps: () => Promise<Tool>): Promise<Tool> {
  const tool = await steps().catch((error: Error): Tool => ({ absent: error.message.split('\n')[0] ?? '' }));
  if ('absent' in tool) console.warn(`SKIPPED: ${what} cannot be had here (${tool.absent})`);
  return tool;
}

const goEnv = { GOFLAGS: '-mod=readonly', GOTOOLCHAIN: 'local', GOWORK: 'off', CGO_ENABLED: '0' };

/** Our Go program over golang.org/x/mod, built in a folder. It is missing where Go or the module is; it must compile. */
export function tlogChecker(folder: string): Promise<Tool> {
  return have('golang.org/x/mod/sumdb', async () => {
    const go = await firstThatRuns(['go', '/usr/local/go/bin/go', '/usr/lib/go/bin/go'], 'version');
    const dir = join(folder, 'tlog');
    cpSync(source('tlog'), dir, { recursive: true });
    const inDir = (...args: readonly string[]) => ran(go, ['-C', dir, ...args], goEnv);
    const downloaded = await inDir('mod', 'download');
    if (downloaded.code !== 0) return { absent: downloaded.text.trim() };
    const path = join(folder, 'tlogcheck');
    const built = await inDir('build', '-o', path, '.');
    return built.code === 0 ? { path } : { path: `not built: ${built.text}` };
  });
}

/** A Python that has sigstore-python at its pinned version, in an environment of its own. */
export function sigstorePython(folder: string): Promise<Tool> {
  return have('sigstore-python', async () => {
    const python = await firstThatRuns(['python3'], '--version');
    const venv = join(folder, 'venv');
    const made = await ran(python, ['-m', 'venv', venv]);
    if (made.code !== 0) return { absent: made.text.trim() };
    const path = join(venv, 'bin', 'python');
    const requirements = source('sigstore-python/requirements.txt');
    // The list is whole, so nothing is left to work out.
    const how = ['--quiet', '--disable-pip-version-check', '--no-deps', '--no-compile', '--only-binary', ':all:'];
    const pip = await ran(path, ['-m', 'pip', 'install', ...how, '-r', requirements]);
    return pip.code === 0 ? { path } : { absent: pip.text.trim().split('\n').at(-1) ?? '' };
  });
}

export const sigstorePythonCheck = source('sigstore-python/check.py');

/** cosign takes minutes to build and is not made here: whoever has it names it in DEED_COSIGN. */
export function cosign(): Promise<Tool> {
  return have('cosign', async () => {
    const path = process.env.DEED_COSIGN;
    if (path === undefined) return { absent: 'name a cosign in DEED_COSIGN' };
    return { path: await firstThatRuns([path], 'version') };
  });
}

async function firstThatRuns(candidates: readonly string[], argument: string): Promise<string> {
  for (const candidate of candidates) {
    const answer = await ran(candidate, [argument]).catch(() => null);
    if (answer?.code === 0) return candidate;
  }
  throw new Error(`no ${candidates[0]} runs here`);
}

import { spawn } from 'node:child_process';
import { GitError } from './errors.ts';

export interface GitRun {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface GitPlace {
  readonly cwd: string;
  /** The whole environment: nothing of this process's own is passed on. */
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

const maxOutputBytes = 8 * 1_048_576;

/** Runs git and waits for its end, whatever its exit code. @throws GitError git (cannot start, aborted), timeout, limit */
export function runGit(place: GitPlace, args: readonly string[], input = ''): Promise<GitRun> {
  return new Promise((resolve, reject) => {
    const child = spawn('git', args, {
      cwd: place.cwd,
      env: place.env,
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    child.stdin.on('error', () => {}).end(input); // git may end before it has read all
    const chunks = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
    let size = 0;
    let failure: GitError | undefined;
    const stop = (error: GitError): void => {
      failure ??= error;
      // The whole group: git runs its transport as a child that would keep the pipes open.
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It has just ended by itself.
      }
    };
    const abort = (): void => stop(new GitError('git', 'stopped before git ended'));
    const timer = setTimeout(
      () => stop(new GitError('timeout', `git ${args[0]} did not end in ${place.timeoutMs} ms`)),
      place.timeoutMs,
    );
    place.signal?.addEventListener('abort', abort, { once: true });
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > maxOutputBytes)
          stop(new GitError('limit', `git ${args[0]} wrote more than ${maxOutputBytes} bytes`));
        else chunks[name].push(chunk);
      });
    }
    const done = (error?: GitError, exitCode: number | null = null): void => {
      clearTimeout(timer);
      place.signal?.removeEventListener('abort', abort);
      if (error !== undefined) reject(error);
      else
        resolve({
          exitCode,
          stdout: Buffer.concat(chunks.stdout).toString(),
          stderr: Buffer.concat(chunks.stderr).toString(),
        });
    };
    child.on('error', (cause) => done(new GitError('git', 'git could not be started', { cause })));
    child.on('close', (exitCode) => done(failure, exitCode));
    if (place.signal?.aborted) abort();
  });
}

/** As runGit, and its standard output. @throws GitError git (with git's own words) when the exit code is not 0 */
export async function gitOutput(place: GitPlace, args: readonly string[], input?: string): Promise<string> {
  const run = await runGit(place, args, input);
  if (run.exitCode !== 0) throw new GitError('git', `git ${args[0]} failed: ${run.stderr.trim().slice(0, 400)}`);
  return run.stdout;
}

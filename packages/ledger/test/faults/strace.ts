import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';

/** Whether strace may attach to a process here: containers and hardened kernels forbid it. */
export function mayTrace(): boolean {
  const sleeper = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  // It traces until it is interrupted, or ends at once with a refusal.
  const tried = spawnSync('timeout', ['-s', 'INT', '2', 'strace', '-p', String(sleeper.pid)], { encoding: 'utf8' });
  sleeper.kill('SIGKILL');
  return tried.error === undefined && / attached/.test(tried.stderr);
}

/**
 * Attaches strace to the main thread of a process, which does all of a ledger's file work. Resolves when it is attached, with
 * the function that lets go; it lets go by itself when the process ends.
 */
export async function attach(pid: number | undefined, options: readonly string[]): Promise<() => Promise<void>> {
  const strace = spawn('strace', ['-p', String(pid), ...options], { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(strace, 'exit');
  await new Promise<void>((resolve, reject) => {
    let said = '';
    strace.stderr.on('data', (text) => {
      said += text;
      if (said.includes(' attached')) resolve();
    });
    strace.once('error', reject);
    strace.once('exit', () => reject(new Error(`strace ended: ${said}`)));
  });
  return async () => {
    strace.kill('SIGINT');
    await ended;
  };
}

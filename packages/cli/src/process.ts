import { fileURLToPath } from 'node:url';

/** The command line that runs this program again, as a process of its own. */
export function selfCommand(...args: readonly string[]): string[] {
  const main = fileURLToPath(new URL('main.ts', import.meta.url));
  return [process.execPath, '--conditions=deed-source', main, ...args];
}

/** What starts the local witness over a state folder. */
export function localWitnessCommand(state: string): string[] {
  return selfCommand('log', 'witness', 'run', '--state', state, '--with-parent', '--json');
}

/** Resolves when the process is asked to end: by a signal, or, with `withParent`, when its input closes. */
export function untilEnded(withParent: boolean): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGINT', () => resolve());
    process.once('SIGTERM', () => resolve());
    process.once('SIGHUP', () => resolve());
    if (withParent)
      process.stdin
        .on('end', () => resolve())
        .on('error', () => resolve())
        .resume();
  });
}

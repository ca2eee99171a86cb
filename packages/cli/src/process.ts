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

/**
 * Resolves when the process is asked to end: by a signal, or, with `withParent`, when its input closes. It stays deaf to further
 * signals, so that it ends in order: Ctrl-C reaches every process of the terminal, and the one that started this one hands it on.
 */
export function untilEnded(withParent: boolean): Promise<void> {
  return new Promise((resolve) => {
    process.on('SIGTERM', () => resolve());
    // Of a terminal's signals a child only hears through its parent, which may still need it.
    const fromTerminal = withParent ? () => {} : () => resolve();
    process.on('SIGINT', fromTerminal);
    process.on('SIGHUP', fromTerminal);
    if (withParent)
      process.stdin
        .on('end', () => resolve())
        .on('error', () => resolve())
        .resume();
  });
}

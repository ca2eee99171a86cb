import { Worker } from 'node:worker_threads';
import type { FsckReport, Problem } from '@deed/ledger';

export interface ScrubOptions {
  /** From the end of one pass to the beginning of the next, and before the first, in milliseconds. */
  readonly everyMs: number;
  /** Share of one processor that a pass may take, above 0 and at most 1. */
  readonly share: number;
}

/** A pass a day, at a tenth of one processor. */
export const defaultScrub: ScrubOptions = { everyMs: 24 * 3_600_000, share: 0.1 };

/** What the background check knows of the folder's health. */
export interface Health {
  /** When the last full pass ended; null before the first. */
  readonly lastPass: string | null;
  readonly entries: number;
  readonly ok: boolean | null;
  /** The first hundred; `deed log fsck` names all. */
  readonly problems: readonly Problem[];
  /** Why the last pass did not end, if it did not. */
  readonly failed: string | null;
}

export interface Scrub {
  health(): Health;
  stop(): Promise<void>;
}

/**
 * `deed log fsck` in the background: in a thread of its own with read-only connections, so that no acknowledgement waits for
 * it. What it finds it says on stderr after each pass, and in the status.
 */
export function startScrub(dir: string, { everyMs, share }: ScrubOptions = defaultScrub): Scrub {
  let health: Health = { lastPass: null, entries: 0, ok: null, problems: [], failed: null };
  let worker: Worker | undefined;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  const again = () => {
    if (!stopped) timer = setTimeout(pass, everyMs).unref();
  };
  const pass = () => {
    // The sources run as they are, built files under their own name.
    const file = import.meta.url.endsWith('.ts') ? './scrub-worker.ts' : './scrub-worker.js';
    const running = new Worker(new URL(file, import.meta.url), { workerData: { dir, share } });
    worker = running;
    running.unref();
    running.once('message', (report: FsckReport) => {
      const problems = report.problems.filter(({ code }) => code !== 'unfinished').slice(0, 100);
      health = { ...report, lastPass: new Date().toISOString(), problems, failed: null };
      if (!report.ok) warn(dir, problems);
    });
    running.once('error', (error) => {
      health = { ...health, failed: error.message };
      process.stderr.write(`deed: the background check of ${dir} failed: ${error.message}\n`);
    });
    running.once('exit', () => {
      worker = undefined;
      again();
    });
  };
  again();

  return {
    health: () => health,
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await worker?.terminate();
    },
  };
}

function warn(dir: string, problems: readonly Problem[]): void {
  const named = problems.slice(0, 5).map(({ where, what }) => `  ${where}: ${what}`);
  process.stderr.write(
    `deed: DAMAGE in ${dir}: ${problems.length} problems. Run deed log fsck, then docs/restore.md.\n${named.join('\n')}\n`,
  );
}

import { Worker } from 'node:worker_threads';
import { answerOf } from '../thread-answer.ts';
import { maxProblems } from './found.ts';
import type { Ranges, Verified } from './signature-worker.ts';

/** Verifies the signatures of the first `size` entries on threads, each with its own connection. Memory: the same for every size. */
export function verifyOnThreads(folder: string, size: number, threads: number) {
  // The sources run as they are, built files under their own name.
  const file = import.meta.url.endsWith('.ts') ? './signature-worker.ts' : './signature-worker.js';
  const workerData: Ranges = { folder, size, taken: new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT) };
  // Rows are forgotten at once: a small room for the young is swept more often, and holds fewer of them.
  const resourceLimits = { maxYoungGenerationSizeMb: 8 };
  const workers = Array.from(
    { length: threads },
    () => new Worker(new URL(file, import.meta.url), { workerData, resourceLimits }),
  );
  const done = Promise.all(workers.map((worker) => answerOf<Verified>(worker))).then((parts): Verified => {
    // Each part has the first it found, so the first of all are among them.
    const unsigned = parts.flatMap((part) => part.unsigned).sort((a, b) => a - b);
    return { unsigned: unsigned.slice(0, maxProblems), unread: parts.find((part) => part.unread)?.unread ?? null };
  });
  done.catch(() => {}); // said to whoever awaits it, also when that is later
  return { done, stop: () => Promise.all(workers.map((worker) => worker.terminate())) };
}

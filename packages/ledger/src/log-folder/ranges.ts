import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Reason } from '@deed/evidence';
import { type Bent, Comparison } from './comparison.ts';

/** Entries whose tiles of the two lowest levels can be made apart from all others. */
export const rangeEntries = 256 * 256;

/** What the comparison of one whole range gave. */
export interface ComparedRange {
  /** Root of the range; null if a bundle could not be had. */
  readonly root: Uint8Array | null;
  readonly entries: number;
  readonly files: number;
  readonly bent: ReadonlyMap<string, Bent>;
  readonly reasons: readonly Reason[];
}

export function compareRange(folder: string, range: number): ComparedRange {
  const first = range * rangeEntries;
  const comparison = new Comparison(folder, first);
  const isWhole = comparison.appendEntries(first, first + rangeEntries);
  const { entries, files, bent, reasons } = comparison;
  return { root: isWhole ? comparison.stream.root() : null, entries, files, bent, reasons };
}

/** Compares the first `count` ranges, each thread one after the other. */
export async function compareRanges(folder: string, count: number, threads: number): Promise<readonly ComparedRange[]> {
  const compared: ComparedRange[] = [];
  if (Math.min(count, threads) < 2) {
    for (let range = 0; range < count; range++) compared.push(compareRange(folder, range));
    return compared;
  }
  // The sources run as they are, built files under their own name.
  const file = import.meta.url.endsWith('.ts') ? './range-worker.ts' : './range-worker.js';
  let taken = 0;
  const work = async () => {
    const worker = new Worker(new URL(file, import.meta.url), { workerData: folder });
    try {
      for (let range = taken++; range < count; range = taken++) {
        worker.postMessage(range);
        // Its error is thrown here.
        const [answer] = await once(worker, 'message');
        compared[range] = answer;
      }
    } finally {
      await worker.terminate();
    }
  };
  await Promise.all(Array.from({ length: Math.min(count, threads) }, work));
  return compared;
}

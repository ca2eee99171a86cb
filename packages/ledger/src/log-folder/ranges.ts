import { Worker } from 'node:worker_threads';
import type { Reason } from '@deed/evidence';
import { answerOf } from '../thread-answer.ts';
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

/** The work of all threads. They take one range after the other, so that none is idle before the end. */
export interface RangeWork {
  readonly folder: string;
  /** How many ranges there are, and how many of them were taken: one 32-bit number. */
  readonly count: number;
  readonly taken: SharedArrayBuffer;
}

export type ComparedRanges = ReadonlyMap<number, ComparedRange>;

/** Compares ranges until none is left to take. */
export function compareTaken({ folder, count, taken }: RangeWork): ComparedRanges {
  const counter = new Int32Array(taken);
  const compared = new Map<number, ComparedRange>();
  for (let range = Atomics.add(counter, 0, 1); range < count; range = Atomics.add(counter, 0, 1)) {
    compared.set(range, compareRange(folder, range));
  }
  return compared;
}

/** Compares the first `count` ranges, on so many threads, this one among them. */
export async function compareRanges(folder: string, count: number, threads: number): Promise<readonly ComparedRange[]> {
  const work: RangeWork = { folder, count, taken: new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT) };
  // The sources run as they are, built files under their own name.
  const file = import.meta.url.endsWith('.ts') ? './range-worker.ts' : './range-worker.js';
  const others = Array.from({ length: Math.max(0, Math.min(count, threads) - 1) }, () => {
    const worker = new Worker(new URL(file, import.meta.url), { workerData: work });
    return answerOf<ComparedRanges>(worker);
  });
  const parts = [compareTaken(work), ...(await Promise.all(others))];
  const all = new Map(parts.flatMap((part) => [...part]));
  return Array.from({ length: count }, (_, range) => all.get(range) as ComparedRange);
}

function compareRange(folder: string, range: number): ComparedRange {
  const first = range * rangeEntries;
  const comparison = new Comparison(folder, first);
  const isWhole = comparison.appendEntries(first, first + rangeEntries);
  const { entries, files, bent, reasons } = comparison;
  return { root: isWhole ? comparison.stream.root() : null, entries, files, bent, reasons };
}

import { parentPort, workerData } from 'node:worker_threads';
import { compareTaken, type RangeWork } from './ranges.ts';

/** A thread of {@link compareRanges}. */
parentPort?.postMessage(compareTaken(workerData as RangeWork));

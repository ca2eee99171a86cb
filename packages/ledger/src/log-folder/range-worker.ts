import { parentPort, workerData } from 'node:worker_threads';
import { compareRange } from './ranges.ts';

/** The thread of {@link compareRanges}: it is sent ranges and answers each. */
parentPort?.on('message', (range: number) => parentPort?.postMessage(compareRange(workerData as string, range)));

import { parentPort, workerData } from 'node:worker_threads';
import { examineFolder } from './examination.ts';

/** The thread of {@link startScrub}: one pass over the folder, asleep for the rest of its share, then the report. */
const { dir, share } = workerData as { readonly dir: string; readonly share: number };
const never = new Int32Array(new SharedArrayBuffer(4));
let since = performance.now();
const report = examineFolder(dir, () => {
  const workedMs = performance.now() - since;
  Atomics.wait(never, 0, 0, workedMs * (1 / share - 1));
  since = performance.now();
});
parentPort?.postMessage(report);

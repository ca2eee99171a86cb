import { type MessagePort, workerData } from 'node:worker_threads';
import { type Bundle, type BundleFile, bundleOf } from './bundle.ts';
import { type Evaluation, evaluate } from './evaluate.ts';
import type { PolicyRequest } from './request.ts';

/** One question to the thread. */
export interface DecisionQuestion {
  readonly id: number;
  readonly bundle: string;
  /** The files of the bundle, the first time that it is asked for. */
  readonly files?: readonly BundleFile[];
  readonly requests: readonly PolicyRequest[];
}

export type DecisionAnswer =
  | { readonly id: number; readonly evaluation: Evaluation }
  | { readonly id: number; readonly failed: string };

/** What the thread is given when it starts. */
export interface DecisionThreadData {
  /** Four bytes: the number of the newest question whose answer is there. */
  readonly raised: SharedArrayBuffer;
  readonly port: MessagePort;
}

const { raised, port } = workerData as DecisionThreadData;
const word = new Int32Array(raised);
const bundles = new Map<string, Bundle>();

function answer({ id, bundle: digest, files, requests }: DecisionQuestion): DecisionAnswer {
  try {
    const bundle = bundles.get(digest) ?? bundleOf(files ?? []);
    if (bundle.digest !== digest) return { id, failed: `asked for bundle ${digest}, given ${bundle.digest}` };
    bundles.set(digest, bundle);
    return { id, evaluation: evaluate(bundle, requests) };
  } catch (error) {
    return { id, failed: error instanceof Error ? error.message : String(error) };
  }
}

port.on('message', (question: DecisionQuestion) => {
  port.postMessage(answer(question));
  Atomics.store(word, 0, question.id);
  Atomics.notify(word, 0);
});

import { parentPort, workerData } from 'node:worker_threads';
import { type BundleFile, bundleOf } from './bundle.ts';
import { type EngineFiles, loadEngine } from './engine.ts';
import { type Evaluation, evaluate } from './evaluate.ts';
import { type FactSource, factsOf } from './facts.ts';
import { type PolicyRequest, withFacts } from './request.ts';

export interface EvaluationJob {
  readonly requests: readonly PolicyRequest[];
  /** Take the facts anew from this call, as this bundle declares them. */
  readonly source?: FactSource | null;
}

/** What is to be evaluated: by which engine, under which bundle. */
export interface EvaluationWork {
  readonly engine: EngineFiles;
  readonly files: readonly BundleFile[];
  readonly jobs: readonly EvaluationJob[];
}

/** The evaluations in the order of the jobs, or why the bundle does not do. */
export type EvaluationAnswer =
  | { readonly bundle: string; readonly evaluations: readonly Evaluation[] }
  | { readonly code: string; readonly message: string };

function work({ engine, files, jobs }: EvaluationWork): EvaluationAnswer {
  try {
    const cedar = loadEngine(engine);
    const bundle = bundleOf(files, cedar);
    const evaluations = jobs.map(({ requests, source }) => {
      const asked = source ? withFacts(requests, factsOf(bundle.facts, source)) : requests;
      return evaluate(bundle, asked, cedar);
    });
    return { bundle: bundle.digest, evaluations };
  } catch (error) {
    const { message } = error as Error;
    return { code: error instanceof Error && 'code' in error ? String(error.code) : 'internal', message };
  }
}

parentPort?.postMessage(work(workerData as EvaluationWork));

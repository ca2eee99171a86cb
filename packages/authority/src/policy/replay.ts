import { Worker } from 'node:worker_threads';
import type { Decision } from '@deed/evidence';
import { AuthorityError, type AuthorityErrorCode } from '../errors.ts';
import { type BundleFile, readBundleFiles } from './bundle.ts';
import { cedarEngine, engineFiles } from './engine.ts';
import type { Evaluation } from './evaluate.ts';
import type { EvaluationAnswer, EvaluationJob, EvaluationWork } from './evaluation-worker.ts';
import { type PolicyRequest, parseInputs } from './request.ts';

/** A recorded decision with what it was made from. */
export interface Replayable {
  readonly decision: Decision;
  readonly inputs: Uint8Array;
}

/** Where engines and bundles come from: a data folder, or the members of a case with a data folder for older engines. */
export interface Archive {
  readonly dir: string | null;
  /** @throws AuthorityError policy-invalid (it is not here) */
  readonly bundle: (digest: string) => readonly BundleFile[];
}

/** What came out. `differs` names what is not as recorded; empty: outcome, set of reasons and errors are the same. */
export type Replayed =
  | { readonly evaluation: Evaluation; readonly differs: readonly ('outcome' | 'reasons' | 'errors' | 'quorum')[] }
  | { readonly failed: AuthorityErrorCode; readonly message: string };

/**
 * Decides recorded decisions again, each by the engine and the bundle that it names, in a thread where neither can meet
 * what decides now. The answers are in the order given.
 */
export async function replayAll(given: readonly Replayable[], archive: Archive): Promise<readonly Replayed[]> {
  const groups = Map.groupBy(given, ({ decision }) => `${decision.engine.sha256} ${decision.bundle}`);
  const answers = new Map<Replayable, Replayed>();
  for (const group of groups.values()) {
    const [first] = group;
    if (!first) continue;
    const { engine, bundle } = first.decision;
    const ready: { readonly one: Replayable; readonly requests: readonly PolicyRequest[] }[] = [];
    for (const one of group) {
      const answer = attempt(() => requestsOf(one));
      if ('failed' in answer) answers.set(one, answer);
      else ready.push({ one, requests: answer.value });
    }
    const jobs = ready.map(({ requests }) => ({ requests }));
    const evaluated = await evaluateApart(engine.sha256, () => archive.bundle(bundle), jobs, archive.dir, bundle);
    ready.forEach(({ one }, i) => {
      answers.set(one, 'failed' in evaluated ? evaluated : compared(one.decision, evaluated[i] as Evaluation));
    });
  }
  return given.map((one) => answers.get(one) as Replayed);
}

/** Evaluates requests under a bundle in `folder`, by the engine that decides now. @throws AuthorityError policy-invalid */
export async function evaluateCandidate(
  folder: string,
  jobs: readonly EvaluationJob[],
): Promise<readonly Evaluation[]> {
  const answer = await evaluateApart(cedarEngine().sha256, () => readBundleFiles(folder), jobs, null, null);
  if ('failed' in answer) throw new AuthorityError(answer.failed, answer.message);
  return answer;
}

function requestsOf({ decision, inputs }: Replayable): readonly PolicyRequest[] {
  const recorded = parseInputs(inputs);
  if (recorded.bundle !== decision.bundle) {
    throw new AuthorityError('replay', `the decision names bundle ${decision.bundle}, its inputs ${recorded.bundle}`);
  }
  return recorded.requests;
}

type Failed = Extract<Replayed, { failed: unknown }>;

function attempt<T>(work: () => T): { readonly value: T } | Failed {
  try {
    return { value: work() };
  } catch (error) {
    if (error instanceof AuthorityError) return { failed: error.code, message: error.message };
    throw error;
  }
}

async function evaluateApart(
  engine: string,
  filesOf: () => readonly BundleFile[],
  jobs: readonly EvaluationJob[],
  dir: string | null,
  expected: string | null,
): Promise<readonly Evaluation[] | Failed> {
  const found = attempt((): EvaluationWork => ({ engine: engineFiles(engine, dir), files: filesOf(), jobs }));
  if ('failed' in found) return found;
  const answer = await answerOf(found.value);
  if ('code' in answer) {
    if (answer.code === 'internal') throw new Error(answer.message);
    return { failed: answer.code as AuthorityErrorCode, message: answer.message };
  }
  if (expected !== null && answer.bundle !== expected) {
    return { failed: 'replay', message: `decided by bundle ${expected}, but what is here is ${answer.bundle}` };
  }
  return answer.evaluations;
}

function answerOf(workerData: EvaluationWork): Promise<EvaluationAnswer> {
  // The sources run as they are, built files under their own name.
  const file = import.meta.url.endsWith('.ts') ? './evaluation-worker.ts' : './evaluation-worker.js';
  const worker = new Worker(new URL(file, import.meta.url), { workerData });
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`the thread that evaluates ended with ${code}`)));
  });
}

/** Reasons are a set: engines list them in any order. */
function compared(decision: Decision, evaluation: Evaluation): Replayed {
  const same = (a: readonly string[], b: readonly string[]) => [...a].sort().join('\0') === [...b].sort().join('\0');
  const differs = [
    ...(evaluation.outcome === decision.outcome ? [] : (['outcome'] as const)),
    ...(same(evaluation.reasons, decision.reasons) ? [] : (['reasons'] as const)),
    ...(same(evaluation.errors, decision.errors) ? [] : (['errors'] as const)),
    ...(JSON.stringify(evaluation.quorum) === JSON.stringify(decision.quorum) ? [] : (['quorum'] as const)),
  ];
  return { evaluation, differs };
}

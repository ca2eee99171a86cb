import { sha256, toHex } from '@deed/evidence';
import type { Bundle } from './bundle.ts';
import { type DecisionThread, decisionThread } from './decision-thread.ts';
import type { Evaluation } from './evaluate.ts';
import type { PolicyRequest } from './request.ts';

const maxTasks = 2000;
const maxEach = 256;

/** For whom something is decided. */
export interface ForTask {
  readonly task: string;
  readonly epoch: number;
  /** Nothing is remembered for a task that is closed. */
  readonly isOpen: boolean;
}

/**
 * What policy said of requests that were the same to the byte, under the same bundle, in the same task and epoch. Sound because an
 * evaluation depends on nothing else; what had an error is never remembered. The oldest go first when there is no room.
 */
export class DecisionCache {
  private readonly thread: DecisionThread;
  private readonly tasks = new Map<string, Map<string, Evaluation>>();

  constructor(thread: DecisionThread = decisionThread) {
    this.thread = thread;
  }

  /** @param inputs the exact bytes that the decision records: bundle and requests */
  evaluate(
    bundle: Bundle,
    requests: readonly PolicyRequest[],
    inputs: Uint8Array,
    { task, epoch, isOpen }: ForTask,
  ): Evaluation {
    const key = `${bundle.digest} ${epoch} ${toHex(sha256(inputs))}`;
    const remembered = this.tasks.get(task)?.get(key);
    if (remembered && isOpen) return remembered;
    const evaluation = this.thread.evaluate(bundle, requests);
    if (isOpen && evaluation.errors.length === 0) this.remember(task, key, evaluation);
    return evaluation;
  }

  /** A task closed: nothing of it is remembered. */
  forget(task: string): void {
    this.tasks.delete(task);
  }

  /** How many are remembered for a task. */
  sizeOf(task: string): number {
    return this.tasks.get(task)?.size ?? 0;
  }

  private remember(task: string, key: string, evaluation: Evaluation): void {
    const own = this.tasks.get(task) ?? new Map<string, Evaluation>();
    this.tasks.set(task, own);
    own.set(key, evaluation);
    dropOldest(own, maxEach);
    dropOldest(this.tasks, maxTasks);
  }
}

function dropOldest(map: Map<string, unknown>, max: number): void {
  if (map.size <= max) return;
  const [oldest] = map.keys();
  if (oldest !== undefined) map.delete(oldest);
}

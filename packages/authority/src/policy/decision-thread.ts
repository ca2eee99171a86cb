import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import type { Bundle } from './bundle.ts';
import type { DecisionAnswer, DecisionQuestion, DecisionThreadData } from './decision-worker.ts';
import type { Evaluation } from './evaluate.ts';
import type { PolicyRequest } from './request.ts';

/** An engine keeps all that it ever parsed: after so many bundles the thread starts anew. */
const mostBundles = 4;
const limits = { startMs: 20_000, answerMs: 5_000 } as const;

// The sources run as they are, built files under their own name.
const ownModule = new URL(
  import.meta.url.endsWith('.ts') ? './decision-worker.ts' : './decision-worker.js',
  import.meta.url,
);

/** How long the thread may take, and which module it runs, where the defaults do not do. */
export interface ThreadOptions {
  readonly startMs?: number;
  readonly answerMs?: number;
  readonly module?: URL;
}

interface Running {
  readonly worker: Worker;
  readonly port: MessagePort;
  readonly word: Int32Array;
  readonly bundles: Set<string>;
}

/**
 * The thread in which policy is evaluated, with its bundles parsed before. It is asked synchronously, with a time limit: a step
 * that decides has no await in it, and an engine that hangs, dies or talks nonsense denies what was asked and is replaced.
 */
export class DecisionThread {
  private readonly startMs: number;
  private readonly answerMs: number;
  private readonly module: URL;
  private running: Running | undefined;
  private asked = 0;

  constructor({ startMs = limits.startMs, answerMs = limits.answerMs, module = ownModule }: ThreadOptions = {}) {
    this.startMs = startMs;
    this.answerMs = answerMs;
    this.module = module;
  }

  /** As `evaluate`. It does not throw: whatever goes wrong denies, and is an error of the evaluation. */
  evaluate(bundle: Bundle, requests: readonly PolicyRequest[]): Evaluation {
    if (this.running && this.running.bundles.size >= mostBundles && !this.running.bundles.has(bundle.digest))
      this.end();
    const isNew = !this.running?.bundles.has(bundle.digest);
    try {
      return this.ask(bundle, requests, isNew ? this.startMs : this.answerMs);
    } catch (error) {
      this.end();
      return denied((error as Error).message);
    }
  }

  /** Ends the thread; the next question starts another. */
  end(): void {
    const { running } = this;
    this.running = undefined;
    running?.port.close();
    void running?.worker.terminate();
  }

  private ask(bundle: Bundle, requests: readonly PolicyRequest[], limitMs: number): Evaluation {
    this.running ??= start(this.module);
    const { port, word, bundles } = this.running;
    const id = ++this.asked;
    const files = bundles.has(bundle.digest) ? {} : { files: bundle.files };
    const question: DecisionQuestion = { id, bundle: bundle.digest, ...files, requests };
    const before = Atomics.load(word, 0);
    port.postMessage(question);
    if (Atomics.wait(word, 0, before, limitMs) === 'timed-out') {
      throw new Error(`policy was not evaluated within ${limitMs} ms`);
    }
    const answer = receiveMessageOnPort(port)?.message as DecisionAnswer | undefined;
    if (answer?.id !== id) throw new Error('the thread that evaluates policy gave no answer to this');
    if ('failed' in answer) throw new Error(`policy could not be evaluated: ${answer.failed}`);
    bundles.add(bundle.digest);
    return answer.evaluation;
  }
}

function start(module: URL): Running {
  const raised = new SharedArrayBuffer(4);
  const { port1: port, port2 } = new MessageChannel();
  const data: DecisionThreadData = { raised, port: port2 };
  const worker = new Worker(module, { workerData: data, transferList: [port2] });
  // It holds no process open, and its death is seen by the one who asks.
  worker.unref();
  port.unref();
  worker.on('error', () => {});
  return { worker, port, word: new Int32Array(raised), bundles: new Set() };
}

function denied(error: string): Evaluation {
  return { outcome: 'deny', tier: 'record', quorum: null, reasons: [], errors: [error] };
}

/** The thread of this process. Whoever decides shares it: an evaluation depends on nothing but what is asked. */
export const decisionThread = new DecisionThread();

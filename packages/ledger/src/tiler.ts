import { setImmediate as nextTurn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { ReadDatabase } from '@deed/store';
import { leafOf, readEntries } from './entry.ts';
import { LedgerError, type LedgerErrorCode } from './errors.ts';
import type { TileTree } from './tile-tree.ts';
import type { TileView, TreeState } from './tile-view.ts';

export interface TilerOptions {
  /** Own connection: it sees committed rows only. */
  readonly reader: ReadDatabase;
  /** The data folder. */
  readonly folder: string;
  /** Taken up at the published size. */
  readonly tree: TileTree;
  /** Shows each new size once its full tiles are in the folder. */
  readonly view: TileView;
  /** When so many entries came at once, a thread of its own makes the tiles from then on; 0: from the start. */
  readonly ownThreadFrom: number;
}

/** What the thread begins with. */
export interface ThreadStart {
  readonly folder: string;
  readonly size: number;
}

/** What the thread is asked for, one at a time. */
export type ThreadRequest = 'advance' | 'advance with partials' | 'close';

export type ThreadAnswer =
  | { readonly done: TreeState }
  | { readonly failed: { readonly code: LedgerErrorCode; readonly message: string; readonly stack: string } };

const readAtOnce = 512;

/**
 * Makes tiles of committed rows. A log with little to do does it where it stands; under load a thread of its own takes over,
 * since commits and tiles then are work for two processors. Either writes the same bytes: tiles are a pure function of the rows.
 */
export class Tiler {
  private readonly options: TilerOptions;
  private thread: Thread | undefined;
  private size: number;

  constructor(options: TilerOptions) {
    this.options = options;
    this.size = options.tree.size;
  }

  /** Brings the tree up to the committed rows and shows it; `partials`: writes the incomplete tiles too. @throws LedgerError damaged */
  async advance({ partials = false } = {}): Promise<void> {
    const { reader, folder, tree, view, ownThreadFrom } = this.options;
    const waiting = (reader.get<{ size: number }>('SELECT size FROM head')?.size ?? 0) - this.size;
    if (!this.thread && waiting >= ownThreadFrom) this.thread = new Thread({ folder, size: this.size });
    if (this.thread) view.show(await this.thread.ask(partials ? 'advance with partials' : 'advance'));
    else {
      while (appendCommitted(reader, tree)) await nextTurn();
      if (partials) tree.writePartials();
      else tree.flush();
      view.show(tree.state());
    }
    this.size = view.size;
  }

  async close(): Promise<void> {
    await this.thread?.close();
  }
}

/** Appends the next committed rows. False when there are no more. @throws LedgerError damaged */
export function appendCommitted(reader: ReadDatabase, tree: TileTree): boolean {
  const head = reader.get<{ size: number }>('SELECT size FROM head')?.size ?? 0;
  for (const entry of readEntries(reader, tree.size, Math.min(head, tree.size + readAtOnce))) {
    if (entry.index !== tree.size) throw new LedgerError('damaged', `entry ${tree.size} is absent`);
    tree.append(leafOf(entry));
  }
  return tree.size < head;
}

/** The other end of `tiler-thread.ts`. It keeps the process alive while it is asked, and only then. */
class Thread {
  private readonly worker: Worker;
  private readonly ended: Promise<unknown>;
  private waiting: PromiseWithResolvers<TreeState> | undefined;

  constructor(start: ThreadStart) {
    // The sources run as they are, built files under their own name.
    const file = import.meta.url.endsWith('.ts') ? './tiler-thread.ts' : './tiler-thread.js';
    this.worker = new Worker(new URL(file, import.meta.url), { workerData: start });
    this.worker.unref();
    this.worker.on('message', (answer: ThreadAnswer) => {
      if ('done' in answer) this.waiting?.resolve(answer.done);
      else this.waiting?.reject(failureOf(answer.failed));
    });
    this.worker.on('error', (error) => this.waiting?.reject(error));
    this.ended = new Promise((resolve) => {
      this.worker.once('exit', () => {
        this.waiting?.reject(new Error('the thread that makes the tiles has ended'));
        resolve(undefined);
      });
    });
  }

  async ask(request: ThreadRequest): Promise<TreeState> {
    this.waiting = Promise.withResolvers();
    this.worker.ref();
    this.worker.postMessage(request);
    try {
      return await this.waiting.promise;
    } finally {
      this.waiting = undefined;
      this.worker.unref();
    }
  }

  async close(): Promise<void> {
    this.worker.ref();
    this.worker.postMessage('close' satisfies ThreadRequest);
    await this.ended;
  }
}

function failureOf({ code, message, stack }: Extract<ThreadAnswer, { failed: unknown }>['failed']): LedgerError {
  return Object.assign(new LedgerError(code, message), { stack });
}

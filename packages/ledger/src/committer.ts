import { leafVersion } from '@deed/evidence';
import type { Database, Transaction } from '@deed/store';
import type { Signer } from './signer.ts';

/** One statement on its way into the log. */
export interface Item {
  readonly series: string;
  readonly n: number;
  readonly payload: Uint8Array;
  readonly digest: string;
  readonly signer: Signer;
  /** Nobody waits for it. */
  readonly patient: boolean;
  readonly apply: ((tx: Transaction, entry: { readonly index: number; readonly digest: string }) => void) | undefined;
  readonly resolve: (entry: { readonly index: number }) => void;
  readonly reject: (error: unknown) => void;
  /** Set when the pool has made it. */
  signature: Uint8Array | undefined;
}

export interface CommitterOptions {
  readonly database: Database;
  readonly maxBatch: number;
  /** Called after each commit with the log's new size. */
  readonly onCommitted: (items: readonly Item[], size: number) => void;
  /** Called once, when a signature, an `apply` or a commit failed. */
  readonly onFailed: (error: unknown) => void;
}

/** How long statements that nobody waits for may gather, in milliseconds, and how many: a commit holds up whatever else is to be done. */
const gatherMs = 200;
const maxGathered = 256;

/**
 * Puts signed statements into the log in the order of the queue. Signatures finish out of order, so a commit takes only the
 * ready beginning of the queue. The next commit begins in the next turn of the event loop, which lets other work in between and
 * groups what became ready meanwhile; there is a timer only while nobody waits for anything in the queue.
 */
export class Committer {
  private readonly options: CommitterOptions;
  private readonly keys = new Map<string, number>();
  private queue: Item[] = [];
  private scheduled = false;
  private impatient = 0;
  private gathering: NodeJS.Timeout | undefined;
  private hurried = false;
  private failed = false;

  constructor(options: CommitterOptions) {
    this.options = options;
  }

  get waiting(): number {
    return this.queue.length;
  }

  push(item: Item, signature: Promise<Uint8Array>): void {
    this.queue.push(item);
    if (!item.patient) this.impatient++;
    signature.then(
      (bytes) => {
        item.signature = bytes;
        this.schedule();
      },
      (error) => this.fail(error),
    );
  }

  /** Rejects all that waits; nothing more is committed. */
  stop(error: unknown): void {
    this.failed = true;
    clearTimeout(this.gathering);
    for (const item of this.queue) item.reject(error);
    this.queue = [];
  }

  /** Commits what there is without waiting for more. */
  hurry(): void {
    this.hurried = true;
    this.schedule();
  }

  private schedule(): void {
    if (this.scheduled || this.failed || this.queue[0]?.signature === undefined) return;
    if (this.impatient === 0 && this.queue.length < maxGathered && !this.hurried) {
      this.gathering ??= setTimeout(() => this.hurry(), gatherMs);
      return;
    }
    clearTimeout(this.gathering);
    this.gathering = undefined;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      if (!this.failed) this.commitReady();
    });
  }

  private commitReady(): void {
    let ready = 0;
    while (ready < this.options.maxBatch && this.queue[ready]?.signature !== undefined) ready++;
    const batch = this.queue.slice(0, ready);
    let first: number;
    try {
      first = this.options.database.transaction((tx) => this.write(tx, batch));
    } catch (error) {
      this.fail(error);
      return;
    }
    this.queue.splice(0, ready);
    this.impatient -= batch.filter(({ patient }) => !patient).length;
    if (this.queue.length === 0) this.hurried = false;
    this.options.onCommitted(batch, first + batch.length);
    batch.forEach((item, i) => {
      item.resolve({ index: first + i });
    });
    this.schedule();
  }

  private write(tx: Transaction, batch: readonly Item[]): number {
    const first = tx.get<{ size: number }>('SELECT size FROM head')?.size ?? 0;
    batch.forEach((item, i) => {
      const index = first + i;
      tx.run(
        'INSERT INTO entry (idx, leaf_version, series, n, key, sig, body) VALUES (?, ?, ?, ?, ?, ?, ?)',
        index,
        leafVersion,
        item.series,
        item.n,
        this.key(tx, item.signer),
        item.signature ?? new Uint8Array(),
        item.payload,
      );
      item.apply?.(tx, { index, digest: item.digest });
    });
    const size = first + batch.length;
    if (tx.run('UPDATE head SET size = ? WHERE size = ?', size, first) !== 1) throw new Error('the head moved');
    return first;
  }

  private key(tx: Transaction, signer: Signer): number {
    let id = this.keys.get(signer.keyid);
    if (id === undefined) {
      tx.run('INSERT INTO key (keyid, spki) VALUES (?, ?) ON CONFLICT (keyid) DO NOTHING', signer.keyid, signer.spki);
      id = tx.get<{ id: number }>('SELECT id FROM key WHERE keyid = ?', signer.keyid)?.id ?? 0;
      this.keys.set(signer.keyid, id);
    }
    return id;
  }

  private fail(error: unknown): void {
    if (this.failed) return;
    this.failed = true;
    this.options.onFailed(error);
  }
}

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

/**
 * Puts signed statements into the log in the order of the queue. Signatures finish out of order, so a commit takes only the
 * ready beginning of the queue. There is no timer: the next commit begins in the next turn of the event loop, which lets
 * other work in between and groups what became ready meanwhile.
 */
export class Committer {
  private readonly options: CommitterOptions;
  private readonly keys = new Map<string, number>();
  private queue: Item[] = [];
  private scheduled = false;
  private failed = false;

  constructor(options: CommitterOptions) {
    this.options = options;
  }

  get waiting(): number {
    return this.queue.length;
  }

  push(item: Item, signature: Promise<Uint8Array>): void {
    this.queue.push(item);
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
    for (const item of this.queue) item.reject(error);
    this.queue = [];
  }

  private schedule(): void {
    if (this.scheduled || this.failed || this.queue[0]?.signature === undefined) return;
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

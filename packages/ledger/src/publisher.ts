import { consistencyProofFrom } from '@deed/evidence';
import type { Checkpoints, PublishedCheckpoint } from './checkpoints.ts';
import { LedgerError } from './errors.ts';
import type { KnownLogKey } from './log-key-spans.ts';
import type { LogKeys } from './log-keys.ts';
import { beginSigning, noteOf, resumeSigning, type Signing } from './signing.ts';
import type { TileFolder } from './tile-folder.ts';
import type { TileView } from './tile-view.ts';
import type { Tiler } from './tiler.ts';
import type { TreeView, WitnessClient } from './witness/client.ts';
import type { Cosigners } from './witness/cosigners.ts';

export interface PublisherOptions {
  readonly tiler: Tiler;
  /** Where the tiler shows the tree. */
  readonly tree: TileView;
  readonly folder: TileFolder;
  readonly checkpoints: Checkpoints;
  readonly logKeys: LogKeys;
  /** Every key that the log ever had, with its span. */
  readonly knownKeys: readonly KnownLogKey[];
  readonly cosigners: Cosigners;
  readonly intervalMs: number;
  /** An idle log's newest checkpoint is cosigned again after about this long. */
  readonly recosignMs: number;
  readonly clock: () => number;
  readonly onFailed: (error: unknown) => void;
}

type Wanted = 'published' | 'witnessed';

interface Waiter {
  readonly index: number;
  readonly wanted: Wanted;
  readonly resolve: (checkpoint: PublishedCheckpoint) => void;
  readonly reject: (error: unknown) => void;
}

interface Alarm {
  readonly timer: NodeJS.Timeout;
  readonly atMs: number;
}

/**
 * Makes tiles and checkpoints from committed rows: full tiles first (created, never overwritten), then partial ones, then the
 * checkpoint signed, cosigned, stored and published. Restart is its normal path. A witness that does not answer delays
 * nobody: the checkpoint goes out with the log's own signatures and is cosigned later. While nothing new comes, the newest
 * checkpoint is cosigned again from time to time, so that a stale view of the log shows.
 */
export class Publisher {
  private readonly options: PublisherOptions;
  private readonly view: TreeView;
  private waiters: Waiter[] = [];
  private current: Signing | undefined;
  /** The published note lacks a cosignature that there is. */
  private unpublished = false;
  /** What was taken up at the start was cosigned some time ago. */
  private renewAtMs = 0;
  private readonly asking = new Set<Promise<void>>();
  private alarm: Alarm | undefined;
  private running: Promise<void> | undefined;
  private again: 'no' | 'later' | 'now' = 'no';
  private stopped: unknown;
  private closing = false;

  constructor(options: PublisherOptions) {
    this.options = options;
    const { tree, checkpoints, cosigners, knownKeys } = options;
    this.view = {
      get size() {
        return tree.size;
      },
      rootAt: (size) => tree.rootAt(size),
      consistencyProof: (oldSize, newSize) => consistencyProofFrom(tree.read, oldSize, newSize),
    };
    const { latest, latestWitnessed } = checkpoints;
    const resumed = (note: string) => resumeSigning(note, knownKeys, cosigners.witnesses);
    if (latest) {
      this.current = resumed(latest.note);
      cosigners.remember(this.current);
    }
    // It was enough by the rule of its day; callers want what is enough today.
    if (latestWitnessed && !cosigners.isEnough(resumed(latestWitnessed.note).cosignatures)) {
      checkpoints.latestWitnessed = undefined;
    }
  }

  get tree(): TreeView {
    return this.view;
  }

  /** New rows were committed, or (`now`) somebody waits for a cosignature. */
  wake(how: 'later' | 'now' = 'later'): void {
    if (this.stopped) return;
    if (!this.running) this.schedule(how === 'now' ? 0 : this.options.intervalMs);
    else if (this.again !== 'now') this.again = how;
  }

  /** Resolves with a checkpoint that covers the entry. Callers set their own limit by `signal`. @throws LedgerError stopped, witness */
  covering(index: number, wanted: Wanted, signal?: AbortSignal): Promise<PublishedCheckpoint> {
    const { checkpoints, cosigners } = this.options;
    if (wanted === 'witnessed' && !cosigners.canWitness) {
      return Promise.reject(new LedgerError('witness', 'no witness is configured, so nothing will ever be witnessed'));
    }
    const known = wanted === 'witnessed' ? checkpoints.latestWitnessed : checkpoints.latest;
    if (known && known.size > index) return Promise.resolve(wanted === 'witnessed' ? this.give(known) : known);
    if (this.stopped) return Promise.reject(this.stopped);
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { index, wanted, resolve, reject };
      this.waiters.push(waiter);
      signal?.addEventListener('abort', () => {
        this.waiters = this.waiters.filter((other) => other !== waiter);
        reject(signal.reason);
      });
      if (wanted === 'witnessed') {
        cosigners.hurry();
        this.wake('now');
      }
    });
  }

  /** Publishes all that is committed, with whatever cosignatures can be had, and ends. */
  async close(): Promise<void> {
    this.closing = true;
    clearTimeout(this.alarm?.timer);
    await this.running;
    if (!this.stopped) await this.run();
    await Promise.all(this.asking);
    this.stop(new LedgerError('stopped', 'the ledger was closed'));
  }

  stop(error: unknown): void {
    if (this.stopped) return;
    this.stopped = error;
    clearTimeout(this.alarm?.timer);
    this.alarm = undefined;
    for (const waiter of this.waiters) waiter.reject(error);
    this.waiters = [];
  }

  /** One alarm is set, the earliest that was asked for. Time asleep does not count, so waking up rings it once. */
  private schedule(delayMs: number, { keepsProcess = true } = {}): void {
    const atMs = performance.now() + delayMs;
    if (this.closing || this.stopped) return;
    if (this.alarm && this.alarm.atMs <= atMs) {
      if (keepsProcess) this.alarm.timer.ref();
      return;
    }
    clearTimeout(this.alarm?.timer);
    const timer = setTimeout(() => {
      this.alarm = undefined;
      this.again = 'no';
      this.running = this.run().finally(() => {
        this.running = undefined;
        if (this.again !== 'no') this.wake(this.again);
        this.lookAfter();
      });
    }, delayMs);
    if (!keepsProcess) timer.unref();
    this.alarm = { timer, atMs };
  }

  private async run(): Promise<void> {
    try {
      await this.tick();
    } catch (error) {
      if (!this.stopped) this.options.onFailed(error);
    }
  }

  private async tick(): Promise<void> {
    const { tiler, tree, logKeys, knownKeys, cosigners, clock } = this.options;
    await tiler.advance({ partials: true });
    if (this.stopped) return;
    if (tree.size > (this.options.checkpoints.latest?.size ?? 0)) {
      const checkpoint = { origin: logKeys.origin, size: tree.size, root: tree.root() };
      this.current = beginSigning(logKeys, knownKeys, checkpoint, clock());
    }
    const { current } = this;
    if (!current) return;
    if (performance.now() >= this.renewAtMs) {
      cosigners.renew();
      this.renewLater();
    }
    const due = cosigners.due(current);
    // One that failed before is asked too, and gets no chance to delay the publication.
    const waitedFor = new Set(due.filter((witness) => cosigners.isReliable(witness)));
    const asks = due.map((witness) => ({ witness, done: this.ask(witness, current, waitedFor.has(witness)) }));
    await Promise.all(asks.filter(({ witness }) => waitedFor.has(witness)).map(({ done }) => done));
    if (this.stopped) return;
    if (this.unpublished || current.checkpoint.size > (this.options.checkpoints.latest?.size ?? 0)) {
      this.publish(current);
    }
  }

  /** Never rejects. What comes too late for its checkpoint is dropped. */
  private async ask(witness: WitnessClient, current: Signing, waitedFor: boolean): Promise<void> {
    const asking = (async () => {
      const { cosigners, checkpoints } = this.options;
      try {
        const signed = await cosigners.ask(witness, current, this.view);
        if (this.stopped || current !== this.current) return;
        if (signed) {
          this.unpublished = true;
          const isNews =
            cosigners.isEnough(current.cosignatures) && checkpoints.latestWitnessed?.size !== current.checkpoint.size;
          if (isNews || !waitedFor) this.publish(current);
        }
      } catch (error) {
        if (!this.stopped) this.options.onFailed(error);
      }
    })();
    this.asking.add(asking);
    await asking;
    this.asking.delete(asking);
    if (!this.running) this.lookAfter();
  }

  /** First the database, then the file: who reads the file can be given it again later. */
  private publish(current: Signing): void {
    const { checkpoints, folder, cosigners } = this.options;
    const witnessed = cosigners.isEnough(current.cosignatures);
    const { size } = current.checkpoint;
    const isServed = (waiter: Waiter) => waiter.index < size && (waiter.wanted === 'published' || witnessed);
    const served = this.waiters.filter(isServed);
    const note = noteOf(current);
    const stored = checkpoints.put(current.checkpoint, note, witnessed);
    const given = served.some(({ wanted }) => wanted === 'witnessed') ? this.give(stored) : stored;
    folder.writeCheckpoint(note);
    this.unpublished = false;
    this.renewLater();
    this.waiters = this.waiters.filter((waiter) => !isServed(waiter));
    for (const waiter of served) waiter.resolve(given);
  }

  /** What somebody was given of this size before, unless it is not enough by today's rule. */
  private give(checkpoint: PublishedCheckpoint): PublishedCheckpoint {
    const { checkpoints, knownKeys, cosigners } = this.options;
    const given = checkpoints.give(checkpoint);
    return cosigners.isEnough(resumeSigning(given.note, knownKeys, cosigners.witnesses).cosignatures)
      ? given
      : checkpoint;
  }

  /** Spread by a tenth, so that logs which started together do not ask together for ever. */
  private renewLater(): void {
    this.renewAtMs = performance.now() + this.options.recosignMs * (0.9 + Math.random() * 0.2);
  }

  /** Sets the alarm for those that did not sign, and for the next time that all are to sign again. */
  private lookAfter(): void {
    const { current } = this;
    const { cosigners } = this.options;
    if (!current || cosigners.witnesses.length === 0) return;
    const retryMs = cosigners.retryMs(current);
    if (retryMs !== undefined) this.schedule(retryMs, { keepsProcess: this.waiters.length > 0 });
    this.schedule(Math.max(0, this.renewAtMs - performance.now()), { keepsProcess: false });
  }
}

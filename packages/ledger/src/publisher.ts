import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  type Checkpoint,
  consistencyProofFrom,
  formatCheckpoint,
  formatNote,
  type NoteSignature,
  parseCheckpoint,
  parseNote,
} from '@deed/evidence';
import type { ReadDatabase } from '@deed/store';
import type { Checkpoints, PublishedCheckpoint } from './checkpoints.ts';
import { leafOf, readEntries } from './entry.ts';
import { LedgerError } from './errors.ts';
import { type KnownLogKey, signersOf } from './log-key-spans.ts';
import type { LogKeys } from './log-keys.ts';
import type { TileFolder } from './tile-folder.ts';
import type { TileTree } from './tile-tree.ts';
import type { TreeView, WitnessClient } from './witness/client.ts';

export interface PublisherOptions {
  /** Own connection: it sees committed rows only. */
  readonly reader: ReadDatabase;
  readonly tree: TileTree;
  readonly folder: TileFolder;
  readonly checkpoints: Checkpoints;
  readonly logKeys: LogKeys;
  /** Every key that the log ever had, with its span. */
  readonly knownKeys: readonly KnownLogKey[];
  readonly witnesses: readonly WitnessClient[];
  /** Cosignatures that make a checkpoint witnessed; at least 1 where there are witnesses. */
  readonly quorum: number;
  readonly intervalMs: number;
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

/** The checkpoint that is being cosigned. */
interface Current {
  readonly checkpoint: Checkpoint;
  readonly text: string;
  readonly ours: readonly NoteSignature[];
  readonly cosignatures: Map<string, NoteSignature>;
}

interface Patience {
  failures: number;
  notBeforeMs: number;
}

const readAtOnce = 512;
const firstRetryMs = 250;
const longestRetryMs = 30_000;

/**
 * Makes tiles and checkpoints from committed rows: full tiles first (created, never overwritten), then partial ones, then the
 * checkpoint signed, cosigned, stored and published. Restart is its normal path. A witness that does not answer delays
 * nobody: the checkpoint goes out with the log's own signatures and is cosigned later.
 */
export class Publisher {
  private readonly options: PublisherOptions;
  private readonly view: TreeView;
  private readonly patience = new Map<WitnessClient, Patience>();
  private waiters: Waiter[] = [];
  private current: Current | undefined;
  private timer: NodeJS.Timeout | undefined;
  /** The timer waits for a witness's next chance only; new entries do not wait with it. */
  private isRetry = false;
  private running: Promise<void> | undefined;
  private again: 'no' | 'later' | 'now' = 'no';
  private stopped: unknown;
  private closing = false;

  constructor(options: PublisherOptions) {
    this.options = options;
    const { tree, checkpoints } = options;
    this.view = {
      get size() {
        return tree.size;
      },
      rootAt: (size) => tree.rootAt(size),
      consistencyProof: (oldSize, newSize) => consistencyProofFrom(tree.read, oldSize, newSize),
    };
    if (checkpoints.latest) this.current = resumed(checkpoints.latest.note, options);
  }

  get tree(): TreeView {
    return this.view;
  }

  /** New rows were committed, or (`now`) somebody waits for a cosignature. */
  wake(how: 'later' | 'now' = 'later'): void {
    if (this.stopped) return;
    if (this.running) {
      if (this.again !== 'now') this.again = how;
    } else if (how === 'now') {
      this.schedule(0);
    } else if (!this.timer || this.isRetry) this.schedule(this.options.intervalMs);
  }

  /** Resolves with a checkpoint that covers the entry. Callers set their own limit by `signal`. @throws LedgerError stopped, witness */
  covering(index: number, wanted: Wanted, signal?: AbortSignal): Promise<PublishedCheckpoint> {
    const { checkpoints, witnesses } = this.options;
    if (wanted === 'witnessed' && witnesses.length === 0) {
      return Promise.reject(new LedgerError('witness', 'no witness is configured, so nothing will ever be witnessed'));
    }
    const known = wanted === 'witnessed' ? checkpoints.latestWitnessed : checkpoints.latest;
    if (known && known.size > index) {
      if (wanted === 'witnessed') checkpoints.keep(known.size);
      return Promise.resolve(known);
    }
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
        for (const patience of this.patience.values()) patience.notBeforeMs = 0;
        this.wake('now');
      }
    });
  }

  /** Brings the tree up to the committed rows, without publishing. @throws LedgerError damaged */
  async catchUp(): Promise<void> {
    const { reader, tree } = this.options;
    const head = reader.get<{ size: number }>('SELECT size FROM head')?.size ?? 0;
    while (tree.size < head) {
      for (const entry of readEntries(reader, tree.size, Math.min(head, tree.size + readAtOnce))) {
        if (entry.index !== tree.size) throw new LedgerError('damaged', `entry ${tree.size} is absent`);
        tree.append(leafOf(entry));
      }
      await nextTurn();
    }
  }

  /** Publishes all that is committed, with whatever cosignatures can be had, and ends. */
  async close(): Promise<void> {
    this.closing = true;
    clearTimeout(this.timer);
    await this.running;
    if (!this.stopped) await this.run();
    this.stop(new LedgerError('stopped', 'the ledger was closed'));
  }

  stop(error: unknown): void {
    if (this.stopped) return;
    this.stopped = error;
    clearTimeout(this.timer);
    this.timer = undefined;
    for (const waiter of this.waiters) waiter.reject(error);
    this.waiters = [];
  }

  private schedule(delayMs: number, { keepsProcess = true } = {}): void {
    clearTimeout(this.timer);
    this.isRetry = false;
    if (this.closing) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.again = 'no';
      this.running = this.run().finally(() => {
        this.running = undefined;
        if (this.stopped) return;
        if (this.again !== 'no') this.wake(this.again);
        else this.retryLater();
      });
    }, delayMs);
    if (!keepsProcess) this.timer.unref();
  }

  private async run(): Promise<void> {
    try {
      await this.tick();
    } catch (error) {
      if (!this.stopped) this.options.onFailed(error);
    }
  }

  private async tick(): Promise<void> {
    await this.catchUp();
    if (this.stopped) return;
    const { tree, checkpoints } = this.options;
    if (tree.size > (checkpoints.latest?.size ?? 0)) {
      tree.writePartials();
      this.current = this.signed({ origin: this.options.logKeys.origin, size: tree.size, root: tree.root() });
    }
    const current = this.current;
    if (!current) return;
    const asked = this.options.witnesses.filter((witness) => this.mayAsk(witness, current));
    // A witness that failed before gets no chance to delay the others' publication.
    const suspicious = asked.some((witness) => (this.patience.get(witness)?.failures ?? 0) > 0);
    const isNew = current.checkpoint.size > (checkpoints.latest?.size ?? 0);
    if (isNew && (suspicious || asked.length === 0)) this.publish(current);
    if (asked.length === 0) return;
    const before = current.cosignatures.size;
    await Promise.all(asked.map((witness) => this.ask(witness, current)));
    if (this.stopped) return;
    const isPublished = current.checkpoint.size === checkpoints.latest?.size;
    if (!isPublished || current.cosignatures.size > before) this.publish(current);
  }

  private signed(checkpoint: Checkpoint): Current {
    const text = formatCheckpoint(checkpoint);
    const seconds = Math.floor(this.options.clock() / 1000);
    const wanted = signersOf(this.options.knownKeys, checkpoint.size);
    const signers = this.options.logKeys.signers.filter(({ key }) => wanted.some((one) => one.key.id === key.id));
    if (signers.length < wanted.length || signers.length === 0) {
      throw new LedgerError('key', `a key that must sign the checkpoint of size ${checkpoint.size} is not here`);
    }
    const ours = signers.map((signer) => signer.sign(text, seconds));
    return { checkpoint, text, ours, cosignatures: new Map() };
  }

  private async ask(witness: WitnessClient, current: Current): Promise<void> {
    try {
      const ownNote = formatNote({ text: current.text, signatures: current.ours });
      current.cosignatures.set(witness.name, await witness.cosign(ownNote, current.checkpoint, this.view));
      this.patience.delete(witness);
    } catch (error) {
      if (!(error instanceof LedgerError) || error.code !== 'witness') throw error;
      const failures = (this.patience.get(witness)?.failures ?? 0) + 1;
      const delay = Math.min(longestRetryMs, firstRetryMs * 2 ** (failures - 1));
      this.patience.set(witness, { failures, notBeforeMs: performance.now() + delay });
    }
  }

  private mayAsk(witness: WitnessClient, current: Current): boolean {
    const patience = this.patience.get(witness);
    return !current.cosignatures.has(witness.name) && (!patience || patience.notBeforeMs <= performance.now());
  }

  /** First the database, then the file: who reads the file can be given it again later. */
  private publish(current: Current): void {
    const { checkpoints, folder, quorum, witnesses } = this.options;
    const witnessed = witnesses.length > 0 && current.cosignatures.size >= quorum;
    const { size } = current.checkpoint;
    const isServed = (waiter: Waiter) => waiter.index < size && (waiter.wanted === 'published' || witnessed);
    const kept = witnessed && this.waiters.some((waiter) => isServed(waiter) && waiter.wanted === 'witnessed');
    const signatures = [...current.ours, ...current.cosignatures.values()];
    const note = formatNote({ text: current.text, signatures });
    const stored = checkpoints.put(current.checkpoint, note, witnessed, kept);
    folder.writeCheckpoint(note);
    const served = this.waiters.filter(isServed);
    this.waiters = this.waiters.filter((waiter) => !isServed(waiter));
    for (const waiter of served) waiter.resolve(stored);
  }

  private retryLater(): void {
    const current = this.current;
    if (this.timer || !current || this.options.witnesses.every((witness) => current.cosignatures.has(witness.name)))
      return;
    const times = [...this.patience.values()].map((patience) => patience.notBeforeMs);
    const soonest = Math.min(longestRetryMs, ...times.map((time) => time - performance.now()));
    this.schedule(Math.max(firstRetryMs, soonest), { keepsProcess: this.waiters.length > 0 });
    this.isRetry = true;
  }
}

function resumed(noteText: string, options: PublisherOptions): Current {
  const note = parseNote(noteText);
  const ids = (witness: WitnessClient) =>
    note.signatures.find((line) => line.name === witness.key.name && line.id === witness.key.id);
  const cosignatures = new Map<string, NoteSignature>();
  for (const witness of options.witnesses) {
    const line = ids(witness);
    if (line) cosignatures.set(witness.name, line);
  }
  const ours = note.signatures.filter((line) =>
    options.knownKeys.some(({ key }) => key.name === line.name && key.id === line.id),
  );
  return { checkpoint: parseCheckpoint(note.text), text: note.text, ours, cosignatures };
}

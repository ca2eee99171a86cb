import type { Observed, Position, Separation, StatementParts, WrittenStatement } from '@deed/evidence';
import type { Database, Transaction } from '@deed/store';
import type { PublishedCheckpoint } from './checkpoints.ts';
import { Committer } from './committer.ts';
import { LedgerError } from './errors.ts';
import type { Publisher } from './publisher.ts';
import { newestTimeMs, type Place, SeriesHeads } from './series-heads.ts';
import type { Signer } from './signer.ts';

/** A statement that is to be made, signed and logged. */
export interface Draft {
  readonly predicate: string;
  readonly place: Place;
  readonly subject: { readonly name: string; readonly sha256: string };
  readonly observed: Observed;
  readonly separation: Separation;
  /** The predicate's own members, JSON. */
  readonly body: Readonly<Record<string, unknown>>;
  /** Default: the ledger's own (receipt) signer. */
  readonly signer?: Signer;
  /** Nobody waits for it: it may be committed a moment later, with others. */
  readonly patient?: boolean;
  /**
   * Changes of state that become durable with the entry, in its transaction. All checks come before: a throw here stops the
   * process.
   */
  readonly apply?: (tx: Transaction, entry: { readonly index: number; readonly digest: string }) => void;
}

/** A statement whose place is taken and whose bytes are made; signature and commit are under way. */
export interface Recorded {
  readonly predicate: string;
  readonly position: Position;
  /** Hex digest: the name by which other statements cite it. */
  readonly digest: string;
  /** The exact bytes that are signed. */
  readonly payload: Uint8Array;
  /** When entry and state are on the disk. @throws LedgerError stopped */
  readonly durable: Promise<{ readonly index: number }>;
  /** A published checkpoint that covers it. @throws LedgerError stopped */
  published(signal?: AbortSignal): Promise<PublishedCheckpoint>;
  /** A checkpoint that covers it and that the witnesses have signed; waits for as long as it takes. @throws LedgerError stopped, witness */
  witnessed(signal?: AbortSignal): Promise<PublishedCheckpoint>;
}

export interface RecordDoorOptions {
  readonly origin: string;
  readonly database: Database;
  readonly publisher: Publisher;
  readonly signer: Signer;
  readonly clock: () => number;
  /** Throws on what no verifier would read. */
  readonly write: (parts: StatementParts) => WrittenStatement;
  readonly maxQueue: number;
  readonly maxUnpublished: number;
  readonly maxBatch: number;
  readonly publishedSize: () => number;
  readonly onFailed: (error: unknown) => void;
}

/** The only way into the log. */
export class RecordDoor {
  private readonly options: RecordDoorOptions;
  private readonly heads: SeriesHeads;
  private readonly committer: Committer;
  private state: 'not-ready' | 'open' | 'closing' | LedgerError = 'not-ready';
  private committedSize: number;
  private lastMs: number;
  /** Entries commit in order: the newest one stands for all before it. */
  private newest: Promise<unknown> = Promise.resolve();
  private idle: (() => void) | undefined;

  constructor(options: RecordDoorOptions) {
    const { database } = options;
    this.options = options;
    this.heads = new SeriesHeads(database);
    this.committedSize = database.get<{ size: number }>('SELECT size FROM head')?.size ?? 0;
    this.lastMs = newestTimeMs(database, this.committedSize);
    this.committer = new Committer({
      database,
      maxBatch: options.maxBatch,
      onFailed: options.onFailed,
      onCommitted: (items, size) => {
        this.committedSize = size;
        for (const item of items) this.heads.committed(item.series);
        options.publisher.wake();
        if (this.committer.waiting === 0) this.idle?.();
      },
    });
  }

  get size(): number {
    return this.committedSize;
  }

  get isOpen(): boolean {
    return this.state === 'open';
  }

  /** Statements of a series that have their place and are not committed yet. */
  pending(series: string): number {
    return this.heads.pending(series);
  }

  /** Resolves when all that has a place by now is committed, or nothing more will be. */
  settled(): Promise<unknown> {
    this.committer.hurry();
    return this.newest;
  }

  open(): void {
    if (this.state === 'not-ready') this.state = 'open';
  }

  /**
   * Takes the next place of the series and makes the statement's bytes, all before it returns: callers check, reserve and
   * record in one step. What has a place always commits, or the process stops.
   * @throws LedgerError draft, overloaded, not-ready, stopped; EvidenceError statement, json. Nothing is reserved then.
   */
  record(draft: Draft): Recorded {
    this.admit();
    const { origin, publisher, clock, write } = this.options;
    const reserved = this.heads.next(draft.place);
    const position: Position =
      'series' in draft.place
        ? { series: draft.place.series, n: reserved.n }
        : { task: draft.place.task, chain: draft.place.chain, n: reserved.n };
    const timeMs = Math.max(this.lastMs, clock());
    const { predicate, subject, observed, separation, body } = draft;
    const { prev } = reserved;
    const parts = { predicate, subject, origin, position, prev, timeMs, observed, separation, body };
    const { payload, signed, digest } = write(parts);

    this.heads.take(reserved, digest);
    this.lastMs = timeMs;
    const signer = draft.signer ?? this.options.signer;
    const { promise: durable, resolve, reject } = Promise.withResolvers<{ readonly index: number }>();
    this.newest = durable.catch(() => undefined);
    const { series, n } = reserved;
    const { apply, patient = false } = draft;
    const item = { series, n, payload, digest, signer, patient, apply, resolve, reject, signature: undefined };
    // What nobody waits for is signed when whoever asked was answered.
    const ready = patient ? new Promise((later) => setImmediate(later)) : undefined;
    this.committer.push(item, ready ? ready.then(() => signer.sign(signed)) : signer.sign(signed));
    const covering = (wanted: 'published' | 'witnessed', signal?: AbortSignal) =>
      durable.then(({ index }) => publisher.covering(index, wanted, signal));
    return {
      predicate,
      position,
      digest,
      payload,
      durable,
      published: (signal) => covering('published', signal),
      witnessed: (signal) => covering('witnessed', signal),
    };
  }

  /** Admits nothing more and waits until all that was admitted is durable. */
  async close(): Promise<void> {
    if (this.state instanceof LedgerError) return;
    this.state = 'closing';
    if (this.committer.waiting > 0) {
      this.committer.hurry();
      await new Promise<void>((resolve) => {
        this.idle = resolve;
      });
    }
    this.stop(new LedgerError('stopped', 'the ledger was closed'));
  }

  stop(error: LedgerError): void {
    if (this.state instanceof LedgerError) return;
    this.state = error;
    this.committer.stop(error);
    this.idle?.();
  }

  private admit(): void {
    if (this.state instanceof LedgerError) throw this.state;
    if (this.state === 'closing') throw new LedgerError('stopped', 'the ledger is closing');
    if (this.state === 'not-ready') {
      throw new LedgerError('not-ready', 'the witnesses have not yet confirmed the newest state; try again');
    }
    const { maxQueue, maxUnpublished, publishedSize } = this.options;
    if (this.committer.waiting >= maxQueue) {
      throw new LedgerError('overloaded', `${maxQueue} statements wait to be signed and committed; try again`);
    }
    if (this.committedSize - publishedSize() >= maxUnpublished) {
      throw new LedgerError('overloaded', `${maxUnpublished} entries wait to be published; try again`);
    }
  }
}

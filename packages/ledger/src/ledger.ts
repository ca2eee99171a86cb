import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  consistencyProofFrom,
  formatTlogProof,
  inclusionProofFrom,
  parseCheckpoint,
  parseNote,
  type QuorumRule,
  type StatementParts,
  statementDigest,
  toHex,
  verifyInclusion,
  type WrittenStatement,
  writeStatement,
} from '@deed/evidence';
import { type Database, lockFolder, type Migration, openDatabase, sweepTemps } from '@deed/store';
import { Checkpoints, type PublishedCheckpoint } from './checkpoints.ts';
import { type Entry, leafHashOf, readEntry, readSeries, readSeriesHead } from './entry.ts';
import { LedgerError } from './errors.ts';
import { type LogResponse, logResponse } from './log-http.ts';
import { readLogKeySpans } from './log-key-spans.ts';
import type { LogKeys } from './log-keys.ts';
import { Publisher } from './publisher.ts';
import { type Draft, RecordDoor, type Recorded } from './record-door.ts';
import { recover } from './recover.ts';
import { ledgerMigrations } from './schema.ts';
import type { Signer } from './signer.ts';
import { TileFolder } from './tile-folder.ts';
import { TileTree } from './tile-tree.ts';
import type { TileView } from './tile-view.ts';
import { Tiler } from './tiler.ts';
import { WitnessClient, type WitnessEndpoint, type WitnessHealth } from './witness/client.ts';
import { Cosigners } from './witness/cosigners.ts';

export interface LedgerOptions {
  /** The data folder: one folder is one deployment. */
  readonly folder: string;
  readonly logKeys: LogKeys;
  /** Signs what no draft names another signer for. */
  readonly signer: Signer;
  /** Tables of the rooms above, which share the database. */
  readonly migrations?: readonly Migration[];
  readonly witnesses?: readonly WitnessEndpoint[];
  /** Whose cosignatures make a checkpoint witnessed. Default: those of all witnesses. */
  readonly quorum?: QuorumRule;
  /** Milliseconds since 1970. */
  readonly clock?: () => number;
  /** Makes a statement's bytes, or refuses before it has a place. Default: `writeStatement`. */
  readonly write?: (parts: StatementParts) => WrittenStatement;
  /** Default 250. */
  readonly publishIntervalMs?: number;
  /** Default 1000. */
  readonly witnessTimeoutMs?: number;
  /** An idle log's newest checkpoint is cosigned again after about this long. Default 600,000. */
  readonly recosignMs?: number;
  /** Statements that may wait to be signed and committed. Default 4096. */
  readonly maxQueue?: number;
  /** Committed entries that may wait to be published. Default 50,000. */
  readonly maxUnpublished?: number;
  /** Entries of one transaction. Default 1024. */
  readonly maxBatch?: number;
  /** When so many entries came within one interval, a thread of its own makes the tiles from then on. Default 1024; 0: from the start. */
  readonly ownThreadFrom?: number;
  /** Called once, when the ledger can no longer keep its promises. Default: says why and ends the process with code 70. */
  readonly onFatal?: (error: LedgerError) => void;
}

export interface Ledger {
  readonly origin: string;
  /** Vkeys of the log, for trust files. */
  readonly vkeys: readonly string[];
  /** Shared by the rooms above. Writes that evidence something go through a draft's `apply`. */
  readonly database: Database;
  /** The folder that any static host can serve under `/log/`. */
  readonly logFolder: string;
  /** When new entries are admitted. @throws LedgerError forked, stopped */
  readonly ready: Promise<void>;
  readonly isReady: boolean;
  /** Committed entries. */
  readonly size: number;
  record(draft: Draft): Recorded;
  entry(index: number): Entry | undefined;
  /** Entries of a series with `from <= n <= to`, in order. */
  series(name: string, from?: number, to?: number): readonly Entry[];
  /** The newest committed statement of a series. */
  seriesHead(name: string): SeriesHead | undefined;
  /** Statements of a series that are recorded and not committed yet: {@link Ledger.series} does not show them. */
  pending(name: string): number;
  /** Resolves when all that was recorded so far is committed, or nothing more will be. */
  settled(): Promise<unknown>;
  /** @throws LedgerError absent, EvidenceError proof */
  inclusionProof(index: number, size: number): readonly Uint8Array[];
  /** @throws LedgerError absent, EvidenceError proof */
  consistencyProof(oldSize: number, newSize: number): readonly Uint8Array[];
  /** The tlog-proof file of an entry under a checkpoint of this log. @throws LedgerError absent, damaged */
  tlogProof(index: number, checkpointNote: string): string;
  latestPublished(): PublishedCheckpoint | undefined;
  latestWitnessed(): PublishedCheckpoint | undefined;
  /** A checkpoint that somebody waited for, or one of the latest. */
  checkpointAt(size: number): PublishedCheckpoint | undefined;
  /** A checkpoint that covers an entry, as in {@link Recorded}. @throws LedgerError stopped, witness */
  published(index: number, signal?: AbortSignal): Promise<PublishedCheckpoint>;
  witnessed(index: number, signal?: AbortSignal): Promise<PublishedCheckpoint>;
  /** How each witness does. */
  witnessHealth(): readonly WitnessHealth[];
  /** Answers a request for a path below `/log/`, as it stood in the request. */
  logResponse(method: string, path: string): LogResponse;
  /** Commits and publishes what was admitted, then lets go of the folder. */
  close(): Promise<void>;
}

export interface SeriesHead {
  readonly index: number;
  readonly n: number;
  /** Hex digest of the statement. */
  readonly digest: string;
}

const askAgainMs = 1000;

/**
 * Opens a data folder for writing: takes its lock, brings the database up to date, takes up the published tree, asks the
 * witnesses whether this is the newest state. It reads at once; it admits new entries when enough witnesses have answered.
 * @throws StoreError locked, newer; LedgerError foreign, damaged, forked, clock
 */
export async function openLedger(options: LedgerOptions): Promise<Ledger> {
  const lock = lockFolder(options.folder);
  let database: Database | undefined;
  try {
    database = openDatabase(options.folder, { migrations: [...ledgerMigrations, ...(options.migrations ?? [])] });
    return await begin(options, database, () => lock.release());
  } catch (error) {
    database?.close();
    lock.release();
    throw error;
  }
}

async function begin(options: LedgerOptions, database: Database, release: () => void): Promise<Ledger> {
  const { logKeys, clock = Date.now, witnesses: endpoints = [] } = options;
  const { origin } = logKeys;
  const folder = new TileFolder(join(options.folder, 'log'));
  sweepTemps(folder.root);
  const growing = new TileTree(folder);
  const checkpoints = new Checkpoints(database);
  recover({ database, folder, tree: growing, checkpoints, logKeys, nowMs: clock() });
  const tree = growing.view();

  const knownKeys = readLogKeySpans(database);
  const witnesses = endpoints.map(
    (endpoint) =>
      new WitnessClient({
        endpoint,
        origin,
        logKeys: knownKeys.map(({ key }) => key),
        timeoutMs: options.witnessTimeoutMs ?? 1000,
        clock,
      }),
  );
  database.transaction((tx) => {
    for (const { vkey } of endpoints) tx.run('INSERT OR IGNORE INTO witness_key (vkey) VALUES (?)', vkey);
  });
  const cosigners = new Cosigners({ witnesses, rule: options.quorum ?? allOf(witnesses) });

  let over = false;
  const ready = Promise.withResolvers<void>();
  ready.promise.catch(() => undefined);
  const fail = (cause: unknown) => {
    if (over) return;
    over = true;
    const why = cause instanceof Error ? cause.message : String(cause);
    const error =
      cause instanceof LedgerError ? cause : new LedgerError('stopped', `the ledger stopped: ${why}`, { cause });
    const stopped =
      error.code === 'stopped' ? error : new LedgerError('stopped', `the ledger stopped: ${why}`, { cause });
    door.stop(stopped);
    publisher.stop(stopped);
    ready.reject(stopped);
    (options.onFatal ?? endProcess)(error);
  };

  const reader = database.readOnly();
  const { ownThreadFrom = 1024 } = options;
  const tiler = new Tiler({ reader, folder: options.folder, tree: growing, view: tree, ownThreadFrom });
  const publisher = new Publisher({
    tiler,
    tree,
    folder,
    checkpoints,
    logKeys,
    knownKeys,
    cosigners,
    intervalMs: options.publishIntervalMs ?? 250,
    recosignMs: options.recosignMs ?? 600_000,
    clock,
    onFailed: fail,
  });
  const door = new RecordDoor({
    origin,
    database,
    publisher,
    signer: options.signer,
    clock,
    write: options.write ?? writeStatement,
    maxQueue: options.maxQueue ?? 4096,
    maxUnpublished: options.maxUnpublished ?? 50_000,
    maxBatch: options.maxBatch ?? 1024,
    publishedSize: () => checkpoints.latest?.size ?? 0,
    onFailed: fail,
  });

  const admit = () => {
    if (over) return;
    door.open();
    publisher.wake();
    ready.resolve();
  };
  const askAgain = async () => {
    while (!over) {
      await delay(askAgainMs, undefined, { ref: false });
      if (over) return;
      if (await cosigners.confirm(publisher.tree)) return admit();
    }
  };

  try {
    await tiler.advance();
    if (await cosigners.confirm(publisher.tree)) admit();
    else askAgain().catch(fail);
  } catch (error) {
    over = true;
    await tiler.close();
    reader.close();
    throw error;
  }

  return {
    origin,
    vkeys: logKeys.vkeys,
    database,
    logFolder: folder.root,
    ready: ready.promise,
    get isReady() {
      return door.isOpen;
    },
    get size() {
      return door.size;
    },
    record: (draft) => door.record(draft),
    entry: (index) => readEntry(database, index),
    series: (name, from = 0, to = Number.MAX_SAFE_INTEGER) => readSeries(database, name, from, to),
    seriesHead(name) {
      const entry = readSeriesHead(database, name);
      return entry && { index: entry.index, n: entry.n, digest: toHex(statementDigest(entry.envelope.payload)) };
    },
    pending: (name) => door.pending(name),
    settled: () => door.settled(),
    inclusionProof: (index, size) => inclusionProofFrom(tree.read, index, size),
    consistencyProof: (oldSize, newSize) => consistencyProofFrom(tree.read, oldSize, newSize),
    tlogProof: (index, note) => makeTlogProof(database, tree, index, note),
    latestPublished: () => checkpoints.latest,
    latestWitnessed: () => checkpoints.latestWitnessed,
    checkpointAt: (size) => checkpoints.at(size),
    published: (index, signal) => publisher.covering(index, 'published', signal),
    witnessed: (index, signal) => publisher.covering(index, 'witnessed', signal),
    witnessHealth: () => cosigners.health(),
    logResponse: (method, path) => logResponse(folder, method, path),
    async close() {
      // What no witness has confirmed as the newest state gets no new checkpoint, not even a last one.
      const confirmedOnce = door.isOpen;
      await door.close();
      if (confirmedOnce) await publisher.close();
      else publisher.stop(new LedgerError('stopped', 'the ledger was closed'));
      over = true;
      ready.reject(new LedgerError('stopped', 'the ledger was closed'));
      await tiler.close();
      reader.close();
      database.close();
      release();
    },
  };
}

function allOf(witnesses: readonly WitnessClient[]): QuorumRule {
  if (witnesses.length === 0) return { groups: [], quorum: 'none' };
  const members = witnesses.map(({ name }) => name);
  return { groups: [{ name: 'all of them', threshold: members.length, members }], quorum: 'all of them' };
}

function makeTlogProof(database: Database, tree: TileView, index: number, checkpoint: string): string {
  const { size, root } = parseCheckpoint(parseNote(checkpoint).text);
  const entry = readEntry(database, index);
  if (!entry || index >= size || size > tree.size) {
    throw new LedgerError('absent', `entry ${index} is not under the checkpoint of size ${size}`);
  }
  const proof = inclusionProofFrom(tree.read, index, size);
  if (!verifyInclusion({ index, size, leafHash: leafHashOf(entry), proof, root })) {
    throw new LedgerError('damaged', `entry ${index} has no proof under size ${size}: run \`deed log fsck\``);
  }
  return formatTlogProof({ index, proof, checkpoint });
}

function endProcess(error: LedgerError): void {
  let said = `deed: ${error.message}\n`;
  for (let { cause } = error; cause instanceof Error; cause = cause.cause) said += `${cause.stack ?? cause.message}\n`;
  process.stderr.write(said);
  process.exit(70);
}

import { setImmediate as breathe } from 'node:timers/promises';
import {
  encodeEnvelope,
  encodeReceipt,
  fromUtf8,
  parseStatement,
  parseTlogProof,
  type ReceiptEntry,
  statementDigest,
  toBase64,
  toHex,
} from '@deed/evidence';
import { type Entry, type Ledger, leafOf, type PublishedCheckpoint, readEntries } from '@deed/ledger';
import { ServerError } from './errors.ts';

/** Under which of the newest checkpoints a proof is to stand. */
export type Under = 'witnessed' | 'published';

/** One entry with its proof, as `/v1/log/proofs` answers. */
export interface ProofView {
  readonly index: number;
  /** Digest of the statement. */
  readonly digest: string;
  readonly under: Under;
  /** Size of the checkpoint's tree. */
  readonly size: number;
  /** The tlog-proof file. */
  readonly proof: string;
  /** The log's entry, base64. */
  readonly leaf: string;
  /** The envelope in its one byte form. */
  readonly statement: string;
}

/** The way from an older size to the present, as `/v1/log/consistency` answers. */
export interface ConsistencyView {
  readonly under: Under;
  /** The present checkpoint. */
  readonly checkpoint: string;
  /** Hashes in base64; null where the log is smaller than the size that was asked for. */
  readonly proof: readonly string[] | null;
}

/** Entries that are read at once while a digest is looked for. */
const slice = 512;

/**
 * The proof of one entry under the newest checkpoint; waits for one where the entry is newer.
 * @param name a log index, or the digest of a statement in hex (looked for from the newest entry back)
 * @throws ServerError request, not-found, case (no witness in time)
 */
export async function proofOf(ledger: Ledger, name: string, under: Under, waitMs: number): Promise<ProofView> {
  const entry = await findEntry(ledger, name);
  const { index, envelope } = entry;
  const { size, note } = await covering(ledger, index, under, waitMs);
  return {
    index,
    digest: toHex(statementDigest(envelope.payload)),
    under,
    size,
    proof: ledger.tlogProof(index, note),
    leaf: toBase64(leafOf(entry)),
    statement: fromUtf8(encodeEnvelope(envelope)),
  };
}

/** The newest checkpoint, and the proof that the tree of an older size is the beginning of its tree. @throws ServerError not-found */
export function consistencyFrom(ledger: Ledger, oldSize: number, under: Under): ConsistencyView {
  const newest = newestOf(ledger, under);
  if (!newest) throw new ServerError('not-found', `no checkpoint is ${under} yet`);
  const proof = oldSize > newest.size ? null : ledger.consistencyProof(oldSize, newest.size).map(toBase64);
  return { under, checkpoint: newest.note, proof };
}

/**
 * The receipt of a closed task: its closing and the whole series `keys`, under one witnessed checkpoint.
 * @throws ServerError not-found, case (not closed, or no witness in time)
 */
export async function receiptOf(ledger: Ledger, task: string, waitMs: number): Promise<Uint8Array> {
  const head = ledger.seriesHead(task);
  const closed = head && ledger.entry(head.index);
  const opened = ledger.series(task, 0, 0)[0];
  if (!closed || !opened || parseStatement(opened.envelope.payload).predicate !== 'task-opened') {
    throw new ServerError('not-found', `there is no task ${task}`);
  }
  if (parseStatement(closed.envelope.payload).predicate !== 'task-closed') {
    throw new ServerError('case', `task ${task} is open; close it first: deed task close ${task}`);
  }
  const keys = ledger.series('keys');
  const last = Math.max(closed.index, ...keys.map(({ index }) => index));
  const { note } = await covering(ledger, last, 'witnessed', waitMs);
  const entry = ({ index, envelope }: Entry): ReceiptEntry => {
    const { proof } = parseTlogProof(ledger.tlogProof(index, note));
    return { index, proof, envelope: encodeEnvelope(envelope) };
  };
  return encodeReceipt({ task, closed: entry(closed), keys: keys.map(entry), checkpoint: note });
}

const newestOf = (ledger: Ledger, under: Under): PublishedCheckpoint | undefined =>
  under === 'witnessed' ? ledger.latestWitnessed() : ledger.latestPublished();

/** The newest checkpoint, if it covers the entry; else the first that will. @throws ServerError case */
async function covering(ledger: Ledger, index: number, under: Under, waitMs: number): Promise<PublishedCheckpoint> {
  const newest = newestOf(ledger, under);
  if (newest && newest.size > index) return newest;
  try {
    return await ledger[under](index, AbortSignal.timeout(waitMs));
  } catch (cause) {
    const why = under === 'witnessed' ? 'is the witness running? --published does without' : 'try again';
    throw new ServerError('case', `no checkpoint that covers entry ${index} was ${under} in time: ${why}`, { cause });
  }
}

async function findEntry(ledger: Ledger, name: string): Promise<Entry> {
  if (/^(0|[1-9][0-9]{0,14})$/.test(name)) {
    const entry = ledger.entry(Number(name));
    if (!entry) throw new ServerError('not-found', `there is no entry ${name}: the log has ${ledger.size}`);
    return entry;
  }
  if (!/^[0-9a-f]{64}$/.test(name)) {
    throw new ServerError('request', 'name an entry by its log index, or by its statement digest: 64 hex digits');
  }
  // Digests are not stored: they are made again, slice by slice, so that the server goes on with its work between them.
  for (let end = ledger.size; end > 0; end -= slice) {
    const found = readEntries(ledger.database, Math.max(0, end - slice), end).find(
      ({ envelope }) => toHex(statementDigest(envelope.payload)) === name,
    );
    if (found) return found;
    await breathe();
  }
  throw new ServerError('not-found', `no statement has the digest ${name}`);
}

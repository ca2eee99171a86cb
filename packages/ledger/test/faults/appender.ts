/**
 * A process that appends to a ledger until it has enough, is killed, or cannot go on. It prints one JSON value a line: what
 * it was promised and every checkpoint text it signed. Waits for a line on stdin before it touches the folder.
 */
import { readFileSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import {
  initWitness,
  type LogKeyPems,
  loadLogKeys,
  openLedger,
  pemSigner,
  startWitness,
  trustLog,
} from '../../src/index.ts';
import { draft, writeLoosely } from '../world.ts';

export interface AppenderConfig {
  readonly origin: string;
  readonly pems: LogKeyPems;
  readonly signerPem: string;
  readonly folder: string;
  /** With it the process runs a witness too, which dies with it. */
  readonly stateFolder?: string;
  /** Each writer waits for one entry before it makes the next. */
  readonly writers: number;
  /** Of each writer. Absent: for ever. */
  readonly entries?: number;
  /** A writer also waits for a published checkpoint. */
  readonly publishes?: boolean;
  /** As in `LedgerOptions`: 0 makes tiles in a thread of their own from the start. */
  readonly ownThreadFrom?: number;
  /** Added to the clock once half of the entries are written. */
  readonly clockStepMs?: number;
}

export type AppenderLine =
  | { readonly kind: 'waiting' | 'opening' | 'ready' | 'closed' }
  | { readonly kind: 'acknowledged'; readonly index: number; readonly digest: string }
  | { readonly kind: 'signed'; readonly text: string }
  | { readonly kind: 'published'; readonly note: string };

const config: AppenderConfig = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8'));
const { origin, pems, signerPem, folder, stateFolder, writers, entries = Number.POSITIVE_INFINITY } = config;
/** A thread of its own makes the pipe one that may be full. */
const say = (line: AppenderLine) => {
  const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(1, bytes, at);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
};

const keys = loadLogKeys(origin, pems);
const signers = keys.signers.map((signer) => ({
  ...signer,
  sign: (text: string, seconds: number) => {
    say({ kind: 'signed', text });
    return signer.sign(text, seconds);
  },
}));
say({ kind: 'waiting' });
const lines = createInterface(process.stdin);
await new Promise((go) => lines.once('line', go));
lines.close();
process.stdin.destroy();

say({ kind: 'opening' });
let witness: Awaited<ReturnType<typeof startWitness>> | undefined;
if (stateFolder) {
  initWitness(stateFolder, { name: 'witness.example/local' });
  trustLog(stateFolder, { origin, vkeys: keys.vkeys });
  witness = await startWitness({ stateFolder });
}
let stepMs = 0;
const ledger = await openLedger({
  folder,
  logKeys: { ...keys, signers },
  signer: pemSigner(signerPem),
  publishIntervalMs: 5,
  write: writeLoosely,
  ...(config.ownThreadFrom === undefined ? {} : { ownThreadFrom: config.ownThreadFrom }),
  clock: () => Date.now() + stepMs,
  witnesses: witness ? [{ name: 'local', vkey: witness.vkeys[0] ?? '', url: witness.url }] : [],
});
await ledger.ready;
say({ kind: 'ready' });

const write = async (writer: number): Promise<void> => {
  const series = `source:w${writer}`;
  for (let count = 0; count < entries; count++) {
    if (config.clockStepMs !== undefined && count >= entries / 2) stepMs = config.clockStepMs;
    const recorded = ledger.record(draft(series, count));
    const { index } = await recorded.durable;
    say({ kind: 'acknowledged', index, digest: recorded.digest });
    if (config.publishes) say({ kind: 'published', note: (await recorded.published()).note });
  }
};
await Promise.all(Array.from({ length: writers }, (_, writer) => write(writer)));
await ledger.close();
await witness?.close();
say({ kind: 'closed' });

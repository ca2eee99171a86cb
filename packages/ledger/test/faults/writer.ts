/**
 * A process that appends to a ledger and is made to fail. It prints one JSON value a line: what it was promised, every
 * checkpoint text it signed, and how it ended. `node writer.ts CONFIG`, plans on stdin.
 */

import { readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { loadLogKeys, openLedger, pemSigner, type WitnessEndpoint } from '../../src/index.ts';
import { codeOf, draft, writeLoosely } from '../world.ts';
import { arm, disarm, type Plan } from './inject.ts';

export interface WriterConfig {
  readonly origin: string;
  readonly pems: Parameters<typeof loadLogKeys>[1];
  readonly signerPem: string;
}

export interface Task {
  readonly folder: string;
  readonly witnesses: readonly WitnessEndpoint[];
  /** Absent: nothing fails, and the steps are listed. */
  readonly plan?: Plan;
  /** What becomes of the process when the ledger stops: it ends as it would in production, or goes on using the ledger. */
  readonly after: 'exit' | 'continue';
}

export type Line =
  | { readonly kind: 'acknowledged'; readonly index: number; readonly digest: string }
  | { readonly kind: 'signed'; readonly text: string }
  | { readonly kind: 'published'; readonly note: string }
  | { readonly kind: 'stopped'; readonly codes: readonly unknown[]; readonly fatal: number }
  | { readonly kind: 'done'; readonly steps: readonly string[] };

const config: WriterConfig = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8'));
const say = (line: Line) => writeSync(1, `${JSON.stringify(line)}\n`);
const entries = 10;

const keys = loadLogKeys(config.origin, config.pems);
const signers = keys.signers.map((signer) => ({
  ...signer,
  sign: (text: string, seconds: number) => {
    say({ kind: 'signed', text });
    return signer.sign(text, seconds);
  },
}));

async function run(task: Task): Promise<void> {
  let fatal = 0;
  const ledger = await openLedger({
    folder: task.folder,
    logKeys: { ...keys, signers },
    signer: pemSigner(config.signerPem),
    publishIntervalMs: 30,
    write: writeLoosely,
    witnesses: task.witnesses,
    witnessTimeoutMs: 20_000,
    ...(task.after === 'exit' ? {} : { onFatal: () => fatal++ }),
  });
  await ledger.ready;
  const steps = arm(join(task.folder, 'log'), task.plan);
  const records = Array.from({ length: entries }, (_, i) => ledger.record(draft(`source:${process.pid}`, i)));
  const codes: unknown[] = [];
  const failed = (error: unknown) => codes.push(codeOf(error));
  await Promise.all(
    records.map(async (record) => {
      const { index } = await record.durable;
      say({ kind: 'acknowledged', index, digest: record.digest });
      say({ kind: 'published', note: (await record.published()).note });
    }),
  ).catch(failed);
  if (!task.plan) say({ kind: 'done', steps });
  if (task.plan && task.after === 'continue') {
    // The fault is over; a ledger that has stopped must not come back to life.
    disarm();
    for (const again of [() => ledger.record(draft('source:again')).durable, () => ledger.published(ledger.size)]) {
      await (async () => again())().catch(failed);
    }
    say({ kind: 'stopped', codes, fatal });
  }
  disarm();
  await ledger.close();
}

for await (const line of createInterface(process.stdin)) await run(JSON.parse(line));

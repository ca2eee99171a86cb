/** One measurement in a process of its own, so that its peak of memory is its own: prints one line of JSON. */
import * as crypto from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { parseTrust } from '@deed/evidence';
import { fsckOnAllCores, leafOf, readEntries, verifyLogFolder } from '@deed/ledger';
import { openReadOnly } from '@deed/store';
import { verifyOnThreads } from '../../packages/ledger/src/fsck/signatures.ts';
import { closedLoop } from '../ledger/load.ts';
import { makeLog, openMade } from './make.ts';

const [what = '', root = '', argument = ''] = process.argv.slice(2);
const folder = join(root, 'data');
const inMemory = 100_000;

const measurements: Readonly<Record<string, () => object | Promise<object>>> = {
  async make() {
    await makeLog(root, Number(argument));
    return {};
  },

  /** The baseline: nothing but SHA-256 of the same leaves, in memory, as this Node does it fastest. */
  hashing() {
    const leaves = firstEntries().map((entry) => Buffer.concat([Uint8Array.of(0), leafOf(entry)]));
    return { rate: best(leaves.length, () => leaves.forEach((leaf) => void crypto.hash('sha256', leaf, 'binary'))) };
  },

  folder() {
    const trust = parseTrust(readFileSync(join(root, 'trust.txt'), 'utf8'));
    return timed(async () => {
      const { verdict, entries, reasons } = await verifyLogFolder(join(folder, 'log'), {
        ...{ trust, nowMs: Date.now() },
        ...(argument === '' ? {} : { threads: Number(argument) }),
      });
      if (verdict !== 'UNANCHORED') throw new Error(`${verdict}: ${reasons.map(({ message }) => message).join('; ')}`);
      return entries;
    });
  },

  /** The baseline: every core verifies signatures that lie in memory, and does nothing else. */
  async verifying() {
    const workerData = { folder, count: inMemory / 4 };
    const rates = Array.from({ length: availableParallelism() }, async () => {
      const [rate] = await once(new Worker(new URL('./verify-worker.ts', import.meta.url), { workerData }), 'message');
      return rate as number;
    });
    return { rate: (await Promise.all(rates)).reduce((sum, rate) => sum + rate, 0) };
  },

  signatures: () =>
    timed(async () => {
      const { size } = openHead();
      const { done, stop } = verifyOnThreads(folder, size, availableParallelism());
      const { unsigned, unread } = await done;
      await stop();
      if (unsigned.length > 0 || unread !== null) throw new Error(unread ?? `entry ${unsigned[0]} does not verify`);
      return size;
    }),

  fsck: () =>
    timed(async () => {
      const { ok, entries, problems } = await fsckOnAllCores(folder);
      if (!ok) throw new Error(problems.map(({ where, what: why }) => `${where}: ${why}`).join('; '));
      return entries;
    }),

  async append() {
    const { pems, key } = keys();
    const ledger = await openMade(root, pems, key);
    await ledger.ready;
    const { rate, cpuMicros } = await closedLoop(ledger, 1024, Number(argument));
    await ledger.close();
    return { micros: 1e6 / rate, cpuMicros };
  },

  async proof() {
    const { pems, key } = keys();
    const ledger = await openMade(root, pems, key);
    const { size } = ledger;
    const count = 2000;
    const indexes = Array.from({ length: count }, () => crypto.randomInt(size));
    const start = performance.now();
    let hashes = 0;
    for (const index of indexes) hashes += ledger.inclusionProof(index, size).length;
    const micros = ((performance.now() - start) * 1000) / count;
    await ledger.close();
    return { micros, hashes: hashes / count };
  },
};

async function timed(work: () => number | Promise<number>): Promise<object> {
  const start = performance.now();
  const entries = await work();
  const seconds = (performance.now() - start) / 1000;
  return { rate: entries / seconds, seconds, peakMiB: process.resourceUsage().maxRSS / 1024 };
}

function best(count: number, work: () => void): number {
  const rates = Array.from({ length: 7 }, () => {
    const start = performance.now();
    work();
    return (count * 1000) / (performance.now() - start);
  });
  return Math.max(...rates);
}

function firstEntries() {
  const database = openReadOnly(folder);
  try {
    return readEntries(database, 0, inMemory);
  } finally {
    database.close();
  }
}

function openHead(): { readonly size: number } {
  const database = openReadOnly(folder);
  try {
    return database.get<{ size: number }>('SELECT size FROM head') ?? { size: 0 };
  } finally {
    database.close();
  }
}

function keys() {
  return JSON.parse(readFileSync(join(root, 'keys.json'), 'utf8'));
}

const measured = await measurements[what]?.();
console.log(JSON.stringify(measured));

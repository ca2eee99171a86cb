import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newId, randomBytes, toHex } from '@deed/evidence';
import {
  type Draft,
  type Ledger,
  LedgerError,
  type LedgerOptions,
  loadLogKeys,
  makeLogKeys,
  makeSignerKey,
  openLedger,
  pemSigner,
  type Recorded,
  type Signer,
} from '@deed/ledger';

/** Who makes the signature of each statement. */
export type Signing = 'es256' | 'caller';

/** A fresh ledger in a folder of its own, on the disk of the system's temporary folder unless BENCH_DIR names another. */
export async function freshLedger(signing: Signing, options: Partial<LedgerOptions> = {}) {
  const root = mkdtempSync(join(process.env.BENCH_DIR ?? tmpdir(), 'deed-bench-'));
  const folder = join(root, 'data');
  const real = pemSigner(makeSignerKey());
  const signature = await real.sign(new Uint8Array());
  // As if the caller had signed already: the bytes are of the real size and cost nothing.
  const ready: Signer = { keyid: real.keyid, spki: real.spki, sign: () => Promise.resolve(signature) };
  const ledger = await openLedger({
    folder,
    logKeys: loadLogKeys('bench.example/log', makeLogKeys()),
    signer: signing === 'es256' ? real : ready,
    ...options,
  });
  await ledger.ready;
  return { ledger, folder, remove: () => rmSync(root, { recursive: true, force: true }) };
}

let pool = randomBytes(0);

/** 64 random digits, drawn by the hundred: the load is not to be what is measured. */
function hex(): string {
  if (pool.length === 0) pool = randomBytes(32 * 512);
  const taken = toHex(pool.subarray(0, 32));
  pool = pool.subarray(32);
  return taken;
}

/** Opens so many tasks. Returns drafts of their outcomes, as real ones are: nothing in them repeats but their form. */
export async function draftMaker(ledger: Ledger, tasks = 256): Promise<() => Draft> {
  const ids = Array.from({ length: tasks }, () => newId('task', Date.now()));
  await Promise.all(ids.map((task) => ledger.record(opened(task)).durable));
  const actions = Array.from({ length: 1000 }, () => newId('action', Date.now()));
  let count = 0;
  return () => {
    const task = ids[count++ % tasks] ?? '';
    const action = actions[count % actions.length] ?? '';
    const digest = hex();
    return {
      predicate: 'outcome',
      place: { task, chain: 'seq' },
      subject: { name: `action:${action}`, sha256: digest },
      observed: 'gateway-observed',
      separation: { agent: 'other-uid', tool: 'other-uid' },
      body: {
        action,
        intent: hex(),
        status: 'ok',
        result: { sha256: digest, size: 512, type: 'application/json', kept: true },
        effects: null,
        anchor: null,
        supersedes: null,
      },
    };
  };
}

function opened(task: string): Draft {
  const payload = (type: string) => ({ sha256: hex(), size: 100, type, kept: true });
  return {
    predicate: 'task-opened',
    place: { task, chain: 'seq' },
    subject: { name: `task:${task}`, sha256: hex() },
    observed: 'gateway-executed',
    separation: { agent: 'none', tool: 'none' },
    body: {
      objective: payload('text/plain'),
      principal: payload('application/json'),
      agent: null,
      allow: payload('application/json'),
      ceiling: 'record',
      budget: { actions: 1_000_000 },
      deadline: new Date(Date.now() + 28_800_000).toISOString(),
      grant: hex(),
      policy: hex(),
      credentials: [],
      implicit: true,
    },
  };
}

export interface Measured {
  readonly entries: number;
  readonly seconds: number;
  /** Entries a second that were acknowledged as durable. */
  readonly rate: number;
  /** Milliseconds from the moment an entry was meant to be sent. */
  readonly ack: Percentiles;
  /** Until a published checkpoint covers it, of every sixteenth entry. */
  readonly anchored: Percentiles;
  /** Entries that were committed and not published when the load ended. */
  readonly lag: number;
  /** Share of the entries that the ledger refused, because too much was waiting. */
  readonly refused: number;
  readonly cpuMicros: number;
  readonly statementBytes: number;
}

export interface Percentiles {
  readonly p50: number;
  readonly p99: number;
}

/** `writers` callers, each of which sends its next entry when the last one is durable. */
export async function closedLoop(ledger: Ledger, writers: number, seconds: number): Promise<Measured> {
  const make = await draftMaker(ledger);
  const meter = new Meter(ledger);
  const end = performance.now() + seconds * 1000;
  const write = async () => {
    while (performance.now() < end) await meter.send(make(), performance.now());
  };
  await Promise.all(Array.from({ length: writers }, write));
  return meter.result();
}

/** So many entries a second, whatever becomes of those before: latency counts from the intended moment. */
export async function openLoop(ledger: Ledger, rate: number, seconds: number): Promise<Measured> {
  const make = await draftMaker(ledger);
  const meter = new Meter(ledger);
  const start = performance.now();
  const total = rate * seconds;
  const sent: Promise<void>[] = [];
  await new Promise<void>((resolve) => {
    const turn = () => {
      const due = Math.min(total, 1 + Math.floor(((performance.now() - start) / 1000) * rate));
      while (sent.length < due) sent.push(meter.send(make(), start + (sent.length / rate) * 1000));
      // A timer comes up to a millisecond late, which is what is measured here. This takes the rest of a processor.
      if (sent.length < total) setImmediate(turn);
      else resolve();
    };
    turn();
  });
  await Promise.all(sent);
  return meter.result();
}

class Meter {
  private readonly ledger: Ledger;
  private readonly begin = performance.now();
  private readonly cpu = process.cpuUsage();
  private readonly acks: number[] = [];
  private readonly anchors: Promise<number>[] = [];
  private count = 0;
  private refusals = 0;
  private bytes = 0;

  constructor(ledger: Ledger) {
    this.ledger = ledger;
  }

  async send(draft: Draft, intended: number): Promise<void> {
    const recorded = this.record(draft);
    if (!recorded) return;
    this.bytes += recorded.payload.length;
    if (this.count++ % 16 === 0) this.anchors.push(recorded.published().then(() => performance.now() - intended));
    await recorded.durable;
    this.acks.push(performance.now() - intended);
  }

  /** Undefined if the ledger has too much to do. */
  private record(draft: Draft): Recorded | undefined {
    try {
      return this.ledger.record(draft);
    } catch (error) {
      if (!(error instanceof LedgerError) || error.code !== 'overloaded') throw error;
      this.refusals++;
      return undefined;
    }
  }

  async result(): Promise<Measured> {
    const seconds = (performance.now() - this.begin) / 1000;
    const lag = this.ledger.size - (this.ledger.latestPublished()?.size ?? 0);
    const { user, system } = process.cpuUsage(this.cpu);
    return {
      entries: this.count,
      seconds,
      rate: this.acks.length / seconds,
      ack: percentiles(this.acks),
      anchored: percentiles(await Promise.all(this.anchors)),
      lag,
      refused: this.refusals / (this.refusals + this.count),
      cpuMicros: (user + system) / this.count,
      statementBytes: this.bytes / this.count,
    };
  }
}

function percentiles(values: number[]): Percentiles {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { p50: at(0.5), p99: at(0.99) };
}

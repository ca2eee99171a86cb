/**
 * Measures the ledger against its peer and against its goals, interleaved in one run: `npm run bench:ledger [-- seconds rounds]`.
 * All figures of a row are of this machine and this run; only ratios travel (docs/performance.md).
 */
import { readdirSync, statSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import { closedLoop, freshLedger, type Measured, openLoop, type Signing } from './load.ts';
import { buildTessera } from './tessera.ts';

const seconds = Number(process.argv[2] ?? 5);
const rounds = Number(process.argv[3] ?? 5);
const writers = 4096;

interface Row {
  readonly name: string;
  readonly rates: number[];
  readonly acks: { p50: number; p99: number }[];
  readonly more: Measured[];
}

const tessera = buildTessera();
const saturation: readonly (readonly [string, () => Promise<Measured> | { rate: number; ack: Measured['ack'] }])[] = [
  ...(tessera ? [['Tessera POSIX, no signature', () => tessera.run(seconds)] as const] : []),
  ['Deed, signed by the caller', () => saturated('caller')],
  ['Deed, one ES256 each', () => saturated('es256')],
];
const rows = saturation.map(([name]): Row => ({ name, rates: [], acks: [], more: [] }));
console.log(
  `${availableParallelism()} cores, load ${loadavg()[0]?.toFixed(1)}, ${rounds} rounds of ${seconds} s, ${writers} writers\n`,
);
for (let round = 0; round < rounds; round++) {
  for (const [i, [, run]] of saturation.entries()) {
    const measured = await run();
    rows[i]?.rates.push(measured.rate);
    rows[i]?.acks.push(measured.ack);
    if ('entries' in measured && 'anchored' in measured) rows[i]?.more.push(measured);
  }
}
tessera?.remove();

const peer = tessera ? median(rows[0]?.rates ?? []) : null;
print(
  ['at saturation', 'entries/s', 'spread', 'to the peer', 'ack p50', 'p99', 'anchored p99', 'lag', 'CPU us'],
  rows.map(({ name, rates, acks, more }) => [
    name,
    fixed(median(rates), 0),
    `${fixed(Math.min(...rates), 0)}-${fixed(Math.max(...rates), 0)}`,
    peer === null ? '-' : fixed(median(rates) / peer, 2),
    fixed(median(acks.map(({ p50 }) => p50)), 1),
    fixed(median(acks.map(({ p99 }) => p99)), 1),
    more.length === 0 ? '-' : fixed(median(more.map(({ anchored }) => anchored.p99)), 0),
    more.length === 0 ? '-' : fixed(median(more.map(({ lag }) => lag)), 0),
    more.length === 0 ? '-' : fixed(median(more.map(({ cpuMicros }) => cpuMicros)), 0),
  ]),
);

const columns: readonly (readonly [name: string, value: (measured: Measured) => number, digits: number])[] = [
  ['reached', ({ rate }) => rate, 0],
  ['ack p50 ms', ({ ack }) => ack.p50, 2],
  ['p99', ({ ack }) => ack.p99, 1],
  ['anchored p50', ({ anchored }) => anchored.p50, 0],
  ['p99', ({ anchored }) => anchored.p99, 0],
  ['lag', ({ lag }) => lag, 0],
  ['CPU us', ({ cpuMicros }) => cpuMicros, 0],
  ['refused %', ({ refused }) => 100 * refused, 1],
];
const sustained: string[][] = [];
for (const [signing, rate] of [
  ['es256', 100],
  ['es256', 1000],
  ['es256', 5000],
  ['es256', 10_000],
  ['caller', 25_000],
] as const) {
  const runs: Measured[] = [];
  for (let round = 0; round < rounds; round++) runs.push(await atRate(signing, rate));
  const cells = columns.map(([, value, digits]) => fixed(median(runs.map(value)), digits));
  sustained.push([`${signing} ${rate}/s`, ...cells]);
}
print(['at a fixed rate', ...columns.map(([name]) => name)], sustained);

const stored = await storage();
print(['bytes stored', 'an entry'], stored);

async function saturated(signing: Signing): Promise<Measured> {
  const { ledger, remove } = await freshLedger(signing, { maxQueue: 2 * writers });
  try {
    await closedLoop(ledger, 256, 1);
    return await closedLoop(ledger, writers, seconds);
  } finally {
    await ledger.close();
    remove();
  }
}

async function atRate(signing: Signing, rate: number): Promise<Measured> {
  const { ledger, remove } = await freshLedger(signing, { maxQueue: 65_536 });
  try {
    await openLoop(ledger, Math.min(rate, 1000), 1);
    return await openLoop(ledger, rate, seconds);
  } finally {
    await ledger.close();
    remove();
  }
}

/** What some ten thousand entries leave on the disk, by folder, and what of it no compression could take away. */
async function storage(): Promise<string[][]> {
  const { ledger, folder, remove } = await freshLedger('caller', { maxQueue: 65_536 });
  const { entries, statementBytes } = await closedLoop(ledger, 256, 5);
  await ledger.close();
  const sizeOf = (path: string) =>
    readdirSync(path, { recursive: true, withFileTypes: true })
      .filter((file) => file.isFile())
      .reduce((sum, file) => sum + statSync(join(file.parentPath, file.name)).size, 0);
  const log = sizeOf(join(folder, 'log'));
  const all = sizeOf(folder);
  remove();
  // A nonce, a digest that is cited and one that is stated, the signature and its leaf's hash.
  const entropy = 16 + 3 * 32 + 64 + 32;
  return [
    ['statement', fixed(statementBytes, 0)],
    ['database', fixed((all - log) / entries, 0)],
    ['log folder', fixed(log / entries, 0)],
    ['everything', fixed(all / entries, 0)],
    ['of it random', fixed(entropy, 0)],
  ];
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function fixed(value: number, digits: number): string {
  return value.toFixed(digits);
}

function print(header: readonly string[], table: readonly (readonly string[])[]): void {
  const widths = header.map((name, i) => Math.max(name.length, ...table.map((row) => row[i]?.length ?? 0)));
  for (const row of [header, widths.map((width) => '-'.repeat(width)), ...table]) {
    console.log(`| ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`);
  }
  console.log('');
}

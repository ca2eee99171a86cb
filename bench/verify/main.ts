/**
 * Verifies logs of several sizes from the disk and compares with what the machine can do at most, in one run:
 * `npm run bench:verify [-- SIZE...]`. Sizes: 10,000, 100,000 and 1,000,000; with SLOW=1 also 10,000,000.
 * Logs are made in BENCH_DIR or the system's temporary folder (1.6 GB for a million entries) and removed.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';

const given = process.argv.slice(2).map(Number);
const usual = [10_000, 100_000, 1_000_000, ...(process.env.SLOW ? [10_000_000] : [])];
const sizes = given.length > 0 ? given : usual;
if (!sizes.every((size) => Number.isSafeInteger(size) && size > 0)) throw new Error('sizes are numbers of entries');
const appendSeconds = 3;

interface Timed {
  readonly rate: number;
  readonly seconds: number;
  readonly peakMiB: number;
}

interface Measured {
  readonly size: number;
  readonly hashing: number;
  readonly folder: Timed;
  readonly folderOneThread: Timed;
  readonly verifying: number;
  readonly signatures: Timed;
  readonly fsck: Timed;
  readonly append: { readonly micros: number; readonly cpuMicros: number };
  readonly proof: { readonly micros: number; readonly hashes: number };
}

const home = mkdtempSync(join(process.env.BENCH_DIR ?? tmpdir(), 'deed-bench-verify-'));
const end = () => rmSync(home, { recursive: true, force: true });
process.on('exit', end);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));

console.log(`${availableParallelism()} cores, load ${load()}\n`);
const all = sizes.map(measure);
print(
  ['entries', 'leaf hashes/s', 'folder/s', 'ratio', 'one thread/s', 'ratio', 'peak MiB', 'seconds'],
  all.map(({ size, hashing, folder, folderOneThread: one }) => [
    ...[count(size), count(hashing), count(folder.rate), ratio(folder.rate, hashing)],
    ...[count(one.rate), ratio(one.rate, hashing), count(folder.peakMiB), folder.seconds.toFixed(1)],
  ]),
);
print(
  ['entries', 'verifies/s', 'signatures/s', 'ratio', 'peak MiB', 'fsck/s', 'ratio', 'peak MiB', 'seconds'],
  all.map(({ size, verifying, signatures, fsck }) => [
    ...[count(size), count(verifying), count(signatures.rate), ratio(signatures.rate, verifying)],
    ...[count(signatures.peakMiB), count(fsck.rate), ratio(fsck.rate, verifying), count(fsck.peakMiB)],
    fsck.seconds.toFixed(1),
  ]),
);
print(
  ['entries', 'append us', 'CPU us', '', 'proof us', 'hashes', ''],
  all.map(({ size, append, proof }) => [
    ...[count(size), append.micros.toFixed(1), append.cpuMicros.toFixed(1)],
    bar(append.micros, Math.max(...all.map((one) => one.append.micros))),
    ...[proof.micros.toFixed(1), proof.hashes.toFixed(1)],
    bar(proof.micros, Math.max(...all.map((one) => one.proof.micros))),
  ]),
);
console.log(`load at the end ${load()}`);

/** Baselines stand between what is compared with them: a machine is not equally quick for long. */
function measure(size: number): Measured {
  const root = join(home, String(size));
  const run = <T>(what: string, argument = ''): T => {
    const file = join(import.meta.dirname, 'measure.ts');
    const argv = [...process.execArgv, file, what, root, argument];
    return JSON.parse(execFileSync(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] }).toString());
  };
  const rate = (what: string) => run<{ rate: number }>(what).rate;
  process.stderr.write(`making a log of ${count(size)} entries\n`);
  run('make', String(size));
  process.stderr.write('measuring\n');
  const folderOneThread = run<Timed>('folder', '1');
  const hashing = rate('hashing');
  const folder = run<Timed>('folder');
  const signatures = run<Timed>('signatures');
  const verifying = rate('verifying');
  const fsck = run<Timed>('fsck');
  const proof = run<Measured['proof']>('proof');
  const append = run<Measured['append']>('append', String(appendSeconds));
  rmSync(root, { recursive: true });
  return { size, hashing, folder, folderOneThread, verifying, signatures, fsck, append, proof };
}

function load(): string {
  return (loadavg()[0] ?? 0).toFixed(1);
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en');
}

function ratio(value: number, most: number): string {
  return (value / most).toFixed(2);
}

function bar(value: number, most: number): string {
  return '#'.repeat(Math.max(1, Math.round((20 * value) / most)));
}

function print(header: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = header.map((name, i) => Math.max(name.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (cells: readonly string[]) => `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  console.log([line(header), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n'));
  console.log('');
}

import { randomOf } from './injector.ts';
import { cloudtrailReader, lines, taskEvents, workOn } from './throughput.ts';

/** Events in all, in tasks of a hundred; and in one task. Nightly (SLOW=1) ten million. */
const streams = [10_000, 100_000, 1_000_000, ...(process.env.SLOW ? [10_000_000] : [])];
const single = [1_000, 10_000, 100_000];

/** How time and memory grow with the number of events, on one thread. */
export function volumeText(): string {
  const read = cloudtrailReader();
  const rows: string[] = [];
  for (const count of streams) {
    const random = randomOf(5);
    let [spent, peak] = [0, 0];
    for (let at = 0; at < count; at += taskEvents) {
      const took = workOn(lines(taskEvents, random, at), read, random);
      spent += took.parse + took.hash + took.read + took.match;
      if (at % 10_000 === 0) peak = Math.max(peak, process.memoryUsage.rss());
    }
    rows.push(`| ${count} | tasks of ${taskEvents} | ${micros(spent, count)} | - | ${megabytes(peak)} |`);
  }
  let first: number | null = null;
  for (const count of single) {
    const random = randomOf(5);
    const took = workOn(lines(count, random), read, random);
    const perEvent = (took.match * 1000) / count;
    // Against what n log n would be from the smallest one on.
    first ??= perEvent / Math.log2(count);
    const growth = (perEvent / (first * Math.log2(count))).toFixed(2);
    rows.push(
      `| ${count} | one task | ${micros(took.match, count)} (matching alone) | ${growth} x | ${megabytes(process.memoryUsage.rss())} |`,
    );
  }
  return ['| events | | µs an event | of n log n | resident, MiB |', '|---|---|---|---|---|', ...rows].join('\n');
}

function micros(ms: number, count: number): string {
  return ((ms * 1000) / count).toFixed(1);
}

function megabytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(0);
}

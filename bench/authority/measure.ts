/** CPU microseconds, of all threads, of one of so many calls one after the other: what others do on the machine counts less. */
export async function cpuMicros(calls: number, call: (i: number) => unknown): Promise<number> {
  const began = process.cpuUsage();
  for (let i = 0; i < calls; i++) await call(i);
  const { user, system } = process.cpuUsage(began);
  return (user + system) / calls;
}

/** The p-th part of numbers, 0 to 1. */
export function quantile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))] ?? Number.NaN;
}

/** Rows as a table in Markdown; the first row is its header. */
export function table(rows: readonly (readonly string[])[]): string {
  const [header = [], ...rest] = rows;
  const widths = header.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  const line = (cells: readonly string[]) => `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  return [line(header), line(widths.map((width) => '-'.repeat(width))), ...rest.map(line)].join('\n');
}

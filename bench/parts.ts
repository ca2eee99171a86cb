import { availableParallelism, loadavg } from 'node:os';
import { table } from './authority/measure.ts';

/** Measures the parts that the command line names, or all, and prints a table of each. */
export async function runParts(
  parts: Readonly<Record<string, () => Promise<readonly (readonly string[])[]>>>,
): Promise<void> {
  const given = process.argv.slice(2);
  const unknown = given.filter((name) => !(name in parts));
  if (unknown.length > 0) throw new Error(`no part ${unknown.join(', ')}: there are ${Object.keys(parts).join(', ')}`);

  const load = () => (loadavg()[0] ?? 0).toFixed(1);
  console.log(`${availableParallelism()} cores, load ${load()}\n`);
  for (const [name, part] of Object.entries(parts)) {
    if (given.length > 0 && !given.includes(name)) continue;
    process.stderr.write(`measuring ${name}\n`);
    console.log(`${table(await part())}\n`);
  }
  console.log(`load at the end ${load()}`);
}

/**
 * What a call costs authority, beside the same done in the usual way, in one run: `npm run bench:authority [-- PART...]`.
 * Each part measures one thing and prints a table; ratios are between neighbours of one round, medians over the rounds.
 */
import { availableParallelism, loadavg } from 'node:os';
import { closing } from './closing.ts';
import { table } from './measure.ts';
import { authorise, policy } from './policy.ts';
import { tokens } from './tokens.ts';

const parts: Readonly<Record<string, () => Promise<readonly (readonly string[])[]>>> = {
  tokens,
  closing,
  policy,
  authorise,
};

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

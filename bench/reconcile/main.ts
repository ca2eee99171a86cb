import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { cloudtrail, type Row } from './cloudtrail.ts';
import { lab, labText } from './lab/lab.ts';
import { postgresRates, postgresText } from './postgres.ts';
import { throughput, throughputText } from './throughput.ts';
import { volumeText } from './volume.ts';

const page = resolve(import.meta.dirname, '../../docs/reconcile-quality.md');
const usage = 'npm run bench:reconcile -- cloudtrail | lab [--tell] | speed | volume | postgres [--write]';

function tableOf(rows: readonly Row[]): string {
  const names = Object.keys(rows[0]?.cells ?? {});
  return [
    `| | ${rows.map(({ conditions }) => conditions).join(' | ')} |`,
    `|---${'|---'.repeat(rows.length)}|`,
    ...names.map((name) => `| ${name} | ${rows.map(({ cells }) => cells[name]).join(' | ')} |`),
  ].join('\n');
}

/** What each part measures, ready for its place on the page; null: what it needs is not on this machine. */
const parts: Readonly<Record<string, () => Promise<string | null>>> = {
  async cloudtrail() {
    const rows = cloudtrail();
    return rows && tableOf(rows);
  },
  async lab() {
    const result = await lab();
    return `${tableOf(result.rows)}\n\n${labText(result)}`;
  },
  speed: async () => throughputText(await throughput()),
  volume: async () => volumeText(),
  async postgres() {
    const rates = await postgresRates();
    return rates && postgresText(rates);
  },
};

const name = process.argv[2] ?? '';
const part = parts[name];
if (!part) {
  console.error(usage);
  process.exit(2);
}
const text = await part();
if (text === null)
  console.log('SKIPPED: what it needs (captured CloudTrail records, a PostgreSQL server) is not on this machine');
else {
  console.log(text);
  if (process.argv.includes('--write')) {
    const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
    const before = readFileSync(page, 'utf8');
    const [from, to] = [before.indexOf(begin) + begin.length, before.indexOf(end)];
    if (to < from) throw new Error(`the page has no place for ${name}`);
    writeFileSync(page, `${before.slice(0, from)}\n${text}\n${before.slice(to)}`);
  }
}

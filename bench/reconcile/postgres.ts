import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { postgresConnector } from '../../packages/reconcile/src/postgres/postgres-connector.ts';
import { stampStatements } from '../../packages/reconcile/src/postgres/stamp.ts';
import { World } from '../../packages/server/test/support/world.ts';
import { Cluster, postgresBinaries } from '../../tests/support/postgres.ts';

const writeMs = 5_000;
const bulkRows = 100_000;

interface Rates {
  /** Rows a second that one client commits one by one, and that one statement inserts. */
  readonly single: number;
  readonly bulk: number;
  /** Rows a second that the connector reads of either, and that are ingested: kept as objects, anchored, noted in rows. */
  readonly readSingle: number;
  readonly readBulk: number;
  readonly ingested: number;
}

/** How fast changed rows are read, beside how fast one node writes them; null without a server on this machine. */
export async function postgresRates(): Promise<Rates | null> {
  if (!postgresBinaries) return null;
  const cluster = await Cluster.start({ wal_level: 'logical', log_statement: 'none', log_connections: 'off' });
  const world = await World.begin();
  try {
    await cluster.sql(`CREATE TABLE t (id serial PRIMARY KEY, item text, cents int); CREATE PUBLICATION deed FOR TABLE t;
      CREATE ROLE reader LOGIN REPLICATION PASSWORD 'reader'; ${stampStatements([['public', 't']]).join(';\n')}`);
    const readerFile = join(mkdtempSync(join(tmpdir(), 'deed-rate-')), 'reader.json');
    writeFileSync(readerFile, JSON.stringify({ user: 'reader', password: 'reader' }), { mode: 0o600 });
    const at = { host: '127.0.0.1', port: cluster.port, database: 'postgres', tls: false, readerFile };
    const config = postgresConnector.config.parse({ ...at, slot: 'deed', publication: 'deed' });
    let place = (await postgresConnector.start(config)).to;
    const readAll = async () => {
      let rows = 0;
      const begun = performance.now();
      for (let more = true; more; ) {
        const reading = await postgresConnector.read(config, place, 10_000);
        ({ more, to: place } = reading);
        rows += reading.records.length;
      }
      return (rows * 1000) / (performance.now() - begun);
    };
    const client = await cluster.connect();
    let rows = 0;
    const begun = performance.now();
    for (; performance.now() - begun < writeMs; rows++)
      await client.query("INSERT INTO t (item, cents) VALUES ('tea', $1)", [rows]);
    const single = (rows * 1000) / (performance.now() - begun);
    const readSingle = await readAll();
    const bulkBegun = performance.now();
    await client.query(`INSERT INTO t (item, cents) SELECT 'tea', n FROM generate_series(1, ${bulkRows}) n`);
    const bulk = (bulkRows * 1000) / (performance.now() - bulkBegun);
    const readBulk = await readAll();
    const { slot, publication } = { slot: 'deed_two', publication: 'deed' };
    await world.post('/v1/sources', { id: 'shop', kind: 'postgres', config: { ...at, slot, publication } });
    await client.query(`INSERT INTO t (item, cents) SELECT 'tea', n FROM generate_series(1, ${bulkRows / 10}) n`);
    await client.end();
    const ingestBegun = performance.now();
    const { ingested } = await world.post('/v1/reconcile');
    const kept = (ingested as { events: number }[]).reduce((sum, { events }) => sum + events, 0);
    return { single, bulk, readSingle, readBulk, ingested: (kept * 1000) / (performance.now() - ingestBegun) };
  } finally {
    await world.end();
    await cluster.stop();
  }
}

export function postgresText({ single, bulk, readSingle, readBulk, ingested }: Rates): string {
  const times = (of: number, by: number) => `${Math.round(of)} (${(of / by).toFixed(1)} x)`;
  return [
    '| rows a second | written | read | ingested |',
    '|---|---|---|---|',
    `| one client, a commit each | ${Math.round(single)} | ${times(readSingle, single)} | ${times(ingested, single)} |`,
    `| one statement | ${Math.round(bulk)} | ${times(readBulk, bulk)} | ${times(ingested, bulk)} |`,
  ].join('\n');
}

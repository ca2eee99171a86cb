import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SourceEvent } from '@deed/evidence';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster, hasPgaudit } from '../../../../tests/support/postgres.ts';
import { shippedMapping } from '../../src/index.ts';
import { mappedConnector } from '../../src/mapped/mapped-connector.ts';

const settings = {
  ...{
    shared_preload_libraries: 'pgaudit',
    logging_collector: 'on',
    log_destination: 'jsonlog',
    log_statement: 'none',
  },
  ...{
    'pgaudit.log': 'read, write, ddl, role',
    'pgaudit.log_rows': 'on',
    'pgaudit.log_relation': 'on',
    log_directory: 'audit',
  },
};
let cluster: Cluster;
let position: Parameters<typeof mappedConnector.read>[1];

const given = () => ({
  path: join(cluster.dir, 'data', 'audit'),
  mapping: Buffer.from(shippedMapping('postgres-pgaudit')).toString(),
  live: true,
});
/** Reads on until the collector, a process of its own, has written what is waited for. */
async function readUntil(count: number): Promise<readonly SourceEvent[]> {
  const events: SourceEvent[] = [];
  for (let left = 50; events.length < count && left > 0; left--) {
    const reading = await mappedConnector.read(given(), position, 1000);
    expect(reading).toMatchObject({ problems: [], gaps: [] });
    position = reading.to;
    events.push(...reading.records.map(({ event }) => event));
    if (events.length < count) await sleep(100);
  }
  return events;
}

beforeAll(async () => {
  if (!hasPgaudit) return;
  cluster = await Cluster.start(settings);
  await cluster.sql(`CREATE EXTENSION pgaudit; CREATE TABLE invoices (id int PRIMARY KEY, cents int);
    CREATE TABLE secrets (text text); CREATE ROLE agent_a LOGIN PASSWORD 'agent_a';
    GRANT SELECT, INSERT, UPDATE ON invoices TO agent_a`);
  await sleep(500);
  position = (await mappedConnector.start(given())).to;
}, 60_000);
afterAll(() => cluster?.stop());

describe.skipIf(!hasPgaudit)('the log of a server with pgaudit', () => {
  it('tells of reads, of SQL and of what was rolled back, by role and transaction, whatever the client calls itself', async () => {
    const client = await cluster.connect('agent_a');
    await client.query("SET application_name = 'deed:task-of-another'");
    await client.query('INSERT INTO invoices VALUES (1, 500), (2, 900)');
    const { rows } = await client.query('SELECT xmin::text AS xid FROM invoices WHERE id = 1');
    await client.query('BEGIN');
    await client.query('UPDATE invoices SET cents = 1');
    await client.query('ROLLBACK');
    await client.end();
    const events = await readUntil(3);
    const brief = ({ operation, activity, credential, resource, fields, correlation }: SourceEvent) => ({
      ...{ operation, activity, role: credential?.uid, of: resource?.uid, rows: fields.rows },
      ...{ sql: fields.sql, claims: correlation.task },
    });
    const all = { role: 'agent_a', of: 'public.invoices', claims: 'task-of-another' };
    expect(events.map(brief)).toEqual([
      {
        ...all,
        operation: 'SQL INSERT',
        activity: 'create',
        rows: 2,
        sql: 'INSERT INTO invoices VALUES (1, 500), (2, 900)',
      },
      { ...all, operation: 'SQL SELECT', activity: 'read', rows: 1, sql: expect.stringContaining('SELECT xmin') },
      { ...all, operation: 'SQL UPDATE', activity: 'update', rows: 2, sql: 'UPDATE invoices SET cents = 1' },
    ]);
    expect(events[0]?.correlation.transaction).toBe(rows[0].xid);
    expect(events[2]?.correlation.transaction).not.toBe(rows[0].xid);
    expect(events[2]?.correlation.transaction).toMatch(/^[1-9]/);
  });

  it('tells what the server refused, and why', async () => {
    await expect(cluster.sql('SELECT * FROM secrets', 'agent_a')).rejects.toThrow('permission denied');
    await expect(cluster.connect('agent_a', 'a guess')).rejects.toThrow();
    const events = await readUntil(2);
    expect(events.map(({ status, fields, credential }) => [status, fields.reason, credential?.uid])).toEqual([
      ['failure', 'scope', 'agent_a'],
      ['failure', 'wrong-secret', 'agent_a'],
    ]);
  });

  it('is read on when the server begins a new file', async () => {
    await cluster.sql('SELECT pg_rotate_logfile()');
    await sleep(1_200);
    await cluster.sql('INSERT INTO invoices VALUES (3, 1)', 'agent_a');
    const events = await readUntil(1);
    expect(events.map(({ operation }) => operation)).toContain('SQL INSERT');
    expect(readdirSync(given().path).filter((name) => name.endsWith('.json')).length).toBeGreaterThanOrEqual(1);
  });
});

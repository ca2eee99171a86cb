import { mkdtempSync, realpathSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readPostgresEvent, type SourceEvent } from '@deed/evidence';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster, postgresBinaries } from '../../../../tests/support/postgres.ts';
import { checkPostgres } from '../../src/postgres/check.ts';
import { postgresConnector } from '../../src/postgres/postgres-connector.ts';
import type { PostgresConfig } from '../../src/postgres/session.ts';
import { stampStatements, unstampStatements } from '../../src/postgres/stamp.ts';

let cluster: Cluster;
let config: PostgresConfig;
let position: Parameters<typeof postgresConnector.read>[1];
const dir = realpathSync(mkdtempSync(join(tmpdir(), 'deed-pg-source-')));
const tables = [['public', 'invoices']] as const;

beforeAll(async () => {
  if (!postgresBinaries) return;
  cluster = await Cluster.start({ wal_level: 'logical', max_slot_wal_keep_size: '64MB' });
  await cluster.sql(`CREATE TABLE invoices (id int PRIMARY KEY, customer text, cents int, note text);
    CREATE ROLE clerk NOLOGIN; GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON invoices TO clerk;
    CREATE ROLE agent_a LOGIN PASSWORD 'agent_a' IN ROLE clerk; CREATE ROLE agent_b LOGIN PASSWORD 'agent_b' IN ROLE clerk;
    CREATE ROLE reader LOGIN REPLICATION PASSWORD 'reader'; CREATE PUBLICATION deed FOR TABLE invoices;
    ${stampStatements(tables).join(';\n')}`);
  const readerFile = join(dir, 'reader.json');
  writeFileSync(readerFile, JSON.stringify({ user: 'reader', password: 'reader' }), { mode: 0o600 });
  config = postgresConnector.config.parse({
    ...{ host: '127.0.0.1', port: cluster.port, database: 'postgres', tls: false },
    ...{ readerFile, slot: 'deed', publication: 'deed' },
  });
  position = (await postgresConnector.start(config)).to;
}, 60_000);
afterAll(async () => {
  await cluster?.stop();
});

async function read(limit = 1000) {
  const reading = await postgresConnector.read(config, position, limit);
  position = reading.to;
  return reading;
}
const as = (role: string, sql: string) => cluster.sql(sql, role);
const brief = ({ operation, credential, resource, fields }: SourceEvent) => ({
  ...{ operation, role: credential?.uid ?? null, of: resource?.uid, ...fields },
});

describe.skipIf(!postgresBinaries)('the changed rows of a database', () => {
  it('are told with their values before and after, and by whose session they were changed', async () => {
    await as('agent_a', "INSERT INTO invoices VALUES (1, 'acme', 5000, NULL), (2, 'globex', 900, 'x')");
    await as('agent_a', 'UPDATE invoices SET cents = 4500 WHERE id = 1');
    await as('agent_b', 'DELETE FROM invoices WHERE id = 2');
    await as('agent_b', 'TRUNCATE invoices');
    const { records, problems, watermark, coverage } = await read();
    expect(problems).toEqual([]);
    expect(records.map(({ event }) => brief(event))).toEqual([
      ...[
        {
          ...{ operation: 'INSERT', role: 'agent_a', of: 'public.invoices/id=1' },
          'after.id': '1',
          'after.customer': 'acme',
          'after.cents': '5000',
          'after.note': null,
        },
        {
          ...{ operation: 'INSERT', role: 'agent_a', of: 'public.invoices/id=2' },
          'after.id': '2',
          'after.customer': 'globex',
          'after.cents': '900',
          'after.note': 'x',
        },
      ],
      {
        ...{ operation: 'UPDATE', role: 'agent_a', of: 'public.invoices/id=1' },
        ...{ 'before.id': '1', 'before.customer': 'acme', 'before.cents': '5000', 'before.note': null },
        ...{ 'after.id': '1', 'after.customer': 'acme', 'after.cents': '4500', 'after.note': null },
      },
      {
        ...{ operation: 'DELETE', role: 'agent_b', of: 'public.invoices/id=2' },
        ...{ 'before.id': '2', 'before.customer': 'globex', 'before.cents': '900', 'before.note': 'x' },
      },
      { operation: 'TRUNCATE', role: 'agent_b', of: 'public.invoices' },
    ]);
    for (const { raw, event } of records) expect(readPostgresEvent(raw)).toEqual(event);
    const newest = records.at(-1)?.event.time ?? '';
    expect(watermark && watermark >= newest).toBe(true);
    expect(coverage.join()).toContain('before and after');
  });

  it('are not there when the transaction was rolled back, and come once', async () => {
    await as('agent_a', "BEGIN; INSERT INTO invoices VALUES (3, 'undone', 1, ''); ROLLBACK");
    expect((await read()).records).toEqual([]);
    await as('agent_a', "INSERT INTO invoices VALUES (4, 'once', 1, '')");
    const before = position;
    const first = await read();
    // As after a crash before anything was kept: the same position again.
    position = before;
    const again = await read();
    expect(again.records.map(({ event }) => event)).toEqual(first.records.map(({ event }) => event));
    expect((await read()).records).toEqual([]);
  });

  it('are read in parts that end with a transaction', async () => {
    for (let i = 10; i < 20; i++) await as('agent_a', `INSERT INTO invoices VALUES (${i}, 'many', ${i}, '')`);
    const seen: string[] = [];
    for (let more = true; more; ) {
      const reading = await read(7);
      seen.push(...reading.records.map(({ event }) => event.resource?.uid ?? ''));
      ({ more } = reading);
    }
    expect(seen).toEqual(Array.from({ length: 10 }, (_, i) => `public.invoices/id=${i + 10}`));
  });

  it('are not ascribed to another by what a client says of itself', async () => {
    const client = await cluster.connect('agent_a');
    await client.query("SET application_name = 'deed:task-of-another'");
    await client.query("INSERT INTO invoices VALUES (30, 'claimed', 1, '')");
    await client.query(`BEGIN; SELECT pg_logical_emit_message(true, 'deed.stamp', '{"role":"agent_b"}');
      INSERT INTO invoices VALUES (31, 'forged', 1, ''); COMMIT`);
    await client.query("SET session_replication_role = 'replica'").catch(() => {});
    await client.query("INSERT INTO invoices VALUES (32, 'silent', 1, '')");
    await expect(client.query('ALTER TABLE invoices DISABLE TRIGGER deed_stamp')).rejects.toThrow();
    await client.end();
    const { records, problems } = await read();
    expect(records.map(({ event }) => [event.credential?.uid ?? null, event.correlation.task])).toEqual([
      ['agent_a', 'task-of-another'],
      [null, undefined],
      ['agent_a', 'task-of-another'],
    ]);
    expect(problems).toEqual([expect.stringContaining('its stamps do not agree on whose session')]);
  });

  it('of which nobody says who made them are a problem', async () => {
    await cluster.sql(unstampStatements(tables).join(';'));
    await as('agent_a', "INSERT INTO invoices VALUES (40, 'nobody', 1, '')");
    const { records, problems } = await read();
    expect(records.map(({ event }) => event.credential)).toEqual([null]);
    expect(problems).toEqual([expect.stringContaining('no stamp says whose session changed public.invoices')]);
    const failed = (await checkPostgres(config)).filter(({ ok }) => !ok);
    expect(failed.map(({ detail }) => detail)).toEqual([
      expect.stringContaining('nothing says whose session changes it'),
    ]);
    await cluster.sql(stampStatements(tables).join(';'));
    expect((await checkPostgres(config)).filter(({ ok }) => !ok)).toEqual([]);
  });

  it('are kept without the values of some columns: that they changed can be seen, and not what they were', async () => {
    const hidden = postgresConnector.config.parse({
      ...config,
      redact: ['public.invoices.note', 'public.invoices.cents'],
    });
    await read();
    await as('agent_a', "INSERT INTO invoices VALUES (60, 'acme', 7, 'secret'), (61, 'acme', 7, 'secret')");
    await as('agent_a', "UPDATE invoices SET note = 'another secret' WHERE id = 60");
    await as('agent_a', 'UPDATE invoices SET cents = 7, note = NULL WHERE id = 60');
    await as('agent_a', 'DELETE FROM invoices WHERE id = 60');
    const { records, problems, coverage, to } = await postgresConnector.read(hidden, position, 1000);
    position = to;
    expect(problems).toEqual([]);
    expect(coverage.join()).toContain('all but the values of public.invoices.note, public.invoices.cents');
    const [one, two, changed, emptied, gone] = records.map(({ event }) => event.fields);
    for (const { raw } of records) {
      const { change } = JSON.parse(Buffer.from(raw).toString()) as { change: string };
      expect(Buffer.from(change, 'base64').toString('latin1')).not.toContain('secret');
    }
    for (const fields of [one, two]) expect(fields).toMatchObject({ 'after.customer': 'acme' });
    expect(one?.['after.note']).toMatch(/^redacted:[0-9a-f]{16}$/);
    expect(one?.['after.note']).not.toBe(two?.['after.note']);
    expect(changed?.['before.cents']).toBe(changed?.['after.cents']);
    expect(changed?.['before.note']).not.toBe(changed?.['after.note']);
    expect(emptied).toMatchObject({ 'after.note': null, 'before.note': expect.stringMatching(/^redacted:/) });
    expect(gone).toMatchObject({ 'before.customer': 'acme', 'before.note': null });
    for (const { raw, event } of records) expect(readPostgresEvent(raw)).toEqual(event);
  });

  it('that somebody else took out of the slot, or that were lost with it, are missing coverage', async () => {
    await as('agent_a', "INSERT INTO invoices VALUES (50, 'taken', 1, '')");
    await cluster.sql(
      "SELECT count(*) FROM pg_logical_slot_get_binary_changes('deed', NULL, NULL, 'proto_version', '1', 'publication_names', 'deed')",
    );
    const { gaps } = await read();
    expect(gaps).toMatchObject([{ why: expect.stringContaining('missing coverage: somebody else read the slot') }]);
    expect(gaps?.[0]?.from && gaps[0].from < gaps[0].to).toBe(true);
    expect((await read()).problems).toEqual([]);
    const { watermark } = position;
    await cluster.sql("SELECT pg_drop_replication_slot('deed')");
    expect(await read()).toMatchObject({ coverage: [], watermark, problems: [expect.stringContaining('is gone')] });
  });

  it('cannot be reached where the server is away or the password is another', async () => {
    await expect(postgresConnector.read({ ...config, port: 1 }, position, 1)).rejects.toMatchObject({
      code: 'unreachable',
    });
    const readerFile = join(dir, 'wrong.json');
    writeFileSync(readerFile, JSON.stringify({ user: 'reader', password: 'guessed' }), { mode: 0o600 });
    await expect(postgresConnector.read({ ...config, readerFile }, position, 1)).rejects.toMatchObject({
      code: 'unreachable',
    });
  });
});

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { verify } from '@deed/evidence';
import { shippedMapping, stampStatements } from '@deed/reconcile';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster, hasPgaudit } from '../../../tests/support/postgres.ts';
import { exportCase } from '../src/case-export.ts';
import { fixture, node, type Worker, World } from './support/world.ts';

const argv = node(fixture('database.mjs'));
const answer = '/result/content/0/text';
const begins = (word: string) => ({
  is: { of: '/arguments/sql', starts: { [word]: word } },
  in: [word],
});
/** An update is to leave its row, and a look the statement alone: each where it can be seen. */
const contract = {
  ...{ deed: 'effect-contract/v1', server: 'orders', version: '1' },
  effects: [
    {
      ...{ tools: ['query'], sources: ['shop'], operations: ['UPDATE'], window: { after: 0 }, when: begins('UPDATE') },
      keys: [{ 'resource.uid': { join: [{ const: 'public.orders/id' }, { of: answer, json: '/0/id' }], with: '=' } }],
    },
    {
      ...{ tools: ['query'], sources: ['shop-log'], operations: ['SQL SELECT'], window: { after: 2 } },
      ...{ when: begins('SELECT'), same: { 'fields.sql': '/arguments/sql' } },
    },
  ],
};

describe.skipIf(!hasPgaudit)('a database whose own log is read beside its rows', () => {
  let cluster: Cluster;
  let world: World;

  beforeAll(async () => {
    cluster = await Cluster.start({
      ...{ wal_level: 'logical', shared_preload_libraries: 'pgaudit', logging_collector: 'on', log_statement: 'none' },
      ...{ log_destination: 'jsonlog', log_directory: 'audit', 'pgaudit.log': 'read, write' },
      ...{ 'pgaudit.log_rows': 'on', 'pgaudit.log_relation': 'on' },
    });
    await cluster.sql(`CREATE EXTENSION pgaudit;
      CREATE ROLE deed_admin LOGIN CREATEROLE PASSWORD 'deed_admin'; CREATE ROLE clerk NOLOGIN;
      CREATE ROLE reader LOGIN REPLICATION PASSWORD 'reader'; GRANT clerk TO deed_admin WITH ADMIN OPTION;
      CREATE TABLE orders (id int PRIMARY KEY, cents int); CREATE PUBLICATION deed FOR TABLE orders;
      INSERT INTO orders VALUES (1, 450), (2, 90); GRANT SELECT, UPDATE ON orders TO clerk;
      ${stampStatements([['public', 'orders']]).join(';\n')}`);
    world = await World.begin();
    const file = (name: string, user: string) => {
      const path = join(world.base, name);
      writeFileSync(path, JSON.stringify({ user, password: user }), { mode: 0o600 });
      return path;
    };
    const at = { host: '127.0.0.1', port: cluster.port, database: 'postgres', tls: false };
    const admin = { adminFile: file('admin.json', 'deed_admin'), roles: ['clerk'], owned: 'keep' };
    await world.post('/v1/brokers', { kind: 'postgres', name: 'orders', ...at, ...admin });
    const tool = { name: 'orders', kind: 'plain', argv, env: {}, credentials: [{ broker: 'orders' }] };
    await world.post('/v1/tools', tool);
    const config = { ...at, readerFile: file('reader.json', 'reader'), slot: 'deed', publication: 'deed' };
    await world.post('/v1/sources', { id: 'shop', kind: 'postgres', skewMs: 0, config });
    const mapping = Buffer.from(shippedMapping('postgres-pgaudit')).toString();
    const log = { path: join(cluster.dir, 'data', 'audit'), mapping, live: true, lagSeconds: 0 };
    await world.post('/v1/sources', {
      ...{ id: 'shop-log', kind: 'mapped', skewMs: 0, config: log },
      watch: { beside: 'shop', expected: ['super', 'reader', 'deed_admin'] },
    });
    await world.post('/v1/contracts', { contract: JSON.stringify(contract) });
  }, 60_000);
  afterAll(async () => {
    await world?.end();
    await cluster?.stop();
  });

  /** A session past Deed, as the role of the task. */
  async function behind({ task }: Worker, ...sql: readonly string[]): Promise<void> {
    const { secret } = world.serving.deployment.authority.credentials.secret(task, 'orders') ?? {};
    const client = await cluster.connect(secret?.user, secret?.password);
    for (const each of sql) await client.query(each);
    await client.end();
  }

  test('confirms reads, needs no word for statements whose rows it has, and asks about those that left none', async () => {
    const worker = await world.worker([{ server: 'orders' }]);
    const connection = await world.connect(argv, worker);
    const run = async (sql: string) => (await connection.call('query', { sql })).text;
    await run('SELECT cents FROM orders WHERE id = 1');
    await run('UPDATE orders SET cents = 400 WHERE id = 1 RETURNING id');
    await behind(worker, 'SELECT * FROM orders');
    await behind(worker, 'BEGIN', 'UPDATE orders SET cents = 1 WHERE id = 2', 'ROLLBACK');
    await connection.close();
    // The collector of the log is a process of its own.
    await sleep(1_000);
    await world.closeTask(worker.task);
    // biome-ignore lint/suspicious/noExplicitAny: what the server answers
    const result: any = await world.post(`/v1/tasks/${worker.task}/reconcile`);
    expect(result.confirmed).toHaveLength(2);
    const told = result.findings.map((one: { type: string; severity: string; why: string }) => [
      ...[one.type, one.severity, /SQL \w+/.exec(one.why)?.[0]],
    ]);
    expect(told.sort()).toEqual([
      ['ambiguous', 'medium', 'SQL UPDATE'],
      ['hidden_side_effect', 'low', 'SQL SELECT'],
    ]);
    const [reconciled] = world.of(worker.task, 'reconciled');
    expect(reconciled?.body.ambient).toHaveLength(1);

    const { authority, ledger } = world.serving.deployment;
    const made = { db: ledger.database, ledger, authority, trustFile: world.made.trustFile, writer: 'test' };
    const exported = await exportCase({ ...made, now: Date.now, witnessMs: 20_000 }, worker.task);
    const report = verify(exported, { trust: world.made.trustFile });
    expect(report).toMatchObject({ verdict: 'VERIFIED', reasons: [] });
    expect(report.actions.map(({ layers }) => layers.corroboration.state)).toEqual(['present', 'present']);
  });
});

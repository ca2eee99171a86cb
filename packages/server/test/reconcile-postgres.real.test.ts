import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { verify } from '@deed/evidence';
import { stampStatements } from '@deed/reconcile';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster, postgresBinaries } from '../../../tests/support/postgres.ts';
import { exportCase } from '../src/case-export.ts';
import { fixture, node, type Worker, World } from './support/world.ts';

const argv = node(fixture('database.mjs'));
const answer = '/result/content/0/text';
/** What a statement that returns its row is to leave: that row, under its key, with its amount. */
const effect = (word: string, operation: string) => ({
  ...{ tools: ['query'], sources: ['shop'], operations: [operation], window: { after: 0 } },
  when: { is: { of: '/arguments/sql', starts: { [word]: word } }, in: [word] },
  keys: [{ 'resource.uid': { join: [{ const: 'public.orders/id' }, { of: answer, json: '/0/id' }], with: '=' } }],
  same: { 'fields.after.cents': { of: answer, json: '/0/cents' } },
});
const contract = {
  ...{ deed: 'effect-contract/v1', server: 'orders', version: '1' },
  effects: [effect('INSERT', 'INSERT'), effect('UPDATE', 'UPDATE')],
};

describe.skipIf(!postgresBinaries)('a task on a database that tells what changed', () => {
  let cluster: Cluster;
  let world: World;

  beforeAll(async () => {
    cluster = await Cluster.start({ wal_level: 'logical', max_slot_wal_keep_size: '64MB' });
    await cluster.sql(`
      CREATE ROLE deed_admin LOGIN CREATEROLE PASSWORD 'deed_admin'; CREATE ROLE clerk NOLOGIN;
      CREATE ROLE reader LOGIN REPLICATION PASSWORD 'reader'; GRANT clerk TO deed_admin WITH ADMIN OPTION;
      CREATE TABLE orders (id serial PRIMARY KEY, item text, cents int); CREATE PUBLICATION deed FOR TABLE orders;
      GRANT SELECT, INSERT, UPDATE, DELETE ON orders TO clerk; GRANT USAGE ON SEQUENCE orders_id_seq TO clerk;
      ${stampStatements([['public', 'orders']]).join(';\n')}`);
    world = await World.begin();
    const file = (name: string, user: string) => {
      const path = join(world.base, name);
      writeFileSync(path, JSON.stringify({ user, password: user }), { mode: 0o600 });
      return path;
    };
    const at = { host: '127.0.0.1', port: cluster.port, database: 'postgres', tls: false };
    await world.post('/v1/brokers', {
      ...{ kind: 'postgres', name: 'orders', ...at, adminFile: file('admin.json', 'deed_admin'), roles: ['clerk'] },
      owned: 'keep',
    });
    await world.post('/v1/tools', {
      name: 'orders',
      kind: 'plain',
      argv,
      env: {},
      credentials: [{ broker: 'orders' }],
    });
    const config = { ...at, readerFile: file('reader.json', 'reader'), slot: 'deed', publication: 'deed' };
    await world.post('/v1/sources', { id: 'shop', kind: 'postgres', skewMs: 0, config });
    await world.post('/v1/contracts', { contract: JSON.stringify(contract) });
  }, 60_000);
  afterAll(async () => {
    await world?.end();
    await cluster?.stop();
  });

  /** A session past Deed, as the role of the task. */
  async function behind({ task }: Worker, sql: string): Promise<void> {
    const { secret } = world.serving.deployment.authority.credentials.secret(task, 'orders') ?? {};
    const client = await cluster.connect(secret?.user, secret?.password);
    await client.query(sql);
    await client.end();
  }

  test('is confirmed row by row, and what went past it shows; the case verifies and holds the rows', async () => {
    const worker = await world.worker([{ server: 'orders' }]);
    const other = await world.worker([{ server: 'orders' }]);
    const connection = await world.connect(argv, worker);
    const run = async (sql: string) => (await connection.call('query', { sql })).text;
    expect(await run("INSERT INTO orders (item, cents) VALUES ('tea', 450) RETURNING id, cents")).toContain('"id":1');
    await run('UPDATE orders SET cents = 400 WHERE id = 1 RETURNING id, cents');
    await run('SELECT * FROM orders');
    // Its answer says one amount, a trigger of somebody else stores another.
    await cluster.sql(`CREATE FUNCTION shave() RETURNS trigger LANGUAGE plpgsql AS
      $$BEGIN UPDATE orders SET cents = cents + 1 WHERE id = NEW.id; RETURN NULL; END$$;
      CREATE TRIGGER shave AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION shave()`);
    await run("INSERT INTO orders (item, cents) VALUES ('milk', 90) RETURNING id, cents");
    await behind(worker, 'UPDATE orders SET cents = 999999 WHERE id = 1');
    await behind(other, "SET application_name = 'deed:somebody'; DELETE FROM orders WHERE id = 2");
    await cluster.sql("INSERT INTO orders (item, cents) VALUES ('by hand', 1)");
    await connection.close();
    await world.closeTask(worker.task);
    await world.closeTask(other.task);

    // biome-ignore lint/suspicious/noExplicitAny: what the server answers
    const result: any = await world.post(`/v1/tasks/${worker.task}/reconcile`);
    expect(result.confirmed).toHaveLength(3);
    expect(world.of(worker.task, 'confirmed').map(({ body }) => [body.how, body.key])).toEqual(
      Array.from({ length: 3 }, () => ['exact', ['resource.uid']]),
    );
    const told = result.findings.map(({ type, why }: { type: string; why: string }) => `${type}: ${why}`);
    expect(told).toHaveLength(2);
    expect(told.join()).toMatch(
      /hidden_side_effect: source shop recorded UPDATE of public.orders\/id=1 .*before.cents 400.*after.cents 999999/,
    );
    expect(told.join()).toMatch(
      /hidden_side_effect: source shop recorded UPDATE of public.orders\/id=2 .*after.cents 91/,
    );
    // biome-ignore lint/suspicious/noExplicitAny: what the server answers
    const others: any = await world.post(`/v1/tasks/${other.task}/reconcile`);
    expect(others.findings).toMatchObject([{ type: 'scope_excess' }]);
    const { findings } = (await world.api('GET', '/v1/findings')).body;
    const foreign = findings.filter(({ task }: { task: string | null }) => task === null);
    // The row that was made by hand, and what the trigger did to it.
    expect(foreign.map(({ type, severity }: { type: string; severity: string }) => `${type} ${severity}`)).toEqual([
      ...['unknown_credential critical', 'unknown_credential critical'],
    ]);

    const { authority, ledger } = world.serving.deployment;
    const made = { db: ledger.database, ledger, authority, trustFile: world.made.trustFile, writer: 'test' };
    const file = await exportCase({ ...made, now: Date.now, witnessMs: 20_000 }, worker.task);
    const report = verify(file, { trust: world.made.trustFile });
    expect(report).toMatchObject({ verdict: 'VERIFIED', reasons: [] });
    expect(report.actions.map(({ records }) => records)).toEqual([
      ['shop: INSERT public.orders/id=1 (id 1, item tea, cents 450)'],
      ['shop: UPDATE public.orders/id=1 (cents 450 -> 400)'],
      [],
      ['shop: INSERT public.orders/id=2 (id 2, item milk, cents 90)'],
    ]);
    const layers = report.actions.map((each) => each.layers.corroboration.state);
    expect(layers.filter((state) => state === 'present')).toHaveLength(3);
  });
});

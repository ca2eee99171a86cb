import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stampStatements } from '../../../packages/reconcile/src/index.ts';
import { node, type World } from '../../../packages/server/test/support/world.ts';
import { Cluster, postgresBinaries } from '../../../tests/support/postgres.ts';
import { type LabDefect, type Labels, type LabSystem, type LabTask, labDefects, nameRepetitions } from './system.ts';

const answer = '/result/content/0/text';
const contract = {
  ...{ deed: 'effect-contract/v1', server: 'orders', version: '1' },
  effects: [
    {
      ...{ tools: ['order'], sources: ['shop'], operations: ['INSERT'], window: { after: 0 } },
      keys: [{ 'resource.uid': { join: [{ const: 'public.orders/id' }, { of: answer, json: '/0/id' }], with: '=' } }],
      same: { 'fields.after.item': '/arguments/item', 'fields.after.cents': '/arguments/cents' },
    },
  ],
};

/** A PostgreSQL database that tells which rows changed, and whose session changed them; null without a server on this machine. */
export async function ordersLab(world: World, random: () => number): Promise<LabSystem | null> {
  if (!postgresBinaries) return null;
  const wrong = join(world.base, 'wrong');
  writeFileSync(wrong, '');
  const argv = node(fileURLToPath(new URL('orders-tool.mjs', import.meta.url)));
  const cluster = await Cluster.start({ wal_level: 'logical', max_slot_wal_keep_size: '64MB' });
  await cluster.sql(`
    CREATE ROLE deed_admin LOGIN CREATEROLE PASSWORD 'deed_admin'; CREATE ROLE clerk NOLOGIN;
    CREATE ROLE reader LOGIN REPLICATION PASSWORD 'reader'; GRANT clerk TO deed_admin WITH ADMIN OPTION;
    CREATE TABLE orders (id serial PRIMARY KEY, item text, cents int); CREATE PUBLICATION deed FOR TABLE orders;
    GRANT SELECT, INSERT, UPDATE, DELETE ON orders TO clerk; GRANT USAGE ON SEQUENCE orders_id_seq TO clerk;
    ${stampStatements([['public', 'orders']]).join(';\n')}`);
  const file = (name: string, user: string) => {
    const path = join(world.base, name);
    writeFileSync(path, JSON.stringify({ user, password: user }), { mode: 0o600 });
    return path;
  };
  const at = { host: '127.0.0.1', port: cluster.port, database: 'postgres', tls: false };
  const admin = { adminFile: file('admin.json', 'deed_admin'), roles: ['clerk'], owned: 'keep' };
  await world.post('/v1/brokers', { kind: 'postgres', name: 'orders', ...at, ...admin });
  await world.post('/v1/tools', {
    name: 'orders',
    kind: 'plain',
    argv,
    env: { LAB_WRONG: wrong },
    credentials: [{ broker: 'orders' }],
  });
  const config = { ...at, readerFile: file('reader.json', 'reader'), slot: 'deed', publication: 'deed' };
  await world.post('/v1/sources', { id: 'shop', kind: 'postgres', config });
  await world.post('/v1/contracts', { contract: JSON.stringify(contract) });
  const one = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;
  const items = Array.from({ length: 60 }, (_, i) => `item ${i}`);
  const prices = Array.from({ length: 20 }, (_, i) => 50 * (i + 1));
  const newest = async () => `event:public.orders/id=${(await cluster.sql('SELECT max(id) AS id FROM orders'))[0]?.id}`;

  async function begin(): Promise<LabTask> {
    const worker = await world.worker([{ server: 'orders' }]);
    const connection = await world.connect(argv, worker);
    const labels: Labels = new Map();
    const contents = new Map<string, string>();
    const done = new Set<string>();
    const actions: string[] = [];
    const label = (item: string, defect: LabDefect) => labels.set(item, { defect, type: labDefects[defect] });
    const insertAs = async (defect: LabDefect, item: string, cents: number, user?: string, password?: string) => {
      await cluster.sql(`INSERT INTO orders (item, cents) VALUES ('${item}', ${cents})`, user, password);
      label(await newest(), defect);
      contents.set(await newest(), `${item} ${cents}`);
    };
    return {
      worker,
      labels,
      actions,
      async work(defect, keyed) {
        const [item, cents] = [one(items), one(prices)];
        const { secret } = world.serving.deployment.authority.credentials.secret(worker.task, 'orders') ?? {};
        if (defect === 'hidden') return insertAs(defect, item, cents, secret?.user, secret?.password);
        if (defect === 'foreign') return insertAs(defect, item, cents);
        writeFileSync(wrong, defect ?? '');
        const told = (await connection.call('order', { item, cents, quiet: !keyed })).text;
        if (!/id|ok/.test(told)) throw new Error(`an order of the lab failed: ${told}`);
        const action = world.of(worker.task, 'intent').at(-1)?.body.action ?? '';
        actions.push(action);
        if (defect === 'phantom' || defect === 'changed') label(`action:${action}`, defect);
        else done.add(`${item} ${cents}`);
        if (defect === 'duplicate') label(await newest(), defect);
      },
      async afterClose() {
        throw new Error('a role is gone when its task is closed');
      },
      async end() {
        nameRepetitions(labels, contents, done);
        await connection.close();
      },
    };
  }

  return {
    name: 'orders',
    defects: ['hidden', 'phantom', 'changed', 'duplicate', 'foreign'],
    canBeKeyless: true,
    begin,
    setClock: () => {},
    settle: async () => {},
    keyOf: ({ resource }) => resource?.uid ?? '',
    contentOf: ({ fields }) => `${fields['after.item']} ${fields['after.cents']}`,
    stop: () => cluster.stop(),
  };
}

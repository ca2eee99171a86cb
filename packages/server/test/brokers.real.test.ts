import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster, postgresBinaries } from '../../../tests/support/postgres.ts';
import { backup, examineFolder, restore } from '../src/index.ts';
import type { Connection } from './support/connection.ts';
import { fixture, node, World } from './support/world.ts';

const argv = node(fixture('database.mjs'));
const mailArgv = [...argv, 'mail'];
const mailKey = 's3cret-of-the-mail-service';

describe.skipIf(!postgresBinaries)('brokered credentials, from the agent to the database', () => {
  let cluster: Cluster;
  let world: World;
  let adminFile: string;
  const broker = () => ({
    ...{ kind: 'postgres', name: 'orders', host: '127.0.0.1', port: cluster.port, database: 'postgres', adminFile },
    ...{ roles: ['clerk'], tls: false },
  });
  const register = (name: string, words: readonly string[], credential?: object) =>
    world.post('/v1/tools', {
      name,
      kind: 'plain',
      argv: words,
      env: {},
      ...(credential ? { credentials: [credential] } : {}),
    });
  const roles = async () =>
    (await cluster.sql("SELECT rolname FROM pg_roles WHERE rolname LIKE 'deed\\_0%'")).map(({ rolname }) => rolname);
  const said = async (connection: Connection, name: string, args: object = {}): Promise<string> => {
    return (await connection.call(name, args)).text;
  };
  const secretsOf = (task: string) =>
    world.serving.deployment.authority.credentials
      .ofTask(task)
      .flatMap(({ broker: name }) =>
        Object.values(world.serving.deployment.authority.credentials.secret(task, name)?.secret ?? {}),
      );

  beforeAll(async () => {
    cluster = await Cluster.start();
    await cluster.sql(`
      CREATE ROLE deed_admin LOGIN CREATEROLE PASSWORD 'deed_admin'; CREATE ROLE clerk NOLOGIN;
      GRANT clerk TO deed_admin WITH ADMIN OPTION;
      CREATE TABLE orders (item text); INSERT INTO orders VALUES ('tea'); GRANT SELECT, INSERT ON orders TO clerk;
    `);
    world = await World.begin();
    adminFile = join(world.base, 'admin.json');
    writeFileSync(adminFile, '{"user":"deed_admin","password":"deed_admin"}', { mode: 0o600 });
    await world.post('/v1/brokers', broker());
    await world.post('/v1/secrets', { name: 'mail', variable: 'MAIL_KEY', value: mailKey });
    await register('orders', argv, { broker: 'orders' });
    await register('mail', mailArgv, { broker: 'mail' });
  });
  afterAll(async () => {
    await world.end();
    await cluster.stop();
  });

  test('a tool works as a role of the task alone, which the database’s own log shows, and whose end ends everything', async () => {
    const worker = await world.worker([{ server: 'orders' }]);
    const [role = ''] = (await roles()) as string[];
    const connection = await world.connect(argv, worker);
    expect(await said(connection, 'query', { sql: 'SELECT session_user AS who, item FROM orders' })).toBe(
      JSON.stringify([{ who: role, item: 'tea' }]),
    );
    expect(await said(connection, 'query', { sql: 'DELETE FROM orders' })).toMatch(/permission denied/);
    expect(cluster.log()).toContain(`${role} postgres`);
    const { password = '' } =
      world.serving.deployment.authority.credentials.secret(worker.task, 'orders')?.secret ?? {};
    const open = await cluster.connect(role, password);
    const dead = new Promise((resolve) => open.once('end', resolve));

    await world.closeTask(worker.task);
    await dead;
    await connection.closed;
    await expect(cluster.connect(role, password)).rejects.toMatchObject({ code: '28P01' });
    expect(await roles()).toEqual([]);
    expect(connection.lines.join('\n')).not.toContain(password);
    expect(await everythingIn(world.dir)).not.toContain(password);
    const [opened] = world.of(worker.task, 'task-opened');
    expect(opened?.body.credentials).toMatchObject([{ broker: 'orders', debt: 'none' }]);
    expect(JSON.stringify(opened)).not.toContain(role);
  });

  test('two tasks are two roles, and neither is given to the other', async () => {
    const [one, two] = [await world.worker([{ server: 'orders' }]), await world.worker([{ server: 'orders' }])];
    const who = async (worker: typeof one) => {
      const connection = await world.connect(argv, worker);
      const answer = await said(connection, 'query', { sql: 'SELECT session_user AS who' });
      await connection.close();
      return answer;
    };
    const [first, second, again] = [await who(one), await who(two), await who(one)];
    expect(first).not.toBe(second);
    expect(again).toBe(first);
    await world.closeTask(one.task);
    expect(await who(two)).toBe(second);
    await world.closeTask(two.task);
    expect(await roles()).toEqual([]);
  });

  test('a task that does not name the server has no credential for it, and its tool is not started', async () => {
    const worker = await world.worker([{ server: 'fixture' }]);
    expect(await roles()).toEqual([]);
    for (const who of [worker, null]) {
      const connection = await world.connect(argv, who);
      const { error } = await connection.request('tools/list');
      expect(error).toMatchObject({ data: { deed: 'credential' } });
      await connection.close();
    }
  });

  test('a static secret reaches the tool and nothing else; what the task leaves says that it is a debt', async () => {
    const worker = await world.worker([{ server: 'mail' }]);
    const connection = await world.connect(mailArgv, worker);
    expect(await said(connection, 'secret')).toBe('as sealed');
    expect(await said(connection, 'variables')).toBe(JSON.stringify(['HOME', 'LANG', 'MAIL_KEY', 'PATH', 'TMPDIR']));
    expect(secretsOf(worker.task)).toEqual([mailKey]);
    await world.closeTask(worker.task);
    await connection.closed;
    expect(connection.lines.join('\n')).not.toContain(mailKey);
    expect(await everythingIn(world.dir)).not.toContain(mailKey);
    expect(world.of(worker.task, 'task-opened')[0]?.body.credentials).toMatchObject([
      { broker: 'mail', debt: 'static' },
    ]);
    expect(world.of(worker.task, 'task-closed')[0]?.body.debts).toEqual(['mail']);
    expect(secretsOf(worker.task)).toEqual([]);
  });

  test('a secret that is set anew is what the next task is given, and the log says that something was set', async () => {
    const stated = () => world.of('deployment', 'configuration-stated').length;
    const before = stated();
    await world.post('/v1/secrets', { name: 'mail', value: 'another one' });
    expect(stated()).toBe(before + 1);
    const worker = await world.worker([{ server: 'mail' }]);
    const connection = await world.connect(mailArgv, worker);
    expect(await said(connection, 'secret')).toBe('another');
    await world.closeTask(worker.task);
    await world.post('/v1/secrets', { name: 'mail', value: mailKey });
  });

  test('check finds a role that was left behind, and what Deed knows is none', async () => {
    const worker = await world.worker([{ server: 'orders' }]);
    const check = async () => (await world.post('/v1/brokers/orders/check')).checks;
    expect((await check()).filter(({ ok }: { ok: boolean }) => !ok)).toEqual([]);
    await world.closeTask(worker.task);
    await cluster.sql(
      `CREATE ROLE deed_0stray; COMMENT ON ROLE deed_0stray IS 'deed ${world.made.origin}'; GRANT deed_0stray TO deed_admin WITH ADMIN OPTION`,
    );
    expect((await check()).at(-1)).toMatchObject({ ok: false, detail: expect.stringContaining('deed_0stray') });
    await cluster.sql('DROP ROLE deed_0stray');
  });

  test('what is in use is not removed, and names do not collide', async () => {
    expect((await world.api('POST', '/v1/brokers/orders/remove', {})).body.detail).toMatch(/orders is registered/);
    expect((await world.api('POST', '/v1/secrets', { name: 'orders', variable: 'A', value: 'v' })).status).toBe(400);
    expect((await world.api('POST', '/v1/brokers', { ...broker(), name: 'mail' })).status).toBe(400);
    const unknown = { name: 'x', kind: 'plain', argv: [...argv, 'x'], env: {} };
    expect((await world.api('POST', '/v1/tools', { ...unknown, credentials: [{ broker: 'none' }] })).status).toBe(400);
    const mapped = { broker: 'orders', env: { DB_USER: 'nothing' } };
    expect((await world.api('POST', '/v1/tools', { ...unknown, credentials: [mapped] })).body.detail).toMatch(
      /no part nothing/,
    );
    expect(
      await world.post('/v1/tools', { ...unknown, credentials: [{ ...mapped, env: { DB_USER: 'user' } }] }),
    ).toBeDefined();
  });

  test('the folder is sound with secrets in it; a backup restores them, and a changed one is found', async () => {
    const places = ['data', 'keys', 'again'].map((name) => join(world.base, 'copy', name));
    mkdirSync(join(world.base, 'copy'));
    const [to = '', keysTo = '', again = ''] = places;
    expect(examineFolder(world.dir).problems).toEqual([]);
    backup({ dir: world.dir, to, keysTo });
    expect(await everythingIn(to)).not.toContain(mailKey);
    restore(to, keysTo, again);
    expect(examineFolder(again).problems).toEqual([]);
    expect(statSync(join(again, 'keys', 'sealing.pem')).mode & 0o077).toBe(0);
    writeFileSync(join(again, 'keys', 'sealing.pem'), readFileSync(join(again, 'keys', 'token.pem')));
    expect(examineFolder(again).problems).toMatchObject([{ code: 'state', where: 'table static_secret, row mail' }]);
  });
});

/** Every byte of a folder, as one text. */
async function everythingIn(dir: string): Promise<string> {
  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((item) => item.isFile());
  return files.map((item) => readFileSync(join(item.parentPath, item.name), 'latin1')).join('\n');
}

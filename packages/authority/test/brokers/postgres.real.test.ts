import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { newId } from '@deed/evidence';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster, postgresBinaries } from '../../../../tests/support/postgres.ts';
import type { CredentialBroker, MintedCredential } from '../../src/brokers/broker.ts';
import { type PostgresOptions, postgresBroker } from '../../src/brokers/postgres.ts';
import { refused } from '../refused.ts';
import { World } from '../world.ts';

const hourMs = 3_600_000;

describe.skipIf(!postgresBinaries)('a role a task', () => {
  let cluster: Cluster;
  const adminFile = join(mkdtempSync(join(tmpdir(), 'deed-admin-')), 'admin.json');
  const made = (over: Partial<PostgresOptions> = {}): CredentialBroker =>
    postgresBroker({
      ...{ name: 'orders', host: '127.0.0.1', port: cluster.port, database: 'shop', adminFile, roles: ['clerk'] },
      ...{ connections: 3, owned: 'keep', tls: false, origin: 'one.deed.local', servers: () => ['orders'] },
      ...over,
    });
  const mint = (broker = made()): Promise<MintedCredential> =>
    broker.mint({
      task: 't',
      id: newId('credential', Date.now()),
      targets: ['orders'],
      deadlineMs: Date.now() + hourMs,
    });
  const login = ({ secret }: MintedCredential, database = 'shop') =>
    cluster.connect(secret.user, secret.password, database);
  const roles = () =>
    cluster.sql("SELECT rolname FROM pg_roles WHERE rolname LIKE 'deed\\_%' AND rolname <> 'deed_admin'");

  beforeAll(async () => {
    cluster = await Cluster.start();
    // Not a superuser. Since PostgreSQL 16 it needs ADMIN OPTION on what it hands on; before, CREATEROLE was enough.
    await cluster.sql(`
      CREATE ROLE deed_admin LOGIN CREATEROLE PASSWORD 'deed_admin';
      CREATE ROLE clerk NOLOGIN;
      CREATE ROLE chief NOLOGIN CREATEROLE;
      CREATE ROLE reader NOLOGIN IN ROLE pg_read_server_files;
      GRANT clerk TO deed_admin WITH ADMIN OPTION;
    `);
    await cluster.sql('CREATE DATABASE shop');
    await cluster.sql('CREATE DATABASE other');
    await cluster.sql(
      "CREATE TABLE orders (id int, item text); INSERT INTO orders VALUES (1, 'tea'); GRANT SELECT, INSERT ON orders TO clerk; GRANT CREATE ON SCHEMA public TO clerk",
      ...(['super', 'super', 'shop'] as const),
    );
    await cluster.sql('GRANT CREATE ON SCHEMA public TO PUBLIC', 'super', 'super', 'other');
    writeFileSync(adminFile, '{"user": "deed_admin", "password": "deed_admin"}', { mode: 0o600 });
  });
  afterAll(() => cluster.stop());

  test('it may do what its template may, no more, and not longer or wider than the task', async () => {
    const broker = made();
    const credential = await mint(broker);
    expect(credential.id).toBe(credential.secret.user);
    const client = await login(credential);
    expect((await client.query('SELECT session_user AS who, item FROM orders')).rows).toEqual([
      { who: credential.id, item: 'tea' },
    ]);
    await expect(client.query('DELETE FROM orders')).rejects.toMatchObject({ code: '42501' });
    await expect(client.query('CREATE ROLE mine')).rejects.toMatchObject({ code: '42501' });
    await expect(client.query(`ALTER ROLE "${credential.id}" VALID UNTIL 'infinity'`)).rejects.toMatchObject({
      code: '42501',
    });
    const others = [await login(credential), await login(credential)];
    await expect(login(credential)).rejects.toMatchObject({ code: '53300' });
    const [row] = await cluster.sql(
      `SELECT rolvaliduntil, rolconnlimit FROM pg_roles WHERE rolname = '${credential.id}'`,
    );
    expect(row?.rolconnlimit).toBe(3);
    expect((row?.rolvaliduntil as Date | undefined)?.getTime()).toBe(credential.expiresMs);
    for (const one of [client, ...others]) await one.end();
    await broker.revoke(credential.id, credential.secret);
  });

  test("no password is in the server's log, which logs every statement, and the role's name is", async () => {
    const broker = made();
    const credential = await mint(broker);
    const client = await login(credential);
    await client.query('SELECT 1 AS marker');
    await client.end();
    await broker.revoke(credential.id, credential.secret);
    expect(cluster.log()).toContain(`${credential.id} shop`);
    expect(cluster.log()).toContain('CREATE ROLE');
    expect(cluster.log()).not.toContain(credential.secret.password);
  });

  test('once revoked its sessions are dead, its logins refused, its role gone; a second time nothing happens', async () => {
    const broker = made();
    const credential = await mint(broker);
    expect(await broker.probe(credential.id, credential.secret)).toMatchObject({ refused: false });
    const client = await login(credential);
    const ended = new Promise((resolve) => client.once('end', resolve));
    const sleeping = client.query('SELECT pg_sleep(600)');
    const died = expect(sleeping).rejects.toThrow();
    await broker.revoke(credential.id, credential.secret);
    await died;
    await ended;
    await expect(login(credential)).rejects.toMatchObject({ code: '28P01' });
    expect(await broker.probe(credential.id, credential.secret)).toMatchObject({ refused: true });
    expect(await roles()).toEqual([]);
    await broker.revoke(credential.id, credential.secret);
  });

  test.each(['keep', 'drop'] as const)(
    'what it made, in this database and another, does not hold it: %s',
    async (owned) => {
      const broker = made({ owned });
      const credential = await mint(broker);
      for (const database of ['shop', 'other']) {
        const client = await login(credential, database);
        await client.query(`CREATE TABLE made_${owned} AS SELECT 1 AS one; GRANT SELECT ON made_${owned} TO PUBLIC`);
        await client.end();
      }
      await broker.revoke(credential.id, null);
      expect(await roles()).toEqual([]);
      for (const database of ['shop', 'other']) {
        const left = await cluster.sql(
          `SELECT tableowner FROM pg_tables WHERE tablename = 'made_${owned}'`,
          'super',
          'super',
          database,
        );
        expect(left).toEqual(owned === 'keep' ? [{ tableowner: 'deed_admin' }] : []);
      }
    },
  );

  test('a request that a crash cut short is revoked by the id that was asked for', async () => {
    const broker = made();
    const id = newId('credential', Date.now());
    const { id: role } = await broker.mint({ task: 't', id, targets: ['orders'], deadlineMs: Date.now() + hourMs });
    expect(await broker.held?.()).toEqual([role]);
    expect(await made({ origin: 'two.deed.local' }).held?.()).toEqual([]);
    await broker.revoke(id, null);
    expect(await broker.held?.()).toEqual([]);
  });

  test.each([
    ['chief', 'administers the server'],
    ['reader', 'pg_read_server_files'],
    ['absent', 'there is no role absent'],
  ])('a task is not made a member of %s', async (role, why) => {
    const broker = made({ roles: ['clerk', role] });
    await expect(mint(broker)).rejects.toThrow(why);
    expect(await roles()).toEqual([]);
    const checks = (await broker.check?.()) ?? [];
    expect(checks.filter(({ ok }) => !ok).map(({ what }) => what)).toContain('roles for tasks');
  });

  test('names are names: none of them is read as SQL', async () => {
    await cluster.sql('CREATE ROLE "a"", b; DROP ROLE clerk; --" NOLOGIN');
    const broker = made({ roles: ['a", b; DROP ROLE clerk; --'], origin: "o'rigin" });
    // Only 16 and later ask for ADMIN OPTION; either way nothing else was run.
    await mint(broker).then(
      ({ id }) => broker.revoke(id, null),
      () => {},
    );
    expect(await cluster.sql("SELECT 1 AS one FROM pg_roles WHERE rolname = 'clerk'")).toEqual([{ one: 1 }]);
    expect(await roles()).toEqual([]);
  });

  test('check goes through the whole life of a credential and leaves nothing', async () => {
    const checks = (await made().check?.()) ?? [];
    expect(checks.filter(({ ok }) => !ok)).toEqual([]);
    expect(checks.map(({ what }) => what)).toEqual([
      ...['administering role', 'roles for tasks', 'a credential is made', 'it logs in'],
      ...['another password is refused', 'it is revoked'],
    ]);
    expect(await roles()).toEqual([]);
  });

  test('check says what an administering role lacks', async () => {
    await cluster.sql("CREATE ROLE weak LOGIN PASSWORD 'weak'");
    const file = `${adminFile}.weak`;
    writeFileSync(file, '{"user": "weak", "password": "weak"}', { mode: 0o600 });
    expect(await made({ adminFile: file }).check?.()).toEqual([
      { what: 'administering role', ok: false, detail: 'weak lacks CREATEROLE: ALTER ROLE weak CREATEROLE' },
    ]);
    chmodSync(file, 0o640);
    expect(await refused(() => mint(made({ adminFile: file })))).toBe('folder');
  });

  test('a server that is away mints nothing, revokes nothing, and a probe says that it cannot tell', async () => {
    const away = made({ port: 1 });
    expect(await refused(() => mint(away))).toBe('broker');
    expect(await refused(() => away.revoke('deed_x', null))).toBe('broker');
    expect(await refused(() => away.probe('deed_x', { user: 'deed_x', password: 'p' }))).toBe('broker');
  });

  test('kill -9 between the making of a role and the opening of its task: the next start leaves no role', async () => {
    const options = {
      name: 'orders',
      host: '127.0.0.1',
      port: cluster.port,
      database: 'shop',
      adminFile,
      roles: ['clerk'],
    };
    const more = { connections: 3, owned: 'keep', tls: false, origin: 'one.deed.local' } as const;
    const script = new URL('./killed.ts', import.meta.url).pathname;
    const argv = ['--conditions=deed-source', script, JSON.stringify({ ...options, ...more })];
    const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
    const [said, [, signal]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
    expect(signal).toBe('SIGKILL');
    const { base, init, role } = JSON.parse(said);
    expect(await roles()).toEqual([{ rolname: role }]);

    const world = new World();
    Object.assign(world, { base, dir: join(base, 'data'), init, brokers: [made()] });
    await world.open();
    const { credentials } = world.authority;
    const [left] = world.ledger.database.all<{ task: string }>('SELECT task FROM credentials');
    await credentials.settled(left?.task ?? '');
    expect(credentials.ofTask(left?.task ?? '')).toMatchObject([{ state: 'revoked' }]);
    expect(await roles()).toEqual([]);
    await world.end();
  });
});

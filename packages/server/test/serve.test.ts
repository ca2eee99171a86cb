import { mkdirSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { proves } from '../../../tests/promises.ts';
import { socketPath } from '../src/index.ts';
import { World } from './support/world.ts';

let world: World;
beforeAll(async () => {
  world = await World.begin({ listen: { host: '127.0.0.1', port: 0 } });
});
afterAll(() => world.end());

test('a second server on one folder is refused', async () => {
  proves('one-writer');
  await expect(world.serve()).rejects.toMatchObject({ code: 'locked' });
  expect((await world.api('GET', '/v1/status')).body.ready).toBe(true);
});

test('the TCP listener serves the log and the public API, and never the administration', async () => {
  const { url } = world.serving;
  await world.settled();
  const checkpoint = await fetch(`${url}/log/checkpoint`);
  expect(checkpoint.status).toBe(200);
  expect((await checkpoint.text()).split('\n')[0]).toBe(world.made.origin);
  for (const path of [
    '/',
    '/v1/status',
    '/v1/approvals',
    '/v1/mcp',
    '/log/../v1/status',
    '/log',
    '/log/%2e%2e/deed.db',
  ]) {
    expect((await fetch(`${url}${path}`)).status, path).toBe(404);
  }
  expect((await fetch(`${url}/v1/tools`, { method: 'POST', body: '{}' })).status).toBe(404);
  expect((await fetch(`${url}/log/checkpoint`, { method: 'DELETE' })).status).toBe(405);
});

test('a path of the log is taken as it was sent, on TCP and on the socket', async () => {
  await world.settled();
  const port = Number(new URL(world.serving.url ?? '').port);
  const status = (path: string, connection: object) =>
    new Promise<number>((resolve, reject) => {
      const sent = request({ ...connection, path }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      sent.once('error', reject).end();
    });
  for (const connection of [{ port, host: '127.0.0.1' }, { socketPath: world.serving.socket }]) {
    expect(await status('/log/checkpoint', connection)).toBe(200);
    for (const path of [
      '/log/./checkpoint',
      '/log/tile/../checkpoint',
      '/log/%2e/checkpoint',
      '/log/checkpoint?a=b',
      '/log//checkpoint',
      '/x/../log/checkpoint',
      '/log/tile/0/000.p/0',
      '/log/tile/0/000.p/256',
    ]) {
      expect(await status(path, connection), path).toBe(404);
    }
  }
});

test('the folder of the socket lets nobody else in', () => {
  const folder = dirname(world.serving.socket);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
});

test('a folder for the socket that others may enter is closed to them', () => {
  const runtime = join(world.base, 'open');
  mkdirSync(join(runtime, 'deed'), { recursive: true, mode: 0o755 });
  const path = socketPath(world.dir, { XDG_RUNTIME_DIR: runtime });
  expect(statSync(dirname(path)).mode & 0o777).toBe(0o700);
});

test.each([
  ['GET', '/v1/nothing', undefined, 404, 'not-found'],
  ['GET', '/v1/tasks/tsk_none', undefined, 404, 'not-found'],
  ['POST', '/v1/tools', '{"name":', 400, 'request'],
  ['POST', '/v1/tools', { name: 'a', kind: 'plain', argv: ['/bin/cat'], env: {}, more: 1 }, 400, 'request'],
  ['POST', '/v1/tools', { name: 'a', kind: 'plain', argv: ['/no/such/file'], env: {} }, 400, 'tool'],
  ['POST', '/v1/tasks/tsk_none/token', { assertion: 'x' }, 404, 'unknown-task'],
  ['POST', '/v1/tools/accept', { server: 'none', tool: 'none' }, 404, 'not-found'],
  ['GET', '/v1/approvals/act_none', undefined, 404, 'unknown-hold'],
])('%s %s with %j is a problem of RFC 9457: %i %s', async (method, path, body, status, code) => {
  const answered = await world.api(method, path, body);
  expect(answered).toMatchObject({ status, type: 'application/problem+json' });
  expect(answered.body).toEqual({
    type: `https://w3id.org/deed/problem/${code}`,
    title: code,
    status,
    detail: expect.any(String),
  });
});

test('a server ends while clients are connected, and leaves no socket behind', async () => {
  const argv = await world.scripted();
  const worker = await world.worker();
  const busy = await world.connect(argv, worker);
  await busy.call('echo');
  const fresh = await world.connect(argv, null);
  await world.serving.close();
  await Promise.all([busy.closed, fresh.closed]);
  expect(() => statSync(world.serving.socket)).toThrow();
  world.serving = await world.serve();
  expect((await world.api('GET', `/v1/tasks/${worker.task}`)).body.state).toBe('open');
});

test('a data folder from a newer version is refused', async () => {
  proves('no-newer-data');
  await world.serving.close();
  const database = new DatabaseSync(join(world.dir, 'deed.db'));
  database.exec("UPDATE meta SET value = '2' WHERE key = 'format'");
  await expect(world.serve()).rejects.toMatchObject({ code: 'newer' });
  database.exec("UPDATE meta SET value = '1' WHERE key = 'format'");
  database.close();
  world.serving = await world.serve();
});

import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { blindCredential, sha256, toHex, utf8 } from '@deed/evidence';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { proves } from '../../../tests/promises.ts';
import { gitForgeBroker } from '../src/brokers/git-forge.ts';
import { refused } from './refused.ts';
import { Worker, World } from './world.ts';

/** The administration of a forge, as the broker sees it over HTTP. */
const known = new Map<string, { sha256: string; repositories: string[] }>();
let answer = 200;
const requests: string[] = [];
const server = createServer(async (request, response) => {
  const id = decodeURIComponent(request.url?.split('/').at(-1) ?? '');
  requests.push(`${request.method} ${request.url?.replace(id, '<id>')}`);
  const body = await text(request);
  if (request.headers.authorization !== 'Bearer admin') response.statusCode = 401;
  else if (answer !== 200) response.statusCode = answer;
  else if (request.method === 'PUT') known.set(id, JSON.parse(body));
  else response.statusCode = known.delete(id) ? 200 : 404;
  response.end();
});
async function text(request: IncomingMessage): Promise<string> {
  let all = '';
  for await (const chunk of request) all += chunk;
  return all;
}

let world: World;
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const adminUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  world = await World.begin();
  world.brokers = [gitForgeBroker({ name: 'forge', adminUrl, adminToken: 'admin' })];
  await world.restart();
});
afterAll(async () => {
  await world.end();
  server.close();
});

test('a task gets a credential of its own at the forge, which learns only its hash; the log learns only its blind', async () => {
  const worker = await Worker.begin(world);
  const { credentials } = world.authority;
  const [credential] = credentials.ofTask(worker.task.id);
  if (!credential) return expect.fail();
  const held = credentials.secret(worker.task.id, 'forge');
  expect(known.get(credential.id)).toEqual({
    sha256: toHex(sha256(utf8(held?.secret.password ?? ''))),
    repositories: ['acme/site'],
  });
  const [opened] = world.statements(worker.task.id);
  expect(opened?.body).toMatchObject({ credentials: [{ broker: 'forge', blinded: credential.blinded, debt: 'none' }] });
  expect(blindCredential(credential.blind, credential.id)).toBe(credential.blinded);
  expect(Buffer.from(opened?.payload ?? []).toString()).not.toContain(credential.id);
  expect(requests.at(-1)).toBe('PUT /admin/credentials/<id>');
});

test('a closed task has no credential any more, even if the forge was away when it closed', async () => {
  proves('invariant-5');
  const worker = await Worker.begin(world);
  const { credentials, tasks } = world.authority;
  const [credential] = credentials.ofTask(worker.task.id);
  if (!credential) return expect.fail();
  answer = 503;
  await tasks.close(worker.task.id, 'principal');
  await credentials.settled(worker.task.id);
  expect(credentials.get(credential.id)).toMatchObject({ state: 'live' });
  expect(known.has(credential.id)).toBe(true);
  await world.restart(); // still owed after a restart
  await world.authority.credentials.settled(worker.task.id);
  expect(known.has(credential.id)).toBe(true);
  answer = 200;
  world.clock.advance(1_000);
  await world.authority.credentials.settled(worker.task.id);
  expect(known.has(credential.id)).toBe(false);
  expect(world.authority.credentials.get(credential.id)).toMatchObject({ state: 'revoked' });
  expect(world.authority.credentials.secret(worker.task.id, 'forge')).toBeNull();
});

test('a task whose credential cannot be minted is not opened', async () => {
  const { agent } = await world.enrol();
  const size = world.ledger.size;
  answer = 500;
  expect(await refused(() => world.task(agent.id))).toBe('broker');
  answer = 200;
  expect(world.ledger.size).toBe(size);
  expect(world.authority.tasks.list().every((task) => task.state === 'open' || task.closed !== null)).toBe(true);
});

test('a task that names no repository needs no credential of a forge', async () => {
  const worker = await Worker.begin(world, { allow: [{ server: 'files' }] });
  expect(world.authority.credentials.ofTask(worker.task.id)).toEqual([]);
});

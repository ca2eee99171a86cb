import { join } from 'node:path';
import { formatVkey, parseTrust } from '@deed/evidence';
import { initWitness, startWitness, trustLog, type Witness } from '@deed/ledger';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Client } from '../../cli/src/client.ts';
import { World } from './support/world.ts';

let world: World;
let other: Witness;
const stateFolder = () => join(world.base, 'other-witness');

beforeAll(async () => {
  world = await World.begin();
  const { ledger } = world.serving.deployment;
  initWitness(stateFolder(), { name: 'witness.example/other' });
  trustLog(stateFolder(), { origin: ledger.origin, vkeys: ledger.vkeys });
  other = await startWitness({ stateFolder: stateFolder() });
  const witness = { name: 'other', vkey: other.vkeys[0] ?? '', url: other.url };
  await world.post('/v1/witnesses', { change: 'add', witness });
  await world.post('/v1/witnesses', { change: 'quorum', rule: ['all'] });
  await world.serving.close();
  world.serving = await world.serve();
  await world.worker();
  await ledger.settled();
});
afterAll(async () => {
  await world.end();
  await other.close();
});

/** Asks until the server under this folder answers. */
async function asked(path: string) {
  for (;;) {
    try {
      return await world.api('GET', path);
    } catch (error) {
      // No socket yet, or one that is just being opened or closed.
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (!['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE'].includes(String(code))) throw error;
    }
  }
}

test('while it waits for a witness it serves the log and says for whom it waits; all else begins when it is back', async () => {
  const { socket, deployment } = world.serving;
  const { size } = deployment.ledger;
  await world.serving.close();
  await other.close();
  const serving = world.serve({ listen: { host: '127.0.0.1', port: 0 } });
  let isServing = false;
  serving.then(() => {
    isServing = true;
  });

  const { body: status } = await asked('/v1/status');
  expect(status).toMatchObject({ ready: false, size, openTasks: null });
  expect(status.witnesses).toMatchObject([
    { name: 'local', answers: true },
    { name: 'other', answers: false },
  ]);
  expect((await world.api('GET', '/log/checkpoint')).body).toContain(deployment.ledger.origin);
  expect((await world.api('GET', `/v1/log/consistency?from=1&under=published`)).status).toBe(200);
  expect(parseTrust((await world.api('GET', '/v1/trust')).body).logs.map(({ key }) => formatVkey(key))).toEqual(
    deployment.ledger.vkeys,
  );
  for (const [method, path] of [
    ['GET', '/v1/tasks'],
    ['POST', '/v1/tasks'],
    ['POST', '/v1/tools'],
  ] as const) {
    const refused = await world.api(method, path, method === 'POST' ? {} : undefined);
    expect(refused, path).toMatchObject({
      status: 503,
      body: { title: 'not-ready', detail: expect.stringMatching(/: other$/) },
    });
  }
  await expect(new Client(world.dir).openMcp({ argv: ['/usr/bin/env', 'anything'] }, null)).rejects.toMatchObject({
    code: 'not-ready',
  });
  expect(isServing).toBe(false);

  other = await startWitness({ stateFolder: stateFolder(), port: Number(new URL(other.url).port) });
  world.serving = await serving;
  expect(world.serving.socket).toBe(socket);
  expect((await world.api('GET', '/v1/status')).body).toMatchObject({ ready: true, openTasks: 1 });
  await world.worker();
});

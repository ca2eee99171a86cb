import { afterAll, beforeAll, expect, test } from 'vitest';
import { proves } from '../../../../tests/promises.ts';
import { fixture, World } from '../../../server/test/support/world.ts';

let world: World;
let server = 0;
beforeAll(async () => {
  world = await World.begin();
});
afterAll(() => world.end().catch(() => {})); // its ledger is closed already

/** A session with a tool server that nobody saw before. */
async function begin() {
  world.describe('as ever');
  const name = `server-${++server}`;
  const argv = await world.tool(name, [process.execPath, fixture('scripted.mjs'), name]);
  const worker = await world.worker([{ server: name }]);
  return world.connect(argv, worker);
}

test('of two definitions under one name neither is the pinned one, whichever comes last', async () => {
  proves('tool-pinned');
  const connection = await begin();
  await connection.call('echo');
  world.describe('twin'); // an honest definition follows a poisoned one
  await connection.request('tools/list');
  const before = world.calls().length;
  expect(await connection.call('echo')).toMatchObject({
    isError: true,
    text: expect.stringContaining('(tool-changed)'),
  });
  expect(world.calls()).toHaveLength(before);
  await connection.close();
});

test('with a ledger that pins nothing any more a list still passes, and the server goes on', async () => {
  const connection = await begin();
  await connection.request('initialize', { protocolVersion: '2025-06-18' });
  await world.serving.deployment.ledger.close();
  expect((await connection.request('tools/list')).result).toBeDefined();
  expect((await connection.request('ping')).result).toBeDefined();
  await connection.close();
});

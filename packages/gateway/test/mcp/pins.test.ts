import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { proves } from '../../../../tests/promises.ts';
import { fixture, World } from '../../../server/test/support/world.ts';

let world: World;
let server = 0;
beforeAll(async () => {
  world = await World.begin();
});
afterAll(() => world.end().catch(() => {})); // its ledger is closed already

/** A worker of a new task with a tool server that nobody saw before. */
async function begin() {
  world.describe('as ever');
  const name = `server-${++server}`;
  const argv = await world.tool(name, [process.execPath, fixture('scripted.mjs'), name]);
  const worker = await world.worker([{ server: name }]);
  return { name, argv, worker, connection: await world.connect(argv, worker) };
}

const pins = (name: string) =>
  world.of('tools', 'tool-pinned').filter(({ body }) => body.server === name && body.tool === 'echo');
const echo = { isError: false, text: '{}' };
const changed = { isError: true, text: expect.stringContaining('(tool-changed)') };

test('a tool is pinned at first sight, by a statement that stands before the first intent', async () => {
  proves('tool-pinned');
  const { name, worker, connection } = await begin();
  expect(await connection.call('echo')).toEqual(echo);
  const [pin] = pins(name);
  expect(pin?.body).toMatchObject({ how: 'first-sight', previous: null });
  const { definition, executable } = pin?.body ?? {};
  expect(world.of(worker.task, 'intent')[0]?.body.tool).toMatchObject({ definition, executable });
  await connection.close();
});

test.each(['announced', 'seen by the client', 'seen by a new session'])(
  'a changed definition is refused until an operator accepts it (%s)',
  async (how) => {
    proves('tool-pinned');
    const { name, argv, worker, connection } = await begin();
    await connection.call('echo');
    world.describe('something else now');
    if (how === 'announced') await connection.call('announce');
    if (how === 'seen by the client') await connection.request('tools/list');
    const asked = how === 'seen by a new session' ? await world.connect(argv, worker) : connection;
    const before = world.calls().length;
    expect(await asked.call('echo')).toEqual(changed);
    expect(world.calls()).toHaveLength(before);
    expect(world.of(worker.task, 'refusal').at(-1)?.body).toMatchObject({ reason: 'tool-changed', cites: null });

    await world.post('/v1/tools/accept', { server: name, tool: 'echo' });
    expect(await asked.call('echo')).toEqual(echo);
    expect(pins(name).map(({ body }) => body.how)).toEqual(['first-sight', 'accepted']);
    expect(pins(name)[1]?.body.previous).toBe(pins(name)[0]?.body.definition);
    await connection.close();
    if (asked !== connection) await asked.close();
  },
);

test('of two definitions under one name neither is the pinned one, whichever comes last', async () => {
  proves('tool-pinned');
  const { connection } = await begin();
  await connection.call('echo');
  world.describe('twin'); // an honest definition follows a poisoned one
  await connection.request('tools/list');
  const before = world.calls().length;
  expect(await connection.call('echo')).toEqual(changed);
  expect(world.calls()).toHaveLength(before);
  await connection.close();
});

test('a tool that the server does not offer is refused, and so is a call without a name', async () => {
  const { worker, connection } = await begin();
  expect((await connection.call('no_such_tool')).text).toContain('(tool-unknown)');
  expect((await connection.request('tools/call', {})).result).toMatchObject({ isError: true });
  expect((await connection.request('tools/call', { name: ['echo'] })).result).toMatchObject({ isError: true });
  expect(world.of(worker.task, 'refusal').map(({ body }) => body.reason)).toEqual(Array(3).fill('tool-unknown'));
  await connection.close();
});

test('a command that no operator registered is refused with the command to type', async () => {
  const worker = await world.worker();
  const refused = world.connect([process.execPath, '/srv/unknown.mjs'], worker);
  await expect(refused).rejects.toMatchObject({ code: 'tool-unregistered' });
});

test('a program whose file changed since it was registered is refused', async () => {
  const program = `${world.base}/program.mjs`;
  writeFileSync(program, '// one\n');
  const argv = await world.tool('program', [process.execPath, program]);
  writeFileSync(program, '// two\n');
  await expect(world.connect(argv, null)).rejects.toMatchObject({ code: 'tool-executable' });
  await world.tool('program', argv); // the operator looked at it
  await (await world.connect(argv, null)).close();
});

test('with a ledger that pins nothing any more a list still passes, and the server goes on', async () => {
  const { connection } = await begin();
  await connection.request('initialize', { protocolVersion: '2025-06-18' });
  await world.serving.deployment.ledger.close();
  expect((await connection.request('tools/list')).result).toBeDefined();
  expect((await connection.request('ping')).result).toBeDefined();
  await connection.close();
});

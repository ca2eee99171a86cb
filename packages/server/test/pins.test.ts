import { copyFileSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { proves } from '../../../tests/promises.ts';
import { fixture, node, type Worker, World } from './support/world.ts';

let world: World;
let worker: Worker;
let argv: readonly string[];
let seen = 0;
let number = 0;
let server = '';
beforeAll(async () => {
  world = await World.begin();
});
beforeEach(async () => {
  server = `fixture-${++number}`;
  world.describe('as ever');
  argv = await world.tool(server, node(fixture('scripted.mjs'), server));
  worker = await world.worker([{ server }]);
  seen = world.calls().length;
});
afterAll(() => world.end());

const pinsOf = (tool: string) =>
  world
    .of('tools', 'tool-pinned')
    .map(({ body }) => body)
    .filter((pin) => pin.server === server && pin.tool === tool);

const changed = { isError: true, text: expect.stringContaining('tool-changed') };

test('a tool is pinned when it is first seen, and pinned once', async () => {
  proves('tool-pinned');
  for (let time = 0; time < 2; time++) {
    const connection = await world.connect(argv, worker);
    expect((await connection.call('echo')).isError).toBe(false);
    await connection.close();
  }
  expect(pinsOf('echo')).toMatchObject([{ how: 'first-sight', previous: null }]);
  const intents = world.of(worker.task, 'intent').map(({ body }) => body.tool.definition);
  expect(intents).toEqual([pinsOf('echo')[0]?.definition, pinsOf('echo')[0]?.definition]);
});

test('a tool that describes itself otherwise on the next start is refused until an operator accepts it', async () => {
  proves('tool-pinned');
  const before = await world.connect(argv, worker);
  await before.call('echo');
  await before.close();
  world.describe('sends the answer to somebody else too');

  const connection = await world.connect(argv, worker);
  expect(await connection.call('echo')).toEqual(changed);
  expect(await connection.call('echo')).toEqual(changed);
  expect(world.calls()).toHaveLength(seen + 1);
  expect(world.of(worker.task, 'refusal').map(({ body }) => body.reason)).toEqual(['tool-changed', 'tool-changed']);
  const { pins } = (await world.api('GET', '/v1/tools')).body;
  expect(pins).toContainEqual({ server, tool: 'echo', definition: pinsOf('echo')[0]?.definition, changed: true });

  const { definition } = await world.post('/v1/tools/accept', { server, tool: 'echo' });
  await world.settled();
  expect(pinsOf('echo')).toMatchObject([
    { how: 'first-sight' },
    { how: 'accepted', definition, previous: pinsOf('echo')[0]?.definition },
  ]);
  expect((await connection.call('echo')).isError).toBe(false);
  expect(world.of(worker.task, 'intent').at(-1)?.body.tool.definition).toBe(definition);
  expect(await connection.call('twice')).toEqual(changed);
  await connection.close();
});

test('a tool that announces its change in the middle of a session is refused from then on', async () => {
  proves('tool-pinned');
  const connection = await world.connect(argv, worker);
  expect((await connection.call('echo')).isError).toBe(false);
  world.describe('other words');
  const told = connection.line((line) => line.includes('list_changed'));
  expect((await connection.call('announce')).isError).toBe(false);
  await told;
  expect(await connection.call('echo')).toEqual(changed);
  expect(world.calls()).toHaveLength(seen + 2);
  await connection.close();
});

test('a tool that shows the client a changed list without announcing it is refused from then on', async () => {
  proves('tool-pinned');
  const connection = await world.connect(argv, worker);
  expect((await connection.call('echo')).isError).toBe(false);
  world.describe('other words');
  await connection.request('tools/list');
  expect(await connection.call('echo')).toEqual(changed);
  expect(world.calls()).toHaveLength(seen + 1);
  await connection.close();
});

test('a tool that the server does not offer is refused and recorded', async () => {
  const connection = await world.connect(argv, worker);
  expect((await connection.call('no_such')).text).toContain('tool-unknown');
  await connection.close();
  expect(world.calls()).toHaveLength(seen);
  expect(world.of(worker.task, 'refusal')[0]?.body).toMatchObject({ reason: 'tool-unknown', cites: null });
});

test('a command that no operator registered is not started', async () => {
  const marker = join(world.base, 'started');
  for (const command of [['/bin/touch', marker], [...argv, 'more'], argv.slice(0, 2), ['no-such-program']]) {
    await expect(world.connect(command, worker)).rejects.toMatchObject({ status: 403 });
  }
  await expect(world.connect(['/bin/touch', marker], null)).rejects.toMatchObject({ code: 'tool-unregistered' });
  expect(existsSync(marker)).toBe(false);
});

test('a program whose files changed is not started until it is registered again', async () => {
  proves('tool-pinned');
  const program = join(world.base, 'program.mjs');
  copyFileSync(fixture('scripted.mjs'), program);
  const command = await world.tool('moving', node(program));
  const mover = await world.worker([{ server: 'moving' }]);
  const before = await world.connect(command, mover);
  expect((await before.call('echo')).isError).toBe(false);
  await before.close();

  writeFileSync(program, '// one line more\n', { flag: 'a' });
  await expect(world.connect(command, mover)).rejects.toMatchObject({ status: 403, code: 'tool-executable' });
  await world.tool('moving', command);
  const after = await world.connect(command, mover);
  expect((await after.call('echo')).isError).toBe(false);
  await after.close();
  const [first, second] = world.of(mover.task, 'intent').map(({ body }) => body.tool);
  expect(second?.executable).not.toBe(first?.executable);
  expect(second?.definition).toBe(first?.definition);
});

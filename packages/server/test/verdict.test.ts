import { type Report, verify } from '@deed/evidence';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { proves } from '../../../tests/promises.ts';
import { Client } from '../../cli/src/client.ts';
import { type Connection, spoken } from './support/connection.ts';
import { approvingPolicy } from './support/policy.ts';
import { type Worker, World } from './support/world.ts';

/** Whatever clients and tools do, the case of the task is sound. */
let world: World;
let argv: readonly string[];
let worker: Worker;
let connection: Connection;
let seen = 0;
beforeAll(async () => {
  world = await World.begin({ policyFolder: approvingPolicy() });
  argv = await world.scripted();
});
beforeEach(async () => {
  worker = await world.worker();
  connection = await world.connect(argv, worker);
  seen = world.calls().length;
});
afterAll(() => world.end());

/** Sends a call that needs a person, and gives its answer to come. */
async function send(id: string, args: object) {
  const answered = connection.answer(id).then(spoken);
  answered.catch(() => {}); // a cancelled call has none
  const params = { name: 'approve_echo', arguments: args };
  await connection.send(JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params }));
  return { answered };
}

/** A request that is taken after all that was sent before it. */
const caughtUp = () => connection.request('ping');

async function holds(): Promise<readonly string[]> {
  const { body } = await world.api('GET', '/v1/approvals');
  return body.approvals
    .filter(({ task }: { task: string }) => task === worker.task)
    .map(({ id }: { id: string }) => id);
}

/** The action that waits besides this one, as soon as there is one. */
function another(than: string): Promise<string> {
  const { approvals } = world.serving.deployment.authority;
  return new Promise((resolve) => {
    const look = () => {
      const found = approvals.list().find(({ id, task }) => id !== than && task === worker.task);
      if (!found) return;
      stop();
      resolve(found.id);
    };
    const stop = approvals.onChange(look);
    look();
  });
}

async function report(): Promise<Report> {
  await connection.close();
  await world.closeTask(worker.task);
  const file = await new Client(world.dir).postForBytes(`/v1/tasks/${worker.task}/case`);
  return verify(file, { trust: world.made.trustFile });
}

const ends = ({ actions }: Report) => actions.map(({ end }) => end).sort();

test('of two equal calls one waits and runs, the other is told so at once', async () => {
  proves('invariant-7');
  const { answered: one } = await send('one', { a: 1 });
  const action = await world.held();
  const { answered: two } = await send('two', { a: 1 });
  expect(await two).toEqual({ isError: true, text: expect.stringContaining(action) });
  expect(await holds()).toEqual([action]);
  await world.answer(action, 'approve');
  expect(await one).toEqual({ isError: false, text: '{"a":1}' });
  expect(world.calls()).toHaveLength(seen + 1);
  expect(await report()).toMatchObject({ verdict: 'VERIFIED', reasons: [] });
});

test('two calls that wait at once are two actions, answered in any order', async () => {
  const { answered: one } = await send('one', { a: 1 });
  const first = await world.held();
  const { answered: two } = await send('two', { a: 2 });
  const second = await another(first);
  await world.answer(second, 'approve');
  expect(await two).toEqual({ isError: false, text: '{"a":2}' });
  await world.answer(first, 'reject');
  expect((await one).isError).toBe(true);
  const found = await report();
  expect(found.verdict).toBe('VERIFIED');
  expect(ends(found)).toEqual(['ok', 'refused']);
});

test('a call that is cancelled while an equal one waits leaves that one waiting', async () => {
  const { answered: one } = await send('one', { a: 1 });
  const action = await world.held();
  await send('two', { a: 1 });
  await connection.send('{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"two"}}');
  await caughtUp();
  await caughtUp();
  expect(await holds()).toEqual([action]);
  await world.answer(action, 'approve');
  expect(await one).toEqual({ isError: false, text: '{"a":1}' });
  expect(await report()).toMatchObject({ verdict: 'VERIFIED', reasons: [] });
});

test('an unknown outcome at tier record, a cancelled hold and a forged answer leave a sound case', async () => {
  proves('unknown-outcome');
  expect((await connection.call('forge', { id: 'else' })).isError).toBe(false);
  await send('one', { a: 1 });
  await world.held();
  await connection.send('{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"one"}}');
  await caughtUp();
  expect((await connection.call('die')).text).toContain('unknown');
  await connection.closed;
  const found = await report();
  expect(found).toMatchObject({ verdict: 'VERIFIED', reasons: [] });
  expect(ends(found)).toEqual(['ok', 'refused', 'unknown']);
});

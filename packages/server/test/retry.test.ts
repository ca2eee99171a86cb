import { verify } from '@deed/evidence';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { proves } from '../../../tests/promises.ts';
import { Client } from '../../cli/src/client.ts';
import { spoken } from './support/connection.ts';
import { approvingPolicy } from './support/policy.ts';
import { World } from './support/world.ts';

let world: World;
let argv: readonly string[];
beforeAll(async () => {
  world = await World.begin({ policyFolder: approvingPolicy(), limits: { holdMs: 1 } });
  argv = await world.scripted();
});
afterAll(() => world.end());

test('a call that is told to come back runs once when it comes back after the approval', async () => {
  proves('invariant-7');
  const worker = await world.worker();
  const connection = await world.connect(argv, worker);
  const held = await connection.call('approve_echo', { a: 1 });
  expect(held).toEqual({ isError: true, text: expect.stringContaining('deed approve act_') });
  const action = await world.held();
  expect((await connection.call('approve_echo', { a: 1 })).text).toContain(action);
  expect((await world.answer(action, 'approve')).body).toEqual({ kind: 'approved' });
  expect(world.calls()).toEqual([]);

  expect(await connection.call('approve_echo', { a: 1 })).toEqual({ isError: false, text: '{"a":1}' });
  expect(world.calls()).toHaveLength(1);
  const again = await connection.call('approve_echo', { a: 1 });
  expect(again).toEqual({ isError: true, text: expect.stringContaining('deed approve act_') });
  expect(again.text).not.toContain(action);
  expect(world.calls()).toHaveLength(1);
  expect(world.of(worker.task, 'intent')).toHaveLength(1);
  await connection.close();
});

test('the approval of a call serves no call with other arguments and no other task', async () => {
  proves('invariant-7');
  const agent = await world.enrol('two');
  const [one, other] = [await world.worker(undefined, agent), await world.worker(undefined, agent)];
  const [here, there] = [await world.connect(argv, one), await world.connect(argv, other)];
  const before = world.calls().length;
  const { text } = await here.call('approve_echo', { a: 1 });
  const action = /act_\w+/.exec(text)?.[0] ?? '';
  await world.answer(action, 'approve');
  for (const reply of [await here.call('approve_echo', { a: 2 }), await there.call('approve_echo', { a: 1 })]) {
    expect(reply).toEqual({ isError: true, text: expect.stringContaining('deed approve act_') });
    expect(reply.text).not.toContain(action);
  }
  expect(world.calls()).toHaveLength(before);
  await Promise.all([here.close(), there.close()]);
});

test('a call that came back shows the proof it came back with, and replays of both messages leave a sound case', async () => {
  proves('proof-once', 'invariant-7');
  const before = world.calls().length;
  const worker = await world.worker();
  const connection = await world.connect(argv, worker);
  const frames: { readonly line: string; readonly header: string }[] = [];
  const send = async (id: string, frame?: (typeof frames)[number]) => {
    const line = `{"jsonrpc":"2.0","id":"${id}","method":"tools/call","params":{"name":"approve_echo","arguments":{}}}`;
    const sent = frame ?? { line, header: await worker.sign(Buffer.from(line)) };
    frames.push(sent);
    const answered = connection.answer(id);
    await connection.send(sent.line, sent.header);
    return spoken(await answered);
  };
  const { text } = await send('one');
  await world.answer(/act_\w+/.exec(text)?.[0] ?? '', 'approve');
  expect((await send('two')).isError).toBe(false);
  for (const frame of frames.slice(0, 2)) {
    const id = (JSON.parse(frame.line) as { id: string }).id;
    expect((await send(id, frame)).text).toContain('proof-replayed');
  }
  await connection.close();
  await world.closeTask(worker.task);
  const file = await new Client(world.dir).postForBytes(`/v1/tasks/${worker.task}/case`);
  expect(verify(file, { trust: world.made.trustFile })).toMatchObject({ verdict: 'VERIFIED', reasons: [] });
  expect(world.calls()).toHaveLength(before + 1);
});

import { afterAll, beforeAll, expect, test } from 'vitest';
import { proves } from '../../../tests/promises.ts';
import { type Connection, type Reply, spoken } from './support/connection.ts';
import { approvingPolicy } from './support/policy.ts';
import { type Worker, World } from './support/world.ts';

let world: World;
let argv: readonly string[];
let worker: Worker;
beforeAll(async () => {
  const limits = { holdMs: 500, cancelMs: 200 };
  world = await World.begin({ policyFolder: approvingPolicy(), limits, listen: { host: '127.0.0.1', port: 0 } });
  argv = await world.scripted();
});
afterAll(() => world.end());

const capabilities = { elicitation: { form: {}, url: {} } };

/** A client of the older era that shows its user addresses; what a program in his place answers; what was asked. */
async function older(action: 'accept' | 'decline' | 'cancel'): Promise<{ call: Connection['call']; asked: string[] }> {
  worker = await world.worker();
  const connection = await world.connect(argv, worker);
  const asked: string[] = [];
  await connection.request('initialize', {
    protocolVersion: '2025-11-25',
    capabilities,
    clientInfo: { name: 't', version: '1' },
  });
  const serve = async (): Promise<void> => {
    const line = await connection.line((text) => text.includes('"elicitation/create"'));
    const { id, params } = JSON.parse(line);
    asked.push(params.url);
    serve().catch(() => {});
    await connection.send(JSON.stringify({ jsonrpc: '2.0', id, result: { action } }));
  };
  serve().catch(() => {}); // it ends with the connection
  return { call: (name, args) => connection.call(name, args), asked };
}

/** A client of the newer era. */
async function newer() {
  worker = await world.worker();
  const connection = await world.connect(argv, worker);
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': capabilities,
  };
  return (name: string, args: object, more: object = {}): Promise<Reply> =>
    connection.request('tools/call', { name, arguments: args, _meta, ...more });
}

test('a client that accepts in the place of its user is asked once, and gets nothing through', async () => {
  proves('invariant-7');
  const { call, asked } = await older('accept');
  for (let turn = 0; turn < 3; turn++)
    expect((await call('approve_echo', { a: 1 })).text).toContain('deed approve act_');
  expect(asked).toEqual([expect.stringMatching(/^http:.*\/approvals\/act_\w+$/)]);
  expect(world.calls()).toEqual([]);
  await world.answer(asked[0]?.split('/').at(-1) ?? '', 'approve');
  expect(await call('approve_echo', { a: 1 })).toEqual({ isError: false, text: '{"a":1}' });
});

test('a client that declines is told no from then on', async () => {
  const { call, asked } = await older('decline');
  const calls = world.calls().length;
  expect((await call('approve_echo', { a: 2 })).text).toContain('refused this (cancelled)');
  expect((await call('approve_echo', { a: 2 })).text).toContain('nobody is asked again');
  expect([asked.length, world.calls().length]).toEqual([1, calls]);
  expect(world.of(worker.task, 'refusal').map(({ body }) => body.reason)).toEqual(['cancelled', 'denied']);
});

test('a client of the newer era brings a state back, once and for this call', async () => {
  const call = await newer();
  const { result } = (await call('approve_echo', { a: 3 })) as { readonly result: Record<string, never> };
  const { resultType, requestState, inputRequests } = result as Record<string, never> & {
    readonly inputRequests: { readonly approval: { readonly params: { readonly url: string } } };
  };
  expect(resultType).toBe('input_required');
  const back = { requestState, inputResponses: { approval: { action: 'accept' } } };
  expect((await call('approve_echo', { a: 4 }, back)).error?.code).toBe(-32602);
  await world.answer(inputRequests.approval.params.url.split('/').at(-1) ?? '', 'approve');
  const answer = await call('approve_echo', { a: 3 }, back);
  expect(spoken(answer)).toEqual({ isError: false, text: '{"a":3}' });
  expect(world.calls().at(-1)).not.toContain('requestState'); // it is ours, and not the tool's
  expect((await call('approve_echo', { a: 3 }, back)).error?.code).toBe(-32602);
});

test('a tool that wants to know something first does one action', async () => {
  const call = await newer();
  const first = (await call('wants', {})) as { readonly result: { readonly requestState?: string } };
  expect(first.result.requestState).toBe('kept');
  expect(world.of(worker.task, 'outcome')).toEqual([]);
  const last = await call('wants', {}, { requestState: 'kept', inputResponses: { which: { action: 'accept' } } });
  expect(spoken(last).text).toContain('accept');
  expect(world.of(worker.task, 'intent')).toHaveLength(1);
  expect(world.of(worker.task, 'outcome').map(({ body }) => body.status)).toEqual(['ok']);
});

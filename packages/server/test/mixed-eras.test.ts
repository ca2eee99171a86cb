import { afterAll, beforeAll, expect, test } from 'vitest';
import { proves } from '../../../tests/promises.ts';
import { type Connection, type Reply, spoken } from './support/connection.ts';
import { ToolServer } from './support/mcp-server.ts';
import { approvingPolicy } from './support/policy.ts';
import { World } from './support/world.ts';

let world: World;
let argv: readonly string[];
beforeAll(async () => {
  const limits = { holdMs: 300, cancelMs: 200 };
  world = await World.begin({ policyFolder: approvingPolicy(), limits, listen: { host: '127.0.0.1', port: 0 } });
  argv = await world.scripted();
});
afterAll(() => world.end());

const [older, newer] = ['2025-11-25', '2026-07-28'];
const capabilities = { elicitation: { form: {}, url: {} } };
const meta = {
  'io.modelcontextprotocol/protocolVersion': newer,
  'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': capabilities,
};
const isNewer = (id: number) => id % 2 === 0;

/** A call, of the newer era where its id is even. */
function callOf(id: number, name: string, args: object, more: object = {}) {
  const params = { name, arguments: args, ...(isNewer(id) ? { _meta: meta } : {}), ...more };
  return { jsonrpc: '2.0', id, method: 'tools/call', params };
}

async function begin(connection: Connection): Promise<void> {
  const clientInfo = { name: 'test', version: '1' };
  await connection.request('initialize', { protocolVersion: older, capabilities, clientInfo });
  await connection.send('{"jsonrpc":"2.0","method":"notifications/initialized"}');
}

/** What an answer of Deed's own shows of the era that it is for. */
const typeOf = ({ result }: Reply) => (result as { readonly resultType?: string } | undefined)?.resultType;

test('on one pipe requests of both eras go through side by side, each is one action, and each refusal is in the form of its own', async () => {
  proves('strict-input');
  const worker = await world.worker();
  const connection = await world.connect(argv, worker);
  await begin(connection);
  const ids = Array.from({ length: 20 }, (_, at) => 100 + at);
  const answers = ids.map((id) => connection.answer(id));
  for (const id of ids) await connection.send(JSON.stringify(callOf(id, 'echo', { id })));
  for (const [at, answer] of (await Promise.all(answers)).entries())
    expect(spoken(answer)).toEqual({ isError: false, text: JSON.stringify({ id: ids[at] }) });
  expect(world.of(worker.task, 'intent')).toHaveLength(20);
  expect(world.of(worker.task, 'outcome').map(({ body }) => body.status)).toEqual(ids.map(() => 'ok'));
  // What reached the tool is what each client wrote, word for word.
  const written = ids.map((id) => JSON.stringify(callOf(id, 'echo', { id })));
  expect(world.calls().filter((line) => written.includes(line))).toHaveLength(20);

  await world.closeTask(worker.task);
  const refused = [201, 202].map((id) => connection.answer(id));
  for (const id of [201, 202]) await connection.send(JSON.stringify(callOf(id, 'echo', {})));
  const [old, young] = (await Promise.all(refused)) as [Reply, Reply];
  expect([spoken(old).text, spoken(young).text]).toEqual(Array(2).fill(expect.stringContaining('task-closed')));
  expect([typeOf(old), typeOf(young)]).toEqual([undefined, 'complete']);
  await connection.close();
});

test('on one pipe each era is asked in its own way, and the answer of one lets no call of the other through', async () => {
  proves('invariant-7');
  const worker = await world.worker();
  const connection = await world.connect(argv, worker);
  await begin(connection);
  const before = world.calls().length;
  const asked = connection.line((text) => text.includes('"elicitation/create"'));
  const answers = [301, 302].map((id) => connection.answer(id));
  for (const id of [301, 302]) await connection.send(JSON.stringify(callOf(id, 'approve_echo', { id })));
  const question = JSON.parse(await asked);
  const young = (await answers[1]) as Reply & {
    readonly result: {
      readonly requestState: string;
      readonly inputRequests: { readonly approval: { readonly params: { readonly url: string } } };
    };
  };
  expect(typeOf(young)).toBe('input_required');
  const { requestState, inputRequests } = young.result;
  const [forOld, forYoung] = [question.params.url, inputRequests.approval.params.url].map((url) =>
    url.split('/').at(-1),
  );
  expect(forOld).not.toBe(forYoung);

  // The state of the one call is nothing in the older era, where the same call waits for the same person, and of no other call.
  const brought = { requestState, inputResponses: { approval: { action: 'accept' } } };
  const bring = async (id: number, args: object) => {
    const answer = connection.answer(id);
    await connection.send(JSON.stringify(callOf(id, 'approve_echo', args, brought)));
    return answer;
  };
  expect(spoken(await bring(303, { id: 302 })).text).toContain(`deed approve ${forYoung}`);
  expect(await bring(304, { id: 301 })).toMatchObject({ error: { code: -32602, data: { deed: 'held' } } });
  await connection.send(JSON.stringify({ jsonrpc: '2.0', id: question.id, result: { action: 'accept' } }));
  expect(spoken((await answers[0]) as Reply).text).toContain(`deed approve ${forOld}`);
  expect(world.calls()).toHaveLength(before);
  expect(world.of(worker.task, 'intent')).toEqual([]);

  await world.answer(forYoung, 'approve');
  const through = connection.answer(306);
  await connection.send(JSON.stringify(callOf(306, 'approve_echo', { id: 302 })));
  expect(spoken(await through)).toEqual({ isError: false, text: '{"id":302}' });
  expect(world.calls()).toHaveLength(before + 1);
  await connection.close();
});

test('at one address requests of both eras go through side by side under the same ids, and a session of the one is not the other’s', async () => {
  proves('strict-input');
  for (const kind of ['both', 'sessions'] as const) {
    const server = await ToolServer.start({ kind });
    await world.post('/v1/tools', { name: kind, kind: 'plain', url: server.url });
    const { key, url } = await world.post('/v1/mcp-keys', { server: kind });
    const post = async (body: object, headers: Readonly<Record<string, string>> = {}) => {
      const accept = 'application/json, text/event-stream';
      const all = { authorization: `Bearer ${key}`, 'content-type': 'application/json', accept, ...headers };
      const answer = await fetch(url, { method: 'POST', body: JSON.stringify(body), headers: all });
      const text = await answer.text();
      const line = text.split('\n').find((one) => one.startsWith('data: {')) ?? text;
      return {
        status: answer.status,
        headers: answer.headers,
        message: line === '' ? null : JSON.parse(line.replace(/^data: /, '')),
      };
    };
    const begun = await post({
      ...{ jsonrpc: '2.0', id: 0, method: 'initialize' },
      params: { protocolVersion: older, capabilities, clientInfo: { name: 'test', version: '1' } },
    });
    const session = begun.headers.get('mcp-session-id');
    const inSession: Record<string, string> = {
      'mcp-protocol-version': older,
      ...(session ? { 'mcp-session-id': session } : {}),
    };
    await post({ jsonrpc: '2.0', method: 'notifications/initialized' }, inSession);
    const ofNewer = { 'mcp-protocol-version': newer, 'mcp-method': 'tools/call', 'mcp-name': 'echo' };
    const both = Array.from({ length: 10 }, (_, at) => at + 1).flatMap((id) => {
      const young = { ...callOf(id, 'echo', { a: id }), params: { name: 'echo', arguments: { a: id }, _meta: meta } };
      const old = { ...young, params: { name: 'echo', arguments: { a: -id } } };
      return [post(old, inSession), post(young, ofNewer)];
    });
    const answers = await Promise.all(both);
    const said = answers.map(({ message }) => message.result?.content?.[0]?.text);
    for (let id = 1; id <= 10; id++) {
      expect(answers[2 * id - 2]?.message.id).toBe(id);
      expect(said[2 * id - 2]).toBe(`{"a":${-id}}`);
      // A server of the older era alone tells the newer one of no tools, and what it does not offer is not called.
      if (kind === 'both') expect(said[2 * id - 1]).toBe(`{"a":${id}}`);
      else expect(said[2 * id - 1]).toContain('refused this (tool-unknown)');
    }
    expect(server.calls).toHaveLength(kind === 'both' ? 20 : 10);

    // The session of the one does not carry a request of the other, nor does its version.
    const mixed = {
      jsonrpc: '2.0',
      id: 50,
      method: 'tools/call',
      params: { name: 'echo', arguments: { a: 0 }, _meta: meta },
    };
    expect((await post(mixed, { ...ofNewer, 'mcp-protocol-version': older })).message).toMatchObject({
      id: 50,
      error: { code: -32020 },
    });
    const before = server.calls.length;
    const carried = await post(mixed, { ...ofNewer, ...(session ? { 'mcp-session-id': session } : {}) });
    expect(server.calls).toHaveLength(kind === 'both' ? before + 1 : before);
    expect(server.headers.at(-1)?.['mcp-session-id'], JSON.stringify(carried.message)).toBeUndefined();
    await server.stop();
  }
});

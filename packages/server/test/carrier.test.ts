import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startConformanceServer } from './support/conformance-server.ts';
import { type Connection, type Reply, spoken } from './support/connection.ts';
import { ToolServer } from './support/mcp-server.ts';
import { type Worker, World } from './support/world.ts';

let world: World;
beforeAll(async () => {
  world = await World.begin({ limits: { cancelMs: 300 } });
});
afterAll(() => world.end());

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

let names = 0;

/** A client over stdio of a server that has an address. */
async function behind(url: string, fields: object = {}): Promise<{ connection: Connection; worker: Worker }> {
  const name = `remote${++names}`;
  await world.post('/v1/tools', { name, kind: 'plain', url, ...fields });
  const worker = await world.worker([{ server: name }]);
  const connection = await world.connectTo(name, worker);
  ends.push(() => connection.close());
  return { connection, worker };
}

const clientInfo = { name: 'test', version: '1' };
const begin = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo };
const _meta = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': clientInfo,
  'io.modelcontextprotocol/clientCapabilities': { elicitation: {} },
};

async function server(options: Parameters<typeof ToolServer.start>[0]): Promise<ToolServer> {
  const started = await ToolServer.start(options);
  ends.push(() => started.stop());
  return started;
}

describe.each(['json', 'stream'] as const)(
  'a client over stdio and a server with an address that answers by %s',
  (answersAs) => {
    test('meet in the older era, within a session', async () => {
      const place = await server({ kind: 'sessions', answersAs });
      const { connection, worker } = await behind(place.url, { headers: { 'X-Api-Key': 'k-1' } });
      expect((await connection.request('initialize', begin)) as object).toMatchObject({
        result: { serverInfo: { name: 'fixture' } },
      });
      await connection.send('{"jsonrpc":"2.0","method":"notifications/initialized"}');
      expect(await connection.call('echo', { a: 1 })).toEqual({ isError: false, text: '{"a":1}' });
      expect(place.calls).toEqual([{ a: 1 }]);
      expect(world.of(worker.task, 'outcome').map(({ body }) => body.status)).toEqual(['ok']);
      expect(place.headers.at(-1)).toMatchObject({ 'x-api-key': 'k-1', 'mcp-protocol-version': '2025-11-25' });
    });

    test('meet in the newer era, with the headers that repeat the body', async () => {
      const place = await server({ kind: 'both', answersAs });
      const { connection, worker } = await behind(place.url);
      const call = (name: string, args: object, more: object = {}): Promise<Reply> =>
        connection.request('tools/call', { name, arguments: args, _meta, ...more });
      expect(spoken(await call('mirrors', { region: 'Süd' })).isError).toBe(false);
      expect(place.headers.at(-1)?.['mcp-param-region']).toMatch(/^=\?base64\?/);
      const { result } = (await call('asks', {})) as { readonly result: { readonly requestState?: string } };
      const inputResponses = { name: { action: 'accept', content: { name: 'Ada' } } };
      expect(spoken(await call('asks', {}, { requestState: result.requestState, inputResponses })).text).toBe('"Ada"');
      expect(world.of(worker.task, 'intent')).toHaveLength(2);
    });
  },
);

test('an answer that comes on another stream than the one it was asked on reaches the client', async () => {
  const place = await startConformanceServer();
  ends.push(() => place.close());
  const { connection, worker } = await behind(place.url);
  await connection.request('initialize', begin);
  await connection.send('{"jsonrpc":"2.0","method":"notifications/initialized"}');
  expect((await connection.call('test_reconnection')).text).toBe('reconnected');
  expect(world.of(worker.task, 'outcome').map(({ body }) => body.status)).toEqual(['ok']);
});

test('a server that goes away leaves an outcome that is unknown, and says so of what is not judged', async () => {
  const place = await server({ kind: 'both' });
  const { connection, worker } = await behind(place.url);
  place.gate = () => new Promise(() => {});
  const answer = connection.request('tools/call', { name: 'echo', arguments: {}, _meta });
  await expect.poll(() => place.calls.length).toBe(1);
  await place.stop();
  ends.pop();
  expect(spoken(await answer).text).toContain('unknown');
  expect(world.of(worker.task, 'outcome').map(({ body }) => body.status)).toEqual(['unknown']);
  expect((await connection.request('tools/list', { _meta })).error?.message).toContain('did not answer');
});

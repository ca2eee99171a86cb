import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ToolServer } from './support/mcp-server.ts';
import { approvingPolicy } from './support/policy.ts';
import { World } from './support/world.ts';

let world: World;
beforeAll(async () => {
  world = await World.begin({
    policyFolder: approvingPolicy(),
    listen: { host: '127.0.0.1', port: 0 },
    limits: { holdMs: 500, answerMs: 10_000, cancelMs: 300 },
  });
});
afterAll(() => world.end());

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

let names = 0;

/** A tool server behind Deed, and the key by which clients reach it. */
async function behind(options: Parameters<typeof ToolServer.start>[0], fields: object = {}) {
  const server = await ToolServer.start(options);
  ends.push(() => server.stop());
  const name = `remote${++names}`;
  await world.post('/v1/tools', { name, kind: 'plain', url: server.url, ...fields });
  const { key, url } = await world.post('/v1/mcp-keys', { server: name });
  return { server, name, key, url };
}

async function client(
  { url, key }: { readonly url: string; readonly key: string },
  era: 'legacy' | 'auto' = 'legacy',
  options: ConstructorParameters<typeof Client>[1] = {},
) {
  const made = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode: era }, ...options });
  const transport = new StreamableHTTPClientTransport(new URL(url), {
    requestInit: { headers: { authorization: `Bearer ${key}` } },
  });
  await made.connect(transport);
  ends.push(() => made.close());
  return { client: made, transport };
}

async function newestTask(): Promise<string> {
  return (await world.api('GET', '/v1/tasks')).body.tasks[0].task;
}

describe.each([
  ['sessions', 'stream', 'legacy'],
  ['sessions', 'json', 'legacy'],
  ['both', 'stream', 'legacy'],
  ['both', 'stream', 'auto'],
  ['both', 'json', 'auto'],
] as const)('a server with %s that answers by %s, and a client of the era %s', (kind, answersAs, era) => {
  test('a call reaches the server once, and has an intent and an outcome', async () => {
    const place = await behind({ kind, answersAs });
    const { client: mcp } = await client(place, era);
    expect((await mcp.listTools()).tools.map(({ name }) => name)).toContain('echo');
    const answer = await mcp.callTool({ name: 'echo', arguments: { a: 1 } });
    expect(answer.content).toEqual([{ type: 'text', text: '{"a":1}' }]);
    expect(place.server.calls).toEqual([{ a: 1 }]);
    const task = await newestTask();
    expect(world.of(task, 'intent').map(({ body }) => body.tool)).toMatchObject([{ server: place.name, name: 'echo' }]);
    expect(world.of(task, 'outcome').map(({ body }) => body.status)).toEqual(['ok']);
  });
});

import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pathToFileURL } from 'node:url';
import { LLMock } from '@copilotkit/aimock';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { World } from '../packages/server/test/support/world.ts';
import { ofAgents } from './support/agents.ts';

const sdks = {
  anthropic: ofAgents('@anthropic-ai/sdk/index.mjs'),
  gemini: ofAgents('@google/genai/dist/node/index.mjs'),
};
/** Before any test looks on. */
const { fetch: plainFetch } = globalThis;
const said = 'Paid invoice 17 \u{1f600} to the one who sent it.';

let world: World;
let mock: LLMock;
let provider: Server;
let direct: string;
/** What the scripted model answered to a path, once: its ids and its clock are then the same for all. */
const recorded = new Map<string, Promise<{ readonly type: string; readonly bytes: Buffer }>>();

beforeAll(async () => {
  world = await World.begin({ listen: { host: '127.0.0.1', port: 0 } });
  mock = new LLMock({ port: 0, host: '127.0.0.1', chunkSize: 3 });
  mock.on({ userMessage: 'pay' }, { content: said });
  const model = await mock.start();
  provider = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part);
    const path = request.url ?? '';
    const known =
      recorded.get(path) ??
      plainFetch(model + path, {
        method: 'POST',
        body: Buffer.concat(parts),
        headers: { 'content-type': 'application/json' },
      }).then(async (answer) => ({
        type: answer.headers.get('content-type') ?? '',
        bytes: Buffer.from(await answer.arrayBuffer()),
      }));
    recorded.set(path, known);
    const { type, bytes } = await known;
    response.writeHead(200, { 'content-type': type });
    for (const event of bytes.toString().split(/(?<=\n\n)/)) {
      response.write(event);
      await new Promise((soon) => setImmediate(soon));
    }
    response.end();
  });
  provider.listen(0, '127.0.0.1');
  await once(provider, 'listening');
  direct = `http://127.0.0.1:${(provider.address() as AddressInfo).port}`;
  for (const name of Object.keys(sdks)) await world.post('/v1/models', { name, url: direct });
});
afterAll(async () => {
  await world?.end();
  await mock?.stop();
  provider?.closeAllConnections();
  provider?.close();
});

/** Where a provider is reached through Deed. */
async function throughDeed(name: string): Promise<string> {
  const { models } = await world.post('/v1/model-keys');
  return models.find((one: { name: string }) => one.name === name).url;
}

/** The bytes of every answer of a model that anything in this process fetches from now on. */
function answers(): Promise<Uint8Array>[] {
  const bodies: Promise<Uint8Array>[] = [];
  globalThis.fetch = async (input, init) => {
    const answer = await plainFetch(input, init);
    if (/messages|generateContent/i.test(String(input))) bodies.push(answer.clone().bytes());
    return answer;
  };
  onTestFinished(() => {
    globalThis.fetch = plainFetch;
  });
  return bodies;
}

type Streamed = AsyncIterable<Record<string, never>>;

const streams = {
  async anthropic(base: string, sdk: string): Promise<string> {
    const { default: Anthropic } = await import(pathToFileURL(sdk).href);
    const client = new Anthropic({ apiKey: 'made-for-this-test', baseURL: base, maxRetries: 0 });
    const messages = [{ role: 'user', content: 'pay' }];
    const stream: Streamed = await client.messages.create({ model: 'm', max_tokens: 99, stream: true, messages });
    let text = '';
    for await (const { delta } of stream) text += (delta as { text?: string } | undefined)?.text ?? '';
    return text;
  },
  async gemini(base: string, sdk: string): Promise<string> {
    const { GoogleGenAI } = await import(pathToFileURL(sdk).href);
    const client = new GoogleGenAI({
      apiKey: 'made-for-this-test',
      apiVersion: 'v1beta',
      httpOptions: { baseUrl: base },
    });
    const stream: Streamed = await client.models.generateContentStream({ model: 'gemini-2.0-flash', contents: 'pay' });
    let text = '';
    for await (const chunk of stream) text += (chunk as { text?: string }).text ?? '';
    return text;
  },
};

const here = (Object.keys(sdks) as (keyof typeof sdks)[]).filter((name) => sdks[name] !== null);

test.skipIf(here.length === 0).each(here)(
  'the SDK of %s streams through Deed the bytes that it gets directly',
  async (name) => {
    const sdk = sdks[name] ?? '';
    const bodies = answers();
    for (const base of [direct, await throughDeed(name)]) expect(await streams[name](base, sdk)).toBe(said);
    const [first, second, ...others] = await Promise.all(bodies);
    expect(others).toEqual([]);
    expect(first?.length).toBeGreaterThan(200);
    expect(second).toEqual(first);
  },
);

import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { LLMock } from '@copilotkit/aimock';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Exchange, type ModelRelay, modelRelay } from '../../src/model/relay.ts';

/** Fixed, so that two answers of the scripted model can be compared byte by byte. */
const script = { content: 'Paid invoice 17 \u{1f600} to the one who sent it.', id: 'fixed-1', created: 1_700_000_000 };

const model = new LLMock({ port: 0, host: '127.0.0.1', chunkSize: 3 });
const exchanges: Exchange[] = [];
let direct = '';
let relayed = '';
let relay: ModelRelay;
let server: Server;

beforeAll(async () => {
  model.on({ userMessage: 'pay' }, script);
  direct = await model.start();
  relay = modelRelay({
    upstream: new URL(direct),
    onExchange: (exchange) => exchanges.push(exchange),
    onError: (error) => {
      throw error;
    },
  });
  server = createServer(relay.handle);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  relayed = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(async () => {
  relay.close();
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
  await model.stop();
});

/** A `fetch` that keeps the bytes of the answer, and the client that uses it. */
function openai(base: string) {
  const bodies: Promise<Uint8Array>[] = [];
  const keeping: typeof fetch = async (input, init) => {
    const answer = await fetch(input, init);
    bodies.push(answer.clone().bytes());
    return answer;
  };
  const client = new OpenAI({ apiKey: 'made-for-this-test', baseURL: `${base}/v1`, maxRetries: 0, fetch: keeping });
  return { client, bytes: () => Promise.all(bodies) };
}

/** What differs between two answers of the scripted model itself: ids it draws and the clock. */
const drawn = (bytes: Uint8Array | undefined) =>
  Buffer.from(bytes ?? [])
    .toString()
    .replaceAll(/"(id|item_id)":"[^"]*"/g, '"$1":""')
    .replaceAll(/"(created_at|created)":\d+/g, '"$1":0');

describe('clients through the model relay', () => {
  it('the openai SDK streams a chat completion with the bytes it gets directly', async () => {
    const answers = [];
    for (const base of [direct, relayed]) {
      const { client, bytes } = openai(base);
      let text = '';
      const stream = await client.chat.completions.create({
        model: 'gpt-4o',
        stream: true,
        messages: [{ role: 'user', content: 'pay' }],
      });
      for await (const event of stream) text += event.choices[0]?.delta.content ?? '';
      expect(text).toBe(script.content);
      answers.push(Buffer.concat(await bytes()));
    }
    expect(answers[1]).toEqual(answers[0]);
    expect(Buffer.from(exchanges.at(-1)?.response.bytes ?? [])).toEqual(answers[0]);
    expect(JSON.stringify(exchanges.at(-1)?.requestHeaders)).not.toContain('made-for-this-test');
  });

  it('the openai SDK streams a response through the relay as it does directly', async () => {
    const answers = [];
    for (const base of [direct, relayed]) {
      const { client, bytes } = openai(base);
      let text = '';
      const stream = await client.responses.create({ model: 'gpt-4o', stream: true, input: 'pay' });
      for await (const event of stream) if (event.type === 'response.output_text.delta') text += event.delta;
      expect(text).toBe(script.content);
      answers.push(Buffer.concat(await bytes()));
    }
    expect(drawn(answers[1])).toBe(drawn(answers[0]));
    expect(Buffer.from(exchanges.at(-1)?.response.bytes ?? [])).toEqual(answers[1]);
  });

  it.each([
    [
      'messages',
      '/v1/messages',
      { model: 'm', max_tokens: 9, stream: true, messages: [{ role: 'user', content: 'pay' }] },
    ],
    [
      'Gemini',
      '/v1beta/models/gemini-2.0-flash:streamGenerateContent?alt=sse',
      { contents: [{ role: 'user', parts: [{ text: 'pay' }] }] },
    ],
  ])('the protocol of %s streams through the relay as it does directly', async (_, path, body) => {
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
    const answers = [];
    for (const base of [direct, relayed]) {
      const answer = await fetch(base + path, init);
      expect(answer.headers.get('content-type')).toContain('text/event-stream');
      answers.push(await answer.bytes());
    }
    expect(drawn(answers[0])).toContain('data: ');
    expect(drawn(answers[1])).toBe(drawn(answers[0]));
    expect(exchanges.at(-1)?.response.bytes).toEqual(Buffer.from(answers[1] ?? []));
  });
});

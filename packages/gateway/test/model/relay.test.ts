import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { type Exchange, type ModelRelayOptions, modelRelay } from '../../src/model/relay.ts';

const servers: Server[] = [];
const closers: (() => void)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) close();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
});

async function listen(listener: RequestListener): Promise<URL> {
  const server = createServer(listener);
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

/** A provider behind a relay, and the next exchange that the relay tells of. */
async function world(provider: RequestListener, more: Partial<ModelRelayOptions> = {}) {
  const told = Promise.withResolvers<Exchange>();
  const direct = await listen(provider);
  const relay = modelRelay({
    upstream: direct,
    onExchange: told.resolve,
    onError: (error) => told.reject(error),
    ...more,
  });
  closers.push(relay.close);
  return { direct, relayed: await listen(relay.handle), exchange: told.promise };
}

async function post(base: URL, path: string, body: Buffer, headers: Record<string, string> = {}) {
  const sent = request(new URL(path, base), { method: 'POST', headers });
  sent.end(body);
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  const parts: Buffer[] = [];
  for await (const part of answer) parts.push(part);
  return { status: answer.statusCode, headers: answer.rawHeaders, body: Buffer.concat(parts) };
}

async function bodyOf(incoming: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of incoming) parts.push(part);
  return Buffer.concat(parts);
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const events = Buffer.from('event: a\ndata: {"text":"h\u00e9 \u{1f600}"}\n\ndata: [DONE]\n\n');

describe('the model relay', () => {
  it('answers with the bytes, status and headers of the provider, at 200 and at 429', async () => {
    for (const status of [200, 429]) {
      const { direct, relayed } = await world((_, response) => {
        response.writeHead(status, ['Content-Type', 'text/event-stream', 'X-Two', 'a', 'X-Two', 'b', 'Date', 'fixed']);
        response.end(events);
      });
      const through = await post(relayed, '/v1/messages', Buffer.from('{}'));
      expect(through).toEqual(await post(direct, '/v1/messages', Buffer.from('{}')));
      expect(through.status).toBe(status);
    }
  });

  it('passes on bytes that are no JSON and a compressed answer as they are, and keeps both', async () => {
    const zipped = gzipSync(events);
    const { relayed, exchange } = await world(async (incoming, response) => {
      const body = await bodyOf(incoming);
      response.writeHead(200, { 'content-encoding': 'gzip', 'x-saw': sha256(body) });
      response.end(zipped);
    });
    const sent = Buffer.from([0, 255, 10, 13, 123, 200]);
    const answer = await post(relayed, '/v1/responses', sent);
    expect(answer.body).toEqual(zipped);
    expect(answer.headers).toContain(sha256(sent));
    const { request: kept, response, end } = await exchange;
    expect({ end, sent: kept.bytes, received: response.bytes }).toEqual({ end: 'complete', sent, received: zipped });
  });

  it('holds no chunk back: the provider writes the next byte only after the client has the last', async () => {
    const next: (() => void)[] = [];
    const { relayed } = await world((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.flushHeaders();
      let at = 0;
      next.push(() => (at < events.length ? response.write(events.subarray(at, ++at)) : response.end()));
    });
    const sent = request(new URL('/v1/chat/completions', relayed), { method: 'POST' });
    sent.end('{}');
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    const seen: Buffer[] = [];
    next[0]?.();
    for await (const part of answer) {
      seen.push(part);
      next[0]?.();
    }
    expect(seen).toHaveLength(events.length);
    expect(Buffer.concat(seen)).toEqual(events);
  });

  it('passes the credential to the provider and lets none into the exchange', async () => {
    const seen: IncomingMessage[] = [];
    const { relayed, exchange } = await world((incoming, response) => {
      seen.push(incoming);
      response.writeHead(200, { 'set-cookie': 'sid=hush-cookie' }).end('{}');
    });
    await post(relayed, '/v1beta/models/m:streamGenerateContent?alt=sse&key=hush-query', Buffer.from('{}'), {
      authorization: 'Bearer hush-bearer',
      'x-api-key': 'hush-key',
      'x-own-token': 'hush-own',
      'anthropic-version': '2023-06-01',
    });
    expect(seen[0]?.headers).toMatchObject({ authorization: 'Bearer hush-bearer', 'x-api-key': 'hush-key' });
    expect(seen[0]?.url).toContain('key=hush-query');
    const told = await exchange;
    expect(JSON.stringify(told)).not.toContain('hush');
    expect(told.target).toBe('/v1beta/models/m:streamGenerateContent?alt=sse');
    expect(told.requestHeaders).toContainEqual({ name: 'anthropic-version', value: '2023-06-01' });
  });

  it('relays a body above the limit whole and knows it by its digest alone', async () => {
    const large = Buffer.alloc(300_000, 'x');
    const { relayed, exchange } = await world((incoming, response) => void incoming.pipe(response), {
      captureBytes: 1000,
    });
    expect((await post(relayed, '/v1/responses', large)).body).toEqual(large);
    const captured = { sizeBytes: large.length, sha256: sha256(large), bytes: undefined };
    expect(await exchange).toMatchObject({ request: captured, response: captured });
  });

  it('breaks the answer off where the provider broke off, and keeps what came', async () => {
    const { relayed, exchange } = await world((_, response) => {
      response.writeHead(200).write('data: half', () => response.destroy());
    });
    await expect(post(relayed, '/v1/messages', Buffer.from('{}'))).rejects.toThrow('aborted');
    const { end, response } = await exchange;
    expect({ end, text: Buffer.from(response.bytes ?? []).toString() }).toEqual({
      end: 'upstream-gone',
      text: 'data: half',
    });
  });

  it('ends the request to the provider when the client goes', async () => {
    const gone = Promise.withResolvers<void>();
    const { relayed, exchange } = await world((_, response) => {
      response.on('close', () => gone.resolve());
      response.writeHead(200).write('data: 1\n\n');
    });
    const sent = request(new URL('/v1/messages', relayed), { method: 'POST' });
    sent.on('error', () => undefined);
    sent.end('{}');
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    answer.on('error', () => undefined);
    await once(answer, 'data');
    sent.destroy();
    await gone.promise;
    expect((await exchange).end).toBe('client-gone');
  });

  it('says 502 where no provider answers', async () => {
    const { relayed, exchange } = await world((incoming) => incoming.socket.destroy());
    expect((await post(relayed, '/v1/messages', Buffer.from('{}'))).status).toBe(502);
    expect(await exchange).toMatchObject({ end: 'unreachable', status: undefined });
  });

  it('serves the client even where keeping the exchange fails', async () => {
    const failed = Promise.withResolvers<unknown>();
    const { relayed } = await world((_, response) => void response.end(events), {
      onExchange: () => {
        throw new Error('the disk is full');
      },
      onError: failed.resolve,
    });
    expect((await post(relayed, '/v1/messages', Buffer.from('{}'))).body).toEqual(events);
    expect(await failed.promise).toMatchObject({ message: 'the disk is full' });
  });
});

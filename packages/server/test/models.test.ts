import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { World } from './support/world.ts';

let world: World;
beforeAll(async () => {
  world = await World.begin({ listen: { host: '127.0.0.1', port: 0 } });
});
afterAll(() => world.end());

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
});

let names = 0;

/** A provider that is registered under a name of its own. */
async function provider(listener: RequestListener, fields: object = {}, path = ''): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const name = `model${++names}`;
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;
  await world.post('/v1/models', { name, url, ...fields });
  return name;
}

const told = (incoming: IncomingMessage) => JSON.stringify({ url: incoming.url, headers: incoming.rawHeaders });

async function task(): Promise<string> {
  return (await world.worker([{ server: 'any' }])).task;
}

async function key(of?: string): Promise<string> {
  return (await world.post('/v1/model-keys', of === undefined ? {} : { task: of })).key;
}

/** A request whose target nothing tidies up. */
async function post(target: string, headers: Record<string, string> = {}, sent = '{}') {
  const made = request(new URL(world.serving.url ?? ''), { method: 'POST', path: target, headers });
  made.end(sent);
  const [answer] = (await once(made, 'response')) as [IncomingMessage];
  let text = '';
  for await (const part of answer.setEncoding('utf8')) text += part;
  return { status: answer.statusCode, text };
}

test('the provider sees path, query and credential of the client, and neither the key nor who relayed', async () => {
  const name = await provider((incoming, response) => void response.end(told(incoming)), {}, '/base');
  const opened = await key(await task());
  const { status, text } = await post(`/model/${opened}/${name}/v1/messages?beta=true`, { 'x-api-key': 'own' });
  expect(status).toBe(200);
  const seen = JSON.parse(text);
  expect(seen.url).toBe('/base/v1/messages?beta=true');
  expect(seen.headers).toEqual(expect.arrayContaining(['x-api-key', 'own']));
  expect(text).not.toContain(opened);
  expect(text.toLowerCase()).not.toContain('deed');
});

test('a key opens nothing once its task is closed, was taken back, or is not one', async () => {
  const name = await provider((_, response) => void response.end('{}'));
  const mine = await task();
  const ended = await key(mine);
  const made = await world.post('/v1/model-keys');
  expect((await post(`/model/${ended}/${name}/v1/models`)).status).toBe(200);
  expect((await post(`/model/${made.key}/${name}/v1/models`)).status).toBe(200);
  await world.closeTask(mine);
  await world.post(`/v1/model-keys/${made.id}/remove`);
  const answers = await Promise.all(
    [ended, made.key, 'x', `dmk_${'A'.repeat(43)}`].map((one) => post(`/model/${one}/${name}/v1/models`)),
  );
  expect(answers.map(({ status }) => status)).toEqual([401, 401, 401, 401]);
  expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
  const { keys } = (await world.api('GET', '/v1/model-keys')).body;
  expect(keys.map(({ task: of }: { task: string | null }) => of)).not.toContain(mine);
});

test('closing the task cuts the stream that is under way', async () => {
  const gone = Promise.withResolvers<void>();
  const name = await provider((_, response) => {
    response.on('close', () => gone.resolve());
    response.writeHead(200).write('data: 1\n\n');
  });
  const mine = await task();
  const sent = request(`${world.serving.url}/model/${await key(mine)}/${name}/v1/messages`, { method: 'POST' });
  sent.end('{}');
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  await once(answer, 'data');
  const broken = once(answer, 'error');
  await world.closeTask(mine);
  await Promise.all([broken, gone.promise]);
});

test('a secret of the deployment stands in the place of what the client sent', async () => {
  await world.post('/v1/secrets', { name: 'llm', value: 'real-key', variable: 'LLM_KEY' });
  // biome-ignore lint/suspicious/noTemplateCurlyInString: this is how it is written
  const fields = { secret: 'llm', headers: { 'X-Api-Key': '${deed:LLM_KEY}' } };
  const name = await provider((incoming, response) => void response.end(told(incoming)), fields);
  const { text } = await post(`/model/${await key()}/${name}/v1/messages`, { 'x-api-key': 'placeholder' });
  expect(text).toContain('real-key');
  expect(text).not.toContain('placeholder');
  const removed = await world.api('POST', '/v1/secrets/llm/remove', {});
  expect(removed.body.detail).toContain(name);
});

test('a path that climbs out of its place, and a provider that nobody registered, go nowhere', async () => {
  const seen: unknown[] = [];
  const name = await provider((incoming, response) => response.end(seen.push(incoming.url)), {}, '/base');
  const opened = await key();
  for (const way of ['/../admin', '/v1/%2e%2e/x', '/v1/..%2fx', '/a\\..\\b'])
    expect((await post(`/model/${opened}/${name}${way}`)).status).toBe(400);
  expect((await post(`/model/${opened}/nobody/v1/models`)).status).toBe(404);
  expect(seen).toEqual([]);
});

test('a provider is named by https, or on this machine, and known ones need no address', async () => {
  expect((await world.post('/v1/models', { name: 'anthropic' })).url).toBe('https://api.anthropic.com');
  for (const fields of [
    { name: 'far', url: 'http://models.example' },
    { name: 'user', url: 'https://a:b@models.example' },
    { name: 'nowhere' },
    { name: 'bare', url: 'https://models.example', headers: { authorization: 'x' } },
    { name: 'none', url: 'https://models.example', secret: 'nothing' },
  ])
    expect((await world.api('POST', '/v1/models', fields)).status).toBe(400);
});

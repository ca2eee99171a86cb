import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { joinBody, openPayload, parseExchange, verify } from '@deed/evidence';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { exportCase } from '../src/case-export.ts';
import { spoken } from './support/connection.ts';
import { type Worker, World } from './support/world.ts';

let world: World;
let argv: readonly string[];
let provider: Server;
/** What the model says next. */
let script: (body: string) => { readonly text: string; readonly headers?: Record<string, string> } = () => ({
  text: '',
});

beforeAll(async () => {
  world = await World.begin({ listen: { host: '127.0.0.1', port: 0 } });
  argv = await world.scripted();
  provider = createServer(async (request, response) => {
    let body = '';
    for await (const part of request.setEncoding('utf8')) body += part;
    const { text, headers = {} } = script(body);
    response.writeHead(200, { 'content-type': 'application/json', ...headers });
    response.end(headers['content-encoding'] ? gzipSync(text) : text);
  });
  provider.listen(0, '127.0.0.1');
  await once(provider, 'listening');
  await world.post('/v1/models', {
    name: 'anthropic',
    url: `http://127.0.0.1:${(provider.address() as AddressInfo).port}`,
  });
});
afterAll(async () => {
  await world.end();
  provider.closeAllConnections();
  provider.close();
});

const asks = (...calls: readonly (readonly [id: string, args: object])[]) =>
  JSON.stringify({
    type: 'message',
    content: calls.map(([id, input]) => ({ type: 'tool_use', id, name: 'mcp__fixture__echo', input })),
  });

const turns = (count: number) =>
  JSON.stringify({
    model: 'm',
    messages: Array.from({ length: count }, (_, turn) => ({
      role: 'user',
      content: `turn ${turn} ${'x'.repeat(200)}`,
    })),
  });

/** Asks the model by a key of the task. */
async function ask({ task }: Worker, sent: string): Promise<string> {
  const { models } = await world.post('/v1/model-keys', { task });
  const url = models.find(({ name }: { name: string }) => name === 'anthropic').url;
  const response = await fetch(`${url}/v1/messages`, {
    method: 'POST',
    body: sent,
    headers: { 'x-api-key': 'the credential', 'content-type': 'application/json' },
  });
  return response.text();
}

let ids = 0;
async function call(worker: Worker, args: object, toolUseId?: string) {
  const connection = await world.connect(argv, worker);
  const id = `call-${++ids}`;
  const meta = toolUseId === undefined ? {} : { _meta: { 'claudecode/toolUseId': toolUseId } };
  await connection.send(
    JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { name: 'echo', arguments: args, ...meta } }),
  );
  const { text } = spoken(await connection.answer(id));
  connection.close();
  return text;
}

const promptsOf = (task: string) => world.of(task, 'intent').map(({ body }) => body.prompt);

function opened(name: string): Uint8Array {
  const { vault } = world.serving.deployment.authority;
  return openPayload(vault.get(name), name).bytes;
}

async function caseOf(task: string) {
  await world.closeTask(task);
  const { authority, ledger } = world.serving.deployment;
  const { trustFile } = world.made;
  const options = {
    db: ledger.database,
    ledger,
    authority,
    trustFile,
    writer: 'test',
    now: Date.now,
    witnessMs: 20_000,
  };
  const file = await exportCase(options, task);
  return verify(file, { trust: trustFile });
}

test('a call that names the model’s own id is linked to the prompt exactly, and the case shows it', async () => {
  const worker = await world.worker();
  script = () => ({ text: asks(['toolu_1', { a: 1 }]) });
  expect(await ask(worker, turns(3))).toBe(asks(['toolu_1', { a: 1 }]));
  await call(worker, { a: 1 }, 'toolu_1');
  const [prompt] = promptsOf(worker.task);
  expect(prompt).toMatchObject({ link: 'exact', call: 'toolu_1', exchange: { kept: true } });
  const exchange = parseExchange(opened(prompt?.exchange?.sha256 ?? ''));
  expect(exchange).toMatchObject({ provider: 'anthropic', target: '/v1/messages', end: 'complete' });
  expect(JSON.stringify(exchange)).not.toContain('the credential');
  expect(Buffer.from(joinBody(exchange.request.body, opened) ?? []).toString()).toBe(turns(3));
  const { verdict, reasons, actions } = await caseOf(worker.task);
  expect({ verdict, reasons, links: actions.map(({ prompt: link }) => link) }).toEqual({
    verdict: 'VERIFIED',
    reasons: [],
    links: ['exact'],
  });
});

test('what the context repeats is stored once', async () => {
  const worker = await world.worker();
  const named: string[][] = [];
  for (const turn of [1, 2]) {
    script = () => ({ text: asks([`toolu_r${turn}`, { turn }]) });
    await ask(worker, turns(20 + turn));
    await call(worker, { turn }, `toolu_r${turn}`);
    const exchange = parseExchange(opened(promptsOf(worker.task).at(-1)?.exchange?.sha256 ?? ''));
    named.push((exchange.request.body.pieces ?? []).map(({ sha256 }) => sha256));
  }
  const [first = [], second = []] = named;
  expect(first.length).toBeGreaterThan(20);
  expect(second.filter((name) => !first.includes(name)).length).toBeLessThanOrEqual(3);
});

test('without an id the one call that fits is inferred, and several that fit are called ambiguous', async () => {
  const worker = await world.worker();
  script = () => ({ text: asks(['toolu_a', { a: 1 }], ['toolu_b', { same: true }], ['toolu_c', { same: true }]) });
  await ask(worker, turns(1));
  await call(worker, { a: 1 });
  await call(worker, { same: true });
  await call(worker, { same: true });
  await call(worker, { same: true });
  await call(worker, { a: 2 });
  expect(promptsOf(worker.task).map((prompt) => prompt && [prompt.link, prompt.call])).toEqual([
    ['inferred', 'toolu_a'],
    ['ambiguous', null],
    ['ambiguous', null],
    undefined,
    undefined,
  ]);
  expect(await caseOf(worker.task)).toMatchObject({ verdict: 'VERIFIED' });
});

test('a call that is another than the model asked for is linked and called altered', async () => {
  const worker = await world.worker();
  script = () => ({ text: asks(['toolu_x', { amount: 1 }]), headers: { 'content-encoding': 'gzip' } });
  await ask(worker, turns(1));
  await call(worker, { amount: 1000 }, 'toolu_x');
  expect(promptsOf(worker.task)).toMatchObject([{ link: 'altered', call: 'toolu_x' }]);
  expect(await caseOf(worker.task)).toMatchObject({ verdict: 'VERIFIED' });
});

test('the prompts of one task are nothing to another, and those of nobody in particular take an id', async () => {
  const [one, other] = [await world.worker(), await world.worker()];
  script = () => ({ text: asks(['toolu_o', { o: 1 }]) });
  await ask(one, turns(1));
  await call(other, { o: 1 });
  await call(other, { o: 1 }, 'toolu_o');
  expect(promptsOf(other.task)).toEqual([undefined, undefined]);
  const { models } = await world.post('/v1/model-keys');
  script = () => ({ text: asks(['toolu_n', { n: 1 }]) });
  await fetch(`${models[0].url}/v1/messages`, { method: 'POST', body: turns(1) });
  await call(other, { n: 1 });
  await call(other, { n: 1 }, 'toolu_n');
  expect(promptsOf(other.task).slice(2)).toMatchObject([undefined, { link: 'exact', call: 'toolu_n' }]);
});

test('with an exchange its pieces are erased, but for those that another one has', async () => {
  const worker = await world.worker();
  for (const turn of [1, 2]) {
    script = () => ({ text: asks([`toolu_e${turn}`, { turn }]) });
    await ask(worker, turns(turn));
    await call(worker, { turn }, `toolu_e${turn}`);
  }
  const [first, second] = promptsOf(worker.task).map((prompt) => prompt?.exchange?.sha256 ?? '');
  const listed = (name = '') => {
    const { request, response } = parseExchange(opened(name));
    return [...(request.body.pieces ?? []), ...(response?.body.pieces ?? [])].map(({ sha256 }) => sha256);
  };
  const [ofFirst, ofSecond] = [listed(first), listed(second)];
  await world.closeTask(worker.task);
  await world.post(`/v1/tasks/${worker.task}/erase`, { reason: 'a request of the user', payloads: [first] });
  const { vault } = world.serving.deployment.authority;
  for (const name of ofFirst) expect(vault.has(name)).toBe(ofSecond.includes(name));
  expect(ofSecond.every((name) => vault.has(name))).toBe(true);
});

/** The next turn of a conversation: what the calls of the model gave. */
const results = (...told: readonly (readonly [id: string, text: string])[]) =>
  JSON.stringify({
    model: 'm',
    messages: told.map(([id, text]) => ({
      role: 'user',
      content: [{ type: 'tool_result', tool_use_id: id, content: [{ type: 'text', text }] }],
    })),
  });

test('the next turn confirms which call it was, where it can be no other', async () => {
  const worker = await world.worker();
  script = () => ({ text: asks(['toolu_f', { f: 1 }], ['toolu_g', { g: 1 }], ['toolu_h', { g: 1 }]) });
  await ask(worker, turns(1));
  const [one, two] = [await call(worker, { f: 1 }), await call(worker, { g: 1 })];
  const confirmed = () => world.of(worker.task, 'prompt-confirmed').map(({ body }) => [body.call, body.exchange.kept]);
  script = () => ({ text: asks() });
  await ask(worker, results(['toolu_f', 'something else']));
  await world.settled();
  expect(confirmed()).toEqual([]);
  await ask(worker, results(['toolu_f', one], ['toolu_h', two]));
  await ask(worker, results(['toolu_f', one], ['toolu_h', two]));
  await world.settled();
  expect(confirmed()).toEqual([
    ['toolu_f', true],
    ['toolu_h', true],
  ]);
  const { verdict, reasons, actions } = await caseOf(worker.task);
  expect({ verdict, reasons, links: actions.map(({ prompt }) => prompt) }).toEqual({
    verdict: 'VERIFIED',
    reasons: [],
    links: ['confirmed', 'confirmed'],
  });
});

test('results that several calls may have given confirm none of them', async () => {
  const worker = await world.worker();
  script = () => ({ text: asks(['toolu_k', { k: 1 }], ['toolu_l', { k: 1 }]) });
  await ask(worker, turns(1));
  const [one, two] = [await call(worker, { k: 1 }), await call(worker, { k: 1 })];
  script = () => ({ text: asks() });
  await ask(worker, results(['toolu_k', one], ['toolu_l', two]));
  await world.settled();
  expect(world.of(worker.task, 'prompt-confirmed')).toEqual([]);
});

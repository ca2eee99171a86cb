import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { placeholderOf } from '@deed/gateway';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ToolServer } from './support/mcp-server.ts';
import { approvingPolicy } from './support/policy.ts';
import { type Worker, World } from './support/world.ts';

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
  worker?: Worker,
) {
  const made = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode: era }, ...options });
  const access = worker ? { fetch: signing(worker) } : { requestInit: { headers: { authorization: `Bearer ${key}` } } };
  const transport = new StreamableHTTPClientTransport(new URL(url), access);
  await made.connect(transport);
  ends.push(() => made.close());
  return { client: made, transport };
}

/** A `fetch` that shows the agent's task token, and a proof of each message. */
function signing({ sign }: Worker): typeof fetch {
  return async (input, init = {}) => {
    const [token = '', proof = ''] = (await sign(Buffer.from(String(init.body ?? '')))).split(' ');
    const headers = new Headers(init.headers);
    headers.set('deed-task-token', token);
    headers.set('workload-proof-token', proof);
    return fetch(input, { ...init, headers });
  };
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

interface Raw {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** One request of a client that we write ourselves. */
async function raw(
  { url, key }: { readonly url: string; readonly key: string },
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
  signal?: AbortSignal,
): Promise<Raw> {
  const response = await fetch(url, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: {
      authorization: `Bearer ${key}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...headers,
    },
    ...(signal ? { signal } : {}),
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

/** The same by an agent, which signs it. */
async function signed(
  { sign }: Worker,
  { url }: { readonly url: string },
  body: object,
  headers: Record<string, string>,
) {
  const [token = '', proof = ''] = (await sign(Buffer.from(JSON.stringify(body)))).split(' ');
  return raw({ url, key: '' }, body, { ...headers, 'deed-task-token': token, 'workload-proof-token': proof });
}

const version = '2026-07-28';

/** A call of the newer era. */
function modernCall(name: string, args: object, more: { readonly meta?: object; readonly params?: object } = {}) {
  const meta = {
    'io.modelcontextprotocol/protocolVersion': version,
    'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {},
    ...more.meta,
  };
  const params = { name, arguments: args, _meta: meta, ...more.params };
  return {
    body: { jsonrpc: '2.0', id: ++names, method: 'tools/call', params },
    headers: { 'mcp-protocol-version': version, 'mcp-method': 'tools/call', 'mcp-name': name },
  };
}

/** The message of an answer, whichever way it came. */
function messageOf({ text }: Raw) {
  const line = text.split('\n').find((one) => one.startsWith('data: {')) ?? text;
  return JSON.parse(line.replace(/^data: /, ''));
}

describe('who may come in', () => {
  test('without a key, with one of another server or one that was taken back, nothing reaches the server', async () => {
    const place = await behind({ kind: 'both' });
    const other = await behind({ kind: 'both' });
    const { body, headers } = modernCall('echo', {});
    const seen = place.server.headers.length;
    for (const key of ['', 'dek_x', other.key]) expect((await raw({ ...place, key }, body, headers)).status).toBe(403);
    const { id } = (await world.api('GET', '/v1/mcp-keys')).body.keys.find(
      ({ server }: { readonly server: string }) => server === place.name,
    );
    expect((await raw(place, body, headers)).status).toBe(200);
    await world.post(`/v1/mcp-keys/${id}/remove`);
    expect((await raw(place, body, headers)).status).toBe(403);
    expect(place.server.headers.length - seen).toBe(2); // the list, and the one call
  });

  test('a page of another site, or one under another name of this machine, does not come in', async () => {
    const place = await behind({ kind: 'both' });
    const { body, headers } = modernCall('echo', {});
    expect((await raw(place, body, { ...headers, origin: 'https://evil.example' })).status).toBe(403);
    expect((await raw(place, body, { ...headers, origin: new URL(place.url).origin })).status).toBe(200);
    const { port } = new URL(place.url);
    const rebound = httpRequest(place.url, { method: 'POST', headers: { host: `evil.example:${port}` } }).end();
    const [answer] = (await once(rebound, 'response')) as [IncomingMessage];
    expect(answer.resume().statusCode).toBe(403);
  });

  test("the client's key never reaches the server, which is shown the credential of the broker", async () => {
    await world.post('/v1/secrets', { name: 'vault', variable: 'KEY', value: 'the secret' });
    const place = await behind(
      { kind: 'both' },
      { headers: { 'X-Api-Key': `k-1 ${placeholderOf('KEY')}` }, credentials: [{ broker: 'vault', implicit: true }] },
    );
    const { body, headers } = modernCall('echo', {});
    expect((await raw(place, body, { ...headers, cookie: 'a=b', 'x-other': 'c' })).status).toBe(200);
    for (const got of place.server.headers) {
      expect(got['x-api-key']).toBe('k-1 the secret');
      expect([got.authorization, got.cookie, got['x-other']]).toEqual([undefined, undefined, undefined]);
    }
  });

  test('an agent shows its task token and a proof of each message, and a proof serves once', async () => {
    const place = await behind({ kind: 'both' });
    const worker = await world.worker([{ server: place.name }]);
    const { body, headers } = modernCall('echo', { a: 7 });
    const text = JSON.stringify(body);
    const [token = '', proof = ''] = (await worker.sign(Buffer.from(text))).split(' ');
    const shown = { ...headers, 'deed-task-token': token, 'workload-proof-token': proof };
    const keyless = { ...place, key: '' };
    const answer = await raw(keyless, text, shown);
    expect(messageOf(answer).result.content).toEqual([{ type: 'text', text: '{"a":7}' }]);
    expect(world.of(worker.task, 'intent')[0]?.body.authority).toMatchObject({ pop: 'agent' });
    expect(messageOf(await raw(keyless, text, shown)).result).toMatchObject({ isError: true });
    const meddled = text.replace('{"a":7}', '{"a":8}');
    expect((await raw(keyless, meddled, shown)).status).toBe(401);
    expect(place.server.calls).toEqual([{ a: 7 }]);
  });
});

describe('what a message says', () => {
  test('headers that say otherwise than the body are refused before anything is judged', async () => {
    const place = await behind({ kind: 'both' });
    const { body, headers } = modernCall('mirrors', { region: 'north' });
    const wrong: readonly Readonly<Record<string, string>>[] = [
      { ...headers, 'mcp-name': 'echo' },
      { ...headers, 'mcp-method': 'tools/list' },
      { ...headers, 'mcp-protocol-version': '2025-11-25' },
      { ...headers, 'mcp-param-region': 'south' },
      { 'mcp-protocol-version': version, 'mcp-name': 'mirrors', 'mcp-param-region': 'north' },
      headers, // and the one that the schema asks for is missing
    ];
    for (const said of wrong) {
      const answer = await raw(place, body, said);
      expect([answer.status, messageOf(answer).error.code]).toEqual([400, -32020]);
    }
    expect(place.server.calls).toEqual([]);
    const right = Buffer.from('north').toString('base64');
    const answer = await raw(place, body, { ...headers, 'mcp-param-region': `=?base64?${right}?=` });
    expect(answer.status).toBe(200);
  });

  test('what is no message, is too long, or is unknown to the protocol is refused', async () => {
    const place = await behind({ kind: 'both' });
    for (const text of [
      '',
      'x',
      '[]',
      '[{"jsonrpc":"2.0","id":1,"method":"ping"}]',
      '{"jsonrpc":"2.0","id":1,"id":2}',
    ]) {
      expect((await raw(place, text)).status).toBe(400);
    }
    expect((await raw(place, `"${'x'.repeat(9 * 1024 * 1024)}"`)).status).toBe(413);
    expect((await raw(place, { jsonrpc: '2.0', method: 'notifications/made-up' })).status).toBe(400);
    const madeUp = {
      jsonrpc: '2.0',
      id: 1,
      method: 'made/up',
      params: { _meta: modernCall('', {}).body.params._meta },
    };
    const newer = await raw(place, madeUp, { 'mcp-protocol-version': version, 'mcp-method': 'made/up' });
    const older = await raw(place, { ...madeUp, params: {} });
    expect([newer.status, older.status]).toEqual([404, 200]);
    for (const answer of [newer, older]) expect(messageOf(answer)).toMatchObject({ id: 1, error: { code: -32601 } });
    expect(place.server.headers).toEqual([]);
  });

  test('a session that this visitor does not have is no session, and the end of one ends its task', async () => {
    const place = await behind({ kind: 'sessions' });
    const { client: mcp, transport } = await client(place);
    await mcp.callTool({ name: 'echo', arguments: {} });
    const task = await newestTask();
    const session = { 'mcp-session-id': transport.sessionId ?? '', 'mcp-protocol-version': '2025-11-25' };
    const ping = { jsonrpc: '2.0', id: 'p', method: 'ping' };
    const stranger = await world.post('/v1/mcp-keys', { server: place.name });
    expect((await raw(stranger, ping, session)).status).toBe(404);
    expect((await raw(place, ping, { ...session, 'mcp-session-id': 'made-up' })).status).toBe(404);
    expect((await raw(place, ping, session)).status).toBe(200);
    expect(place.server.headers.at(-1)?.['mcp-session-id']).not.toBe(transport.sessionId);
    await transport.terminateSession();
    await expect.poll(() => world.of(task, 'task-closed').length).toBe(1);
    expect((await raw(place, ping, session)).status).toBe(404);
  });
});

describe('one action', () => {
  test('a call for which the server asks something first is one action', async () => {
    const place = await behind({ kind: 'both' });
    const asked: unknown[] = [];
    const { client: mcp } = await client(place, 'auto', { capabilities: { elicitation: {} } });
    mcp.setRequestHandler('elicitation/create', async ({ params }) => {
      asked.push(params.message);
      return { action: 'accept', content: { name: 'Ada' } };
    });
    const answer = await mcp.callTool({ name: 'asks', arguments: { a: 1 } });
    expect(answer.content).toEqual([{ type: 'text', text: '"Ada"' }]);
    expect(asked).toEqual(['What is it called?']);
    const task = await newestTask();
    expect(world.of(task, 'intent')).toHaveLength(1);
    expect(world.of(task, 'outcome').map(({ body }) => body.status)).toEqual(['ok']);
  });

  test('a call that comes again under its own name gets the answer that there was', async () => {
    const place = await behind({ kind: 'both' });
    const meta = { 'claudecode/toolUseId': 'toolu_1' };
    const texts: string[] = [];
    for (let turn = 0; turn < 3; turn++) {
      const { body, headers } = modernCall('echo', { a: 1 }, { meta });
      const answer = messageOf(await raw(place, body, headers));
      expect(answer.id).toBe(body.id);
      texts.push(JSON.stringify(answer.result));
    }
    expect(new Set(texts).size).toBe(1);
    expect(place.server.calls).toHaveLength(1);
    expect(world.of(await newestTask(), 'intent')).toHaveLength(1);
    const { body, headers } = modernCall('echo', { a: 2 }, { meta });
    await raw(place, body, headers);
    expect(place.server.calls).toHaveLength(2);
  });

  test('a client that lost its stream and asks again gets the answer, and nothing is done twice', async () => {
    const place = await behind({ kind: 'both' });
    const { promise: open, resolve: answerNow } = Promise.withResolvers<void>();
    place.server.gate = () => open;
    const lost = new AbortController();
    const first = modernCall('echo', { a: 1 });
    const gone = raw(place, first.body, first.headers, lost.signal).catch(() => 'gone');
    await expect.poll(() => place.server.calls.length).toBe(1);
    lost.abort();
    expect(await gone).toBe('gone');
    const again = modernCall('echo', { a: 1 });
    const answer = raw(place, again.body, again.headers);
    await new Promise((later) => setTimeout(later, 100));
    answerNow();
    expect(messageOf(await answer)).toMatchObject({ id: again.body.id, result: { content: [{ text: '{"a":1}' }] } });
    expect(place.server.calls).toHaveLength(1);
    const task = await newestTask();
    expect(world.of(task, 'outcome').map(({ body }) => body.status)).toEqual(['ok']);
  });

  test('fifty equal calls at once are fifty actions, each with its own answer', async () => {
    const place = await behind({ kind: 'both' });
    const calls = Array.from({ length: 50 }, () => modernCall('echo', { a: 5 }));
    const answers = await Promise.all(calls.map(({ body, headers }) => raw(place, body, headers)));
    expect(answers.map((answer) => messageOf(answer).id)).toEqual(calls.map(({ body }) => body.id));
    expect(place.server.calls).toHaveLength(50);
    const task = await newestTask();
    expect(new Set(world.of(task, 'intent').map(({ body }) => body.action)).size).toBe(50);
  });
});

describe('a call that waits for a person', () => {
  /** A client that is asked to show its user a page, and what a program in the user's place answers at once. */
  async function asking(era: 'legacy' | 'auto', action: 'accept' | 'decline' | 'cancel') {
    const place = await behind({ kind: era === 'legacy' ? 'sessions' : 'both' });
    const worker = await world.worker([{ server: place.name }]);
    const shown: { readonly url: string }[] = [];
    const { client: mcp } = await client(place, era, { capabilities: { elicitation: { url: {} } } }, worker);
    mcp.setRequestHandler('elicitation/create', async ({ params }) => {
      shown.push(params as never);
      return { action };
    });
    const call = (args: object) => mcp.callTool({ name: 'approve_echo', arguments: args as never });
    return { ...place, shown, call, task: worker.task };
  }

  const said = (answer: object) => JSON.stringify(answer);

  test.each(['legacy', 'auto'] as const)('an answer of the client of the era %s is no approval', async (era) => {
    const { server, shown, call, task } = await asking(era, 'accept');
    const answer = await call({ a: 1 });
    expect(said(answer)).toContain('deed approve act_');
    expect(shown).toEqual([
      expect.objectContaining({ mode: 'url', url: expect.stringMatching(/\/approvals\/act_\w+$/) }),
    ]);
    expect(said(await call({ a: 1 }))).toContain('deed approve act_');
    expect([shown.length, server.calls.length]).toEqual([1, 0]); // asked once
    const action = shown[0]?.url.split('/').at(-1) ?? '';
    await world.answer(action, 'approve');
    expect(said(await call({ a: 1 }))).toContain('{\\"a\\":1}');
    expect(server.calls).toEqual([{ a: 1 }]);
    expect(world.of(task, 'intent').map(({ body }) => [body.action, body.approvals.length])).toEqual([[action, 1]]);
  });

  test.each(['legacy', 'auto'] as const)('a person approves while the call of the era %s waits', async (era) => {
    const { server, shown, call } = await asking(era, 'accept');
    const answer = call({ a: 2 });
    const action = await world.held();
    await world.answer(action, 'approve');
    expect(said(await answer)).toContain('{\\"a\\":2}');
    expect([shown.length, server.calls]).toEqual([1, [{ a: 2 }]]);
  });

  test.each(['legacy', 'auto'] as const)('who declines in a client of the era %s is not asked again', async (era) => {
    const { server, shown, call, task } = await asking(era, 'decline');
    expect(said(await call({ a: 3 }))).toContain('refused this (cancelled)');
    for (let turn = 0; turn < 10; turn++) expect(said(await call({ a: 3 }))).toContain('nobody is asked again');
    expect([shown.length, server.calls.length]).toEqual([1, 0]);
    expect((await world.api('GET', '/v1/approvals')).body.approvals).toEqual([]);
    const refusals = world.of(task, 'refusal').map(({ body }) => body.reason);
    expect(refusals).toEqual(['cancelled', ...Array<string>(10).fill('denied')]);
  });

  test.each(['legacy', 'auto'] as const)('a client of the era %s that answers nothing is told at once', async (era) => {
    const { shown, call, task } = await asking(era, 'cancel');
    for (let turn = 0; turn < 3; turn++) expect(said(await call({ a: 4 }))).toContain('deed approve act_');
    expect(shown).toHaveLength(1);
    await world.answer(shown[0]?.url.split('/').at(-1) ?? '', 'reject');
    expect(said(await call({ a: 4 }))).toContain('refused this (rejected)');
    expect(said(await call({ a: 4 }))).toContain('nobody is asked again');
    const reasons = world.of(task, 'refusal').map(({ body }) => body.reason);
    expect(reasons).toEqual(['rejected', 'denied']);
  });

  test.each(['json', 'stream'] as const)('a state is for one call of one visitor, and once (%s)', async (answersAs) => {
    const place = await behind({ kind: 'both', answersAs });
    const [worker, stranger] = [
      await world.worker([{ server: place.name }]),
      await world.worker([{ server: place.name }]),
    ];
    const capable = { meta: { 'io.modelcontextprotocol/clientCapabilities': { elicitation: { url: {} } } } };
    const first = modernCall('approve_echo', { a: 5 }, capable);
    const { result } = messageOf(await signed(worker, place, first.body, first.headers));
    expect(result.resultType).toBe('input_required');
    const back = (args: object, requestState: string) => {
      const inputResponses = { approval: { action: 'accept' } };
      return modernCall('approve_echo', args, { ...capable, params: { requestState, inputResponses } });
    };
    const meddled = `${result.requestState.slice(0, -2)}AA`;
    for (const { body, headers } of [back({ a: 6 }, result.requestState), back({ a: 5 }, meddled)])
      expect((await signed(worker, place, body, headers)).status).toBe(400);
    const other = back({ a: 5 }, result.requestState);
    expect((await signed(stranger, place, other.body, other.headers)).status).toBe(400);
    await world.answer(result.inputRequests.approval.params.url.split('/').at(-1), 'approve');
    const good = back({ a: 5 }, result.requestState);
    const answer = messageOf(await signed(worker, place, good.body, good.headers));
    expect(answer).toMatchObject({ id: good.body.id, result: { content: [{ text: '{"a":5}' }] } });
    const again = back({ a: 5 }, result.requestState);
    expect((await signed(worker, place, again.body, again.headers)).status).toBe(400);
    expect(place.server.calls).toEqual([{ a: 5 }]);
  });
});

describe('a server that fails', () => {
  test('one that dies during a call leaves an outcome that is unknown', async () => {
    const place = await behind({ kind: 'both' });
    place.server.gate = () => new Promise(() => {});
    const { body, headers } = modernCall('echo', { a: 1 });
    const answer = raw(place, body, headers);
    await expect.poll(() => place.server.calls.length).toBe(1);
    await place.server.stop();
    expect(messageOf(await answer).result).toMatchObject({
      isError: true,
      content: [{ text: expect.stringContaining('unknown') }],
    });
    expect(world.of(await newestTask(), 'outcome').map(({ body }) => body.status)).toEqual(['unknown']);
    ends.pop();
  });

  test('one that never answers is waited for only so long, and a second answer is dropped', async () => {
    const place = await behind({ kind: 'both' });
    place.server.before = (request, response) => {
      if (request.headers['mcp-name'] !== 'echo') return false;
      let text = '';
      request.on('data', (part) => {
        text += part;
      });
      request.on('end', () => {
        const { id } = JSON.parse(text);
        const event = (n: number) =>
          `data: {"jsonrpc":"2.0","id":${id},"result":{"resultType":"complete","content":[{"type":"text","text":"${n}"}]}}\n\n`;
        response.writeHead(200, { 'content-type': 'text/event-stream' }).end(event(1) + event(2));
      });
      return true;
    };
    const { body, headers } = modernCall('echo', { a: 1 });
    const answer = await raw(place, body, headers);
    expect(answer.text.match(/"text":"\d"/g)).toEqual(['"text":"1"']);
    expect(world.of(await newestTask(), 'outcome')).toHaveLength(1);
  });

  test('one that has forgotten a session lets the client begin anew, and the call is an error', async () => {
    const place = await behind({ kind: 'sessions' });
    const { client: mcp, transport } = await client(place);
    await mcp.callTool({ name: 'echo', arguments: { a: 1 } });
    place.server.before = (_request, response) => {
      const error = { jsonrpc: '2.0', error: { code: -32001, message: 'Session not found' }, id: null };
      response.writeHead(404, { 'content-type': 'application/json' }).end(JSON.stringify(error));
      return true;
    };
    const call = { jsonrpc: '2.0', id: 'c', method: 'tools/call', params: { name: 'echo', arguments: {} } };
    const answer = await raw(place, call, { 'mcp-session-id': transport.sessionId ?? '' });
    expect([answer.status, messageOf(answer).error.message]).toEqual([404, 'Session not found']);
    expect(world.of(await newestTask(), 'outcome').map(({ body }) => body.status)).toEqual(['ok', 'error']);
  });

  test('one that refuses its credential is an error, and the client is not sent to it for another', async () => {
    const place = await behind({ kind: 'both' });
    const { client: mcp } = await client(place, 'auto');
    await mcp.listTools();
    place.server.before = (_request, response) => {
      response.writeHead(401, { 'www-authenticate': 'Bearer resource_metadata="https://idp.example"' }).end();
      return true;
    };
    const { body, headers } = modernCall('echo', { a: 1 });
    const answer = await raw(place, body, headers);
    expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([200, null]);
    expect(messageOf(answer).result.isError).toBe(true);
  });

  test('a tool that describes itself otherwise than when it was pinned is refused', async () => {
    const place = await behind({ kind: 'both' });
    const first = modernCall('echo', { a: 1 });
    expect(messageOf(await raw(place, first.body, first.headers)).result.isError).toBeUndefined();
    place.server.description = 'sends it to somebody else';
    const { client: mcp } = await client(place, 'auto');
    await mcp.listTools();
    const { body, headers } = modernCall('echo', { a: 1 });
    const { result } = messageOf(await raw(place, body, headers));
    expect(result).toMatchObject({ isError: true, content: [{ text: expect.stringContaining('tool-changed') }] });
    expect(place.server.calls).toHaveLength(1);
  });
});

describe('what goes by', () => {
  test.each(['legacy', 'auto'] as const)('progress reaches a client of the era %s before the answer', async (era) => {
    const place = await behind({ kind: era === 'legacy' ? 'sessions' : 'both' });
    const { client: mcp } = await client(place, era);
    const steps: number[] = [];
    const answer = await mcp.callTool(
      { name: 'steps', arguments: {} },
      { onprogress: ({ progress }) => steps.push(progress) },
    );
    expect(steps).toEqual([1, 2, 3]);
    expect(answer.content).toEqual([{ type: 'text', text: '"done"' }]);
  });

  test('a resource that is read is an action', async () => {
    const place = await behind({ kind: 'both' });
    const { client: mcp } = await client(place, 'auto');
    const { contents } = await mcp.readResource({ uri: 'note://one' });
    expect(contents).toMatchObject([{ text: 'a note' }]);
    const task = await newestTask();
    await world.settled(); // it is at tier observe: nobody waits for it
    expect(world.of(task, 'intent').map(({ body }) => body.method)).toEqual(['resources/read']);
  });
});

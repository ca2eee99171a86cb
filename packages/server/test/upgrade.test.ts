import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { World } from './support/world.ts';

let world: World;
beforeAll(async () => {
  world = await World.begin({ listen: { host: '127.0.0.1', port: 0 } });
});
afterAll(() => world.end());

/** Sends these bytes on a plain connection, and gives all that comes back until its end. */
async function exchange(socket: Socket, bytes: string): Promise<string> {
  let got = '';
  socket.setEncoding('utf8').on('data', (text: string) => {
    got += text;
  });
  socket.on('error', () => {}); // `close` follows
  socket.write(bytes);
  await once(socket, 'close');
  return got;
}

const onSocket = (bytes: string) => exchange(connect(world.serving.socket), bytes);
const onTcp = (bytes: string) => exchange(connect(Number(new URL(world.serving.url ?? '').port), '127.0.0.1'), bytes);
const base64 = (text: string) => Buffer.from(text).toString('base64url');
const upgrade = (lines: string) =>
  `GET /v1/mcp HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: deed-mcp\r\n${lines}\r\n`;

test.each([
  ['no command', ''],
  ['a command that is no JSON', `Deed-Command: ${base64('["/bin/cat"')}\r\n`],
  ['a command that is no base64url', 'Deed-Command: ****\r\n'],
  ['a command of no words', `Deed-Command: ${base64('[]')}\r\n`],
  ['a command of other things than words', `Deed-Command: ${base64('[1]')}\r\n`],
  ['two commands', `Deed-Command: ${base64('["/bin/cat"]')}\r\nDeed-Command: ${base64('["/bin/ls"]')}\r\n`],
])('an upgrade with %s is refused as a request', async (_what, lines) => {
  const answer = await onSocket(upgrade(lines));
  expect(answer).toMatch(/^HTTP\/1\.1 403 .*\r\nContent-Type: application\/problem\+json\r\n/);
  expect(JSON.parse(answer.slice(answer.indexOf('{')))).toMatchObject({ title: 'request' });
  expect((await world.api('GET', '/v1/status')).status).toBe(200);
});

test('an upgrade to another protocol is refused', async () => {
  const answer = await onSocket(upgrade('').replace('deed-mcp', 'websocket'));
  expect(answer).toContain('"title":"request"');
});

test.each([
  ['an upgrade', upgrade(`Deed-Command: ${base64('["/bin/cat"]')}\r\n`)],
  ['an absolute address', 'GET http://localhost/v1/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'],
  ['an address without a scheme', 'GET //log/v1/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'],
  ['a host with a path', 'GET /v1/status HTTP/1.1\r\nHost: x/log/checkpoint?\r\nConnection: close\r\n\r\n'],
  ['a host that makes the path another', 'GET /v1/status HTTP/1.1\r\nHost: x/log\r\nConnection: close\r\n\r\n'],
  ['no host', 'GET /v1/status HTTP/1.1\r\nConnection: close\r\n\r\n'],
  ['dots that are escaped', 'GET /log/%2e%2e/v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'],
  ['a proxy', 'CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n'],
])('over TCP %s reaches no administration', async (_what, bytes) => {
  const answer = await onTcp(bytes);
  expect(answer).not.toMatch(/^HTTP\/1\.1 [123]/);
  expect(answer).not.toContain(world.dir);
});

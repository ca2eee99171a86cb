import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';

const { port } = parseArgs({ options: { port: { type: 'string', default: '0' } } }).values;
const key = Buffer.from((process.env.WEBHOOK_SECRET ?? '').replace(/^whsec_/, ''), 'base64');
if (key.length < 24) throw new Error('WEBHOOK_SECRET is not set: whsec_…');
const seen = new Set<string>();

/** Whether the sender has the secret, of these very bytes, now. */
function isSigned({ headers }: IncomingMessage, body: Buffer): boolean {
  const { 'webhook-id': id, 'webhook-timestamp': seconds, 'webhook-signature': signature } = headers;
  if (Math.abs(Date.now() / 1000 - Number(seconds)) > 300) return false;
  const expected = createHmac('sha256', key).update(`${id}.${seconds}.`).update(body).digest();
  const [version, given = ''] = String(signature).split(',');
  const got = Buffer.from(given, 'base64');
  return version === 'v1' && got.length === expected.length && timingSafeEqual(got, expected);
}

const server = createServer(async (request, response) => {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part);
  const body = Buffer.concat(parts);
  if (!isSigned(request, body)) return void response.writeHead(401).end();
  const { id, type, subject = '' } = JSON.parse(body.toString());
  if (!seen.has(id)) console.log(`${type} ${subject}`);
  seen.add(id);
  response.writeHead(204).end();
});
server.listen(Number(port), '127.0.0.1', () => {
  console.log(JSON.stringify({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` }));
});
process.once('SIGINT', () => {
  server.close();
  server.closeAllConnections();
});

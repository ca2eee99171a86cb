import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** A service that deploys versions to environments, as far as its own books go. Each request is written down in a line of its log. */
const token = process.env.DEPLOYER_TOKEN ?? '';
const deployments: object[] = [];
/** What was answered under a key of the caller's: the same key is the same deployment. */
const answered = new Map<string, object>();

const server = createServer(async (request, response) => {
  const isKnown = token !== '' && request.headers.authorization === `Bearer ${token}`;
  const id = `req_${crypto.randomUUID()}`;
  response.setHeader('x-request-id', id);
  if (!isKnown) return answer(response, 401, { error: 'who are you?' });
  const { status, body } = await take(request);
  console.error(JSON.stringify({ id, method: request.method, path: request.url, status }));
  answer(response, status, body);
});

async function take(request: IncomingMessage): Promise<{ readonly status: number; readonly body: object }> {
  const [, environment] = /^\/environments\/([a-z]+)\/deployments$/.exec(request.url ?? '') ?? [];
  if (environment === undefined) return { status: 404, body: { error: 'no such environment' } };
  if (request.method === 'GET') return { status: 200, body: { deployments } };
  const key = request.headers['idempotency-key']?.toString() ?? '';
  const before = answered.get(key);
  if (before) return { status: 200, body: before };
  const { version } = JSON.parse(await text(request)) as { version?: unknown };
  if (typeof version !== 'string') return { status: 422, body: { error: 'which version?' } };
  const deployment = { id: `dep_${deployments.length + 1}`, environment, version };
  deployments.push(deployment);
  answered.set(key, deployment);
  return { status: 201, body: deployment };
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

server.listen(0, '127.0.0.1', () => {
  console.log(JSON.stringify({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }));
});
process.once('SIGINT', () => {
  server.close();
  server.closeAllConnections();
});

import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A receiver of callbacks on this machine. `answer` gives the status, or null: the connection is never answered. */
export async function receiver(answer: (received: Received) => number | null | Promise<number | null>) {
  const got: Received[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const part of request.setEncoding('utf8')) body += part;
    const received = { headers: request.headers, body };
    got.push(received);
    const status = await answer(received);
    if (status !== null) response.writeHead(status, { location: '/elsewhere' }).end('not read');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
  const ids = () => got.map(({ headers }) => String(headers['webhook-id']));
  const stop = () => {
    server.close();
    server.closeAllConnections();
  };
  return { url, got, ids, stop };
}

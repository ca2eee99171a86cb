import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { TimestampAuthority } from '../../../evidence/test/support/timestamp-authority.ts';

/** What an authority does with a request. The honest one answers it. */
export type Behaviour = (request: Uint8Array, response: ServerResponse, authority: TimestampAuthority) => void;

export const replyType = 'application/timestamp-reply';

export function send(response: ServerResponse, body: Uint8Array): void {
  response.writeHead(200, { 'content-type': replyType }).end(body);
}

export const honest: Behaviour = (request, response, authority) =>
  send(response, authority.answer(request, Date.now()));

/** A timestamp authority over HTTP on the loopback, which a test can make behave as it likes. */
export class HttpAuthority {
  readonly authority = new TimestampAuthority();
  readonly requests: Uint8Array[] = [];
  behaviour: Behaviour = honest;
  private readonly server = createServer((request, response) => this.serve(request, response));

  static async start(): Promise<HttpAuthority> {
    const made = new HttpAuthority();
    made.server.maxRequestsPerSocket = 1; // no idle connection that ends while a test keeps this thread busy
    made.server.listen(0, '127.0.0.1');
    await once(made.server, 'listening');
    return made;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/tsa`;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part);
    const asked = new Uint8Array(Buffer.concat(parts));
    response.on('error', () => {}); // a client that went away
    if (request.method !== 'POST' || request.headers['content-type'] !== 'application/timestamp-query')
      response.writeHead(415).end();
    else {
      this.requests.push(asked);
      this.behaviour(asked, response, this.authority);
    }
  }
}

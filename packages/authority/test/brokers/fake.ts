import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Answered {
  readonly status: number;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A service that answers as its documentation says: what it is asked is kept, what it answers is set by the test. */
export class FakeService {
  readonly asked: Asked[] = [];
  answer: (asked: Asked) => Answered = () => ({ status: 500 });
  private readonly server = createServer(async (request, response) => {
    let body = '';
    for await (const part of request.setEncoding('utf8')) body += part;
    const asked = { method: request.method ?? '', path: request.url ?? '', headers: request.headers, body };
    this.asked.push(asked);
    const { status, body: text = '', headers = {} } = this.answer(asked);
    response.writeHead(status, headers).end(text);
  });

  async start(): Promise<string> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  last(): Asked {
    const last = this.asked.at(-1);
    if (!last) throw new Error('nothing was asked');
    return last;
  }

  stop(): void {
    this.server.close();
    this.server.closeAllConnections();
  }
}

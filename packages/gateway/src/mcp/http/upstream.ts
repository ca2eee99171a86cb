import { Agent, type IncomingHttpHeaders, type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps, Agent as TlsAgent } from 'node:https';
import { GatewayError } from '../../errors.ts';

/** What of a client's request goes on. A list of what may, so that no token of the client's ever does. */
const forwarded: ReadonlySet<string> = new Set([
  'accept',
  'content-type',
  'last-event-id',
  'mcp-protocol-version',
  'mcp-method',
  'mcp-name',
  'traceparent',
  'tracestate',
]);

/** What of an answer goes back. No cookie, and nothing by which a client would bring its token to somebody else. */
const returned: readonly string[] = ['allow', 'cache-control', 'content-type', 'mcp-protocol-version', 'retry-after'];

export function forwardedHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      typeof value === 'string' && (forwarded.has(name) || name.startsWith('mcp-param-')) ? [[name, value]] : [],
    ),
  );
}

export function returnedHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  return Object.fromEntries(
    returned.flatMap((name) => {
      const value = headers[name];
      return typeof value === 'string' ? [[name, value]] : [];
    }),
  );
}

export interface Sent {
  readonly method: 'POST' | 'GET' | 'HEAD' | 'PUT' | 'PATCH' | 'DELETE';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** Ends it, at whatever point it is. */
  readonly signal: AbortSignal;
}

/** The way to a tool server at an address. It follows no redirect: what is registered is what is called. */
export class Upstream {
  private readonly url: URL;
  private readonly agent: Agent | TlsAgent;

  constructor(url: string) {
    this.url = new URL(url);
    const options = { keepAlive: true, maxFreeSockets: 64 };
    this.agent = this.url.protocol === 'https:' ? new TlsAgent(options) : new Agent(options);
  }

  /** Resolves with the head of the answer. @throws GatewayError tool-died */
  send({ method, headers, body, signal }: Sent): Promise<IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const request = this.url.protocol === 'https:' ? requestHttps : requestHttp;
    const length = body === undefined ? {} : { 'content-length': String(body.length) };
    const outgoing = request(this.url, { method, agent: this.agent, headers: { ...headers, ...length }, signal });
    outgoing.on('response', resolve);
    outgoing.on('error', (cause) =>
      reject(new GatewayError('tool-died', 'the server at its address did not answer', { cause })),
    );
    outgoing.setNoDelay(true);
    outgoing.end(body);
    return promise;
  }

  close(): void {
    this.agent.destroy();
  }
}

/** The whole of an answer. @throws GatewayError too-large, tool-died */
export async function wholeOf(incoming: AsyncIterable<Buffer>, maxBytes: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  try {
    for await (const part of incoming) {
      size += part.length;
      if (size > maxBytes) throw new GatewayError('too-large', `more than ${maxBytes} bytes`);
      parts.push(part);
    }
  } catch (cause) {
    if (cause instanceof GatewayError) throw cause;
    throw new GatewayError('tool-died', 'the message broke off', { cause });
  }
  return Buffer.concat(parts);
}

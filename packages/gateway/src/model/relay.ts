import {
  type ClientRequest,
  Agent as HttpAgent,
  type IncomingMessage,
  request as requestHttp,
  type ServerResponse,
} from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { Capture, type Captured } from './captured.ts';
import { endToEnd, type Header, headersOf, recordable, recordableTarget } from './headers.ts';

const defaultCaptureBytes = 16 * 1024 * 1024;
/** A model may think for long before its first word. */
const defaultIdleMs = 10 * 60_000;

export type ExchangeEnd =
  | 'complete'
  | 'client-gone' // the client went before it had everything
  | 'upstream-gone' // the answer broke off
  | 'unreachable'; // no answer came

/** What passed between an agent and its model. Nothing in it is from a header or a query that may hold a credential. */
export interface Exchange {
  readonly method: string;
  readonly target: string;
  readonly requestHeaders: readonly Header[];
  readonly request: Captured;
  /** Missing where no answer came. */
  readonly status: number | undefined;
  readonly responseHeaders: readonly Header[];
  readonly response: Captured;
  readonly end: ExchangeEnd;
  /** When the request came and when the last byte of the answer passed, in milliseconds. */
  readonly beganMs: number;
  readonly endedMs: number;
}

/** An exchange that is under way. */
export interface Passage {
  /** What of the answer passed so far. */
  soFar(): { readonly headers: readonly Header[]; readonly bytes: Uint8Array };
  /** Resolves once `onExchange` was told. */
  readonly ended: Promise<void>;
  /** Breaks it off, on both sides. */
  cut(): void;
}

/** How one request goes on where it is not as it came. */
export interface Onward {
  /** Path and query. Default: those of the request. */
  readonly target?: string;
  /** Headers instead of those of the same name that the client sent, whatever their case. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Told instead of the relay's own. */
  readonly onExchange?: (exchange: Exchange) => void;
}

export interface ModelRelayOptions {
  /** The provider's base address: `http` or `https`; a path in it stands before each request's. */
  readonly upstream: URL;
  /** Told once for each exchange, after the stream, where a request names nobody else. What it throws does not reach the client. */
  readonly onExchange: (exchange: Exchange) => void;
  /** Longer bodies pass all the same, and are known by their digest alone. */
  readonly captureBytes?: number;
  /** Breaks off what passes no byte for so long, in milliseconds. */
  readonly idleMs?: number;
  /** Told what `onExchange` threw. */
  readonly onError: (error: unknown) => void;
}

export interface ModelRelay {
  handle(request: IncomingMessage, response: ServerResponse, onward?: Onward): Passage;
  /** Lets go of idle connections to the provider. */
  close(): void;
}

/**
 * A reverse proxy for one provider that passes bodies on as they come, byte for byte, and takes a copy beside.
 * The client's own credential goes through and is in no exchange. It never parses what passes.
 */
export function modelRelay(options: ModelRelayOptions): ModelRelay {
  const { upstream } = options;
  const secure = upstream.protocol === 'https:';
  const agent = secure ? new HttpsAgent({ keepAlive: true }) : new HttpAgent({ keepAlive: true });
  const send = secure ? requestHttps : requestHttp;
  const base = upstream.pathname.replace(/\/$/, '');

  function forward(request: IncomingMessage, target: string, put: Readonly<Record<string, string>>): ClientRequest {
    const replaced = new Set(['host', ...Object.keys(put).map((name) => name.toLowerCase())]);
    const headers = endToEnd(headersOf(request.rawHeaders)).filter(({ name }) => !replaced.has(name.toLowerCase()));
    headers.unshift({ name: 'Host', value: upstream.host });
    headers.push(...Object.entries(put).map(([name, value]) => ({ name, value })));
    if (request.headers['transfer-encoding']) headers.push({ name: 'Transfer-Encoding', value: 'chunked' });
    return send({
      agent,
      // A URL writes an IPv6 address in brackets, a socket takes it without.
      hostname: upstream.hostname.replace(/^\[|\]$/g, ''),
      port: upstream.port || (secure ? 443 : 80),
      method: request.method ?? 'GET',
      path: `${base}${target}`,
      headers: flat(headers),
    });
  }

  function handle(request: IncomingMessage, response: ServerResponse, how: Onward = {}): Passage {
    const target = how.target ?? request.url ?? '';
    if (!target.startsWith('/')) {
      refuse(response, 400, 'the target of the request must be a path');
      return over;
    }
    const beganMs = Date.now();
    const done = Promise.withResolvers<void>();
    const sent = new Capture(options.captureBytes ?? defaultCaptureBytes);
    const received = new Capture(options.captureBytes ?? defaultCaptureBytes);
    const onward = forward(request, target, how.headers ?? {});
    let answer: IncomingMessage | undefined;
    let told = false;

    function tell(end: ExchangeEnd): void {
      if (told) return;
      told = true;
      try {
        (how.onExchange ?? options.onExchange)({
          method: request.method ?? 'GET',
          target: recordableTarget(target),
          requestHeaders: recordable(headersOf(request.rawHeaders)),
          request: sent.end(),
          status: answer?.statusCode,
          responseHeaders: recordable(headersOf(answer?.rawHeaders ?? [])),
          response: received.end(),
          end,
          beganMs,
          endedMs: Date.now(),
        });
      } catch (error) {
        options.onError(error);
      } finally {
        done.resolve();
      }
    }

    request.on('data', (chunk: Buffer) => {
      if (!told) sent.add(chunk);
    });
    request.on('error', () => onward.destroy());
    request.pipe(onward);
    onward.setTimeout(options.idleMs ?? defaultIdleMs, () => onward.destroy(new Error('nothing passed for too long')));

    response.on('close', () => {
      if (response.writableFinished) return;
      tell('client-gone');
      onward.destroy();
    });
    onward.on('error', () => {
      if (answer) return;
      tell('unreachable');
      refuse(response, 502, 'the model provider did not answer');
    });
    onward.on('response', (incoming) => {
      answer = incoming;
      response.sendDate = false;
      response.writeHead(
        incoming.statusCode ?? 502,
        incoming.statusMessage,
        flat(endToEnd(headersOf(incoming.rawHeaders))),
      );
      // A client must see that the stream began before its first event.
      response.flushHeaders();
      incoming.on('data', (chunk: Buffer) => {
        if (!told) received.add(chunk);
      });
      incoming.on('end', () => {
        if (incoming.complete) tell('complete');
      });
      // An answer that broke off must break off for the client too: a clean end would lie.
      incoming.on('close', () => {
        if (incoming.complete) return;
        tell('upstream-gone');
        response.destroy();
      });
      incoming.on('error', () => undefined);
      incoming.pipe(response);
    });

    return {
      soFar: () => ({
        headers: recordable(headersOf(answer?.rawHeaders ?? [])),
        bytes: told ? new Uint8Array() : received.soFar(),
      }),
      ended: done.promise,
      cut() {
        response.destroy();
        onward.destroy();
      },
    };
  }

  return { handle, close: () => agent.destroy() };
}

const over: Passage = {
  soFar: () => ({ headers: [], bytes: new Uint8Array() }),
  ended: Promise.resolve(),
  cut: () => undefined,
};

function flat(headers: readonly Header[]): string[] {
  return headers.flatMap(({ name, value }) => [name, value]);
}

function refuse(response: ServerResponse, status: number, detail: string): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, { 'content-type': 'application/problem+json', connection: 'close' });
  response.end(JSON.stringify({ status, detail }));
}

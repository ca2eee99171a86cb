import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { eventOf } from './event-stream.ts';

/** The answer to one request of a client: not begun, a stream of events, or done. */
export class Outlet {
  private readonly response: ServerResponse;
  private streams = false;
  private over = false;

  constructor(response: ServerResponse) {
    this.response = response;
  }

  /** Nothing more can be said: it was all said, or the client went away. */
  get isOver(): boolean {
    return this.over || this.response.destroyed;
  }

  get isStream(): boolean {
    return this.streams;
  }

  /** Called once when nothing more goes to the client: `lost` if it went away before it was all said. */
  onEnd(ended: (lost: boolean) => void): void {
    this.response.once('close', () => ended(!this.response.writableFinished));
  }

  /** Begins a stream of events, unless there is one. */
  stream(status = 200, headers: Readonly<Record<string, string>> = {}): void {
    if (this.streams || this.isOver) return;
    this.streams = true;
    this.response.writeHead(status, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
      ...headers,
    });
    this.response.flushHeaders();
  }

  /** Bytes of a stream, as they are. Resolves when more can be taken. */
  async write(bytes: Uint8Array | string): Promise<void> {
    if (this.isOver) return;
    if (this.response.write(bytes)) return;
    const { signal, abort } = closing(this.response);
    await once(this.response, 'drain', { signal }).catch(() => {});
    abort();
  }

  /** One message more on a stream. */
  tell(message: string): Promise<void> {
    this.stream();
    return this.write(eventOf(message));
  }

  /** The one message that is the answer, or the last of a stream. */
  finish(message: string, status = 200, headers: Readonly<Record<string, string>> = {}): void {
    if (this.isOver) return;
    this.over = true;
    if (this.streams) this.response.end(eventOf(message));
    else whole(this.response, status, { 'content-type': 'application/json', ...headers }, message);
  }

  /** An answer without a message, or with the bytes of one as they came. */
  answer(status: number, headers: Readonly<Record<string, string>> = {}, body: Uint8Array | string = ''): void {
    if (this.isOver) return;
    this.over = true;
    whole(this.response, status, headers, body);
  }

  end(): void {
    if (this.isOver) return;
    this.over = true;
    this.response.end();
  }

  /** A stream that broke off must break off for the client too: a clean end would lie. */
  breakOff(): void {
    this.over = true;
    this.response.destroy();
  }
}

function whole(
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
  body: Uint8Array | string,
): void {
  const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
  response.writeHead(status, { ...headers, 'content-length': String(length) });
  response.end(body);
}

function closing(response: ServerResponse): { readonly signal: AbortSignal; readonly abort: () => void } {
  const controller = new AbortController();
  const abort = () => controller.abort();
  response.once('close', abort);
  return {
    signal: controller.signal,
    abort: () => response.off('close', abort),
  };
}

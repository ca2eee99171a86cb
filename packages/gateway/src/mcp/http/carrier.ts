import type { IncomingMessage } from 'node:http';
import { type Json, utf8 } from '@deed/evidence';
import type { ToolProcessEvents } from '../../tools/process.ts';
import type { Tool } from '../../tools/registry.ts';
import { idOf, isModern, type Message, maxLineBytes, parseMessage, stringAt, valueAt } from '../message.ts';
import { EventSplitter } from './event-stream.ts';
import { encodedHeader, type MirroredParameters, mirroredParameters } from './mirrored.ts';
import { Upstream, wholeOf } from './upstream.ts';

/** How long a stream that the server closed rests before the client goes on with it, in milliseconds, unless the server says. */
const retryMs = 1_000;

export interface HttpCarrierEvents extends Pick<ToolProcessEvents, 'line' | 'end'> {
  /** No answer to this request will come. */
  readonly unanswered: (id: string) => void;
}

/**
 * Carries the lines of a client over stdio to a server that has an address: each line one request, each message of an answer one line.
 * What HTTP wants beside them (session, version, the headers that repeat the body) is made here. It is a client of the server in the
 * era that the lines are of.
 */
export class HttpCarrier {
  private readonly upstream: Upstream;
  private readonly headers: Readonly<Record<string, string>>;
  private readonly events: HttpCarrierEvents;
  private readonly open = new Map<string, AbortController>();
  private readonly mirrors = new Map<string, MirroredParameters>();
  private readonly ending = new AbortController();
  /** What came before is under way: a notification goes before what follows it. */
  private before: Promise<void> = Promise.resolve();
  private session: string | undefined;
  private version: string | undefined;

  /** @param headers what each request carries: the credential */
  constructor(tool: Tool, headers: Readonly<Record<string, string>>, events: HttpCarrierEvents) {
    this.upstream = new Upstream(tool.url ?? '');
    this.headers = headers;
    this.events = events;
  }

  send(line: Uint8Array): void {
    const message = parseMessage(line);
    if (message.method === 'notifications/cancelled' && this.cancel(message)) return;
    const sent = this.before.then(() => this.post(message));
    if (message.kind === 'notification') this.before = sent;
  }

  async stop(): Promise<void> {
    if (this.ending.signal.aborted) return;
    this.ending.abort();
    if (this.session !== undefined) {
      const signal = AbortSignal.timeout(1_000);
      const left = this.upstream.send({ method: 'DELETE', headers: this.requestHeaders(null), signal });
      await left.then((incoming) => incoming.resume()).catch(() => {}); // it ends by itself
    }
    this.upstream.close();
    this.events.end('was left');
  }

  /** In the newer era a cancel is the end of its stream. */
  private cancel(message: Message): boolean {
    const id = valueAt(message.json.value, 'params', 'requestId');
    const open = typeof id === 'string' || typeof id === 'number' ? this.open.get(idOf(id)) : undefined;
    if (!open || this.version !== undefined) return false;
    open.abort();
    return true;
  }

  /** It does not throw. */
  private async post(message: Message): Promise<void> {
    const gone = new AbortController();
    const id = message.kind === 'request' ? message.id : null;
    if (id !== null) this.open.set(id, gone);
    try {
      const signal = AbortSignal.any([gone.signal, this.ending.signal]);
      const headers = this.requestHeaders(message);
      const incoming = await this.upstream.send({ method: 'POST', headers, body: message.line, signal });
      if (message.method === 'initialize') this.session = incoming.headers['mcp-session-id']?.toString();
      if (incoming.statusCode === 404 && this.session !== undefined) return this.events.end('forgot the session');
      const reading = this.read(incoming, message);
      if (id === null) {
        if (message.method === 'notifications/initialized') void this.listen();
        return;
      }
      const last = await reading;
      if (this.open.has(id) && last !== null && this.session !== undefined) await this.resume(id, last);
    } catch {
      // Whoever waits is told below.
    } finally {
      if (id !== null && this.open.delete(id)) this.events.unanswered(id);
    }
  }

  /** Passes what comes; gives the id of the last event, by which the stream can be gone on with. */
  private async read(incoming: IncomingMessage, asked: Message | null): Promise<string | null> {
    if (!incoming.headers['content-type']?.startsWith('text/event-stream')) {
      const body = await wholeOf(incoming, 4 * maxLineBytes);
      if (body.length > 0 && incoming.headers['content-type']?.startsWith('application/json')) this.pass(body, asked);
      return null;
    }
    let last: string | null = null;
    const splitter = new EventSplitter(({ data, id }) => {
      if (id !== null) last = id;
      if (data !== null && data !== '') this.pass(utf8(data), asked);
    });
    for await (const chunk of incoming) splitter.push(chunk as Buffer);
    return last;
  }

  private pass(bytes: Uint8Array, asked: Message | null): void {
    let message: Message;
    try {
      message = parseMessage(bytes);
    } catch {
      return; // no message
    }
    if (message.kind === 'response' && message.id !== null) this.open.delete(message.id);
    if (asked?.method === 'initialize' && message.id === asked.id)
      this.version = stringAt(message.json.value, 'result', 'protocolVersion');
    if (asked?.method === 'tools/list' && message.id === asked.id) this.learn(message);
    // A line has no newline in it, whatever JSON allows between its tokens.
    this.events.line(bytes.includes(0x0a) || bytes.includes(0x0d) ? utf8(onOneLine(message.json.text)) : bytes);
  }

  private learn({ json }: Message): void {
    const tools = valueAt(json.value, 'result', 'tools');
    if (!Array.isArray(tools)) return;
    for (const tool of tools as readonly Json[]) {
      const schema = valueAt(tool, 'inputSchema');
      this.mirrors.set(stringAt(tool, 'name'), mirroredParameters(schema));
    }
  }

  /** What the server says of its own accord, in the older era, as long as it says something. */
  private async listen(): Promise<void> {
    while (!this.ending.signal.aborted && this.session !== undefined) {
      const incoming = await this.get(null);
      if (incoming?.statusCode !== 200) return void incoming?.resume();
      await this.read(incoming, null).catch(() => null);
      await pause(retryMs);
    }
  }

  /** Goes on after the last event until the answer came, or the server does not know of it. */
  private async resume(id: string, after: string): Promise<void> {
    let last = after;
    while (this.open.has(id) && !this.ending.signal.aborted) {
      await pause(retryMs);
      const incoming = await this.get(last);
      if (incoming?.statusCode !== 200) return void incoming?.resume();
      last = (await this.read(incoming, null).catch(() => null)) ?? last;
    }
  }

  private get(after: string | null): Promise<IncomingMessage | undefined> {
    const headers = {
      ...this.requestHeaders(null),
      accept: 'text/event-stream',
      ...(after === null ? {} : { 'last-event-id': after }),
    };
    const { signal } = this.ending;
    return this.upstream.send({ method: 'GET', headers, signal }).catch(() => undefined);
  }

  private requestHeaders(message: Message | null): Record<string, string> {
    const modern = message !== null && isModern(message);
    return {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...(modern ? this.mirrored(message) : this.older()),
      ...this.headers,
    };
  }

  private older(): Record<string, string> {
    return {
      ...(this.version === undefined ? {} : { 'mcp-protocol-version': this.version }),
      ...(this.session === undefined ? {} : { 'mcp-session-id': this.session }),
    };
  }

  private mirrored({ json, method }: Message): Record<string, string> {
    const params = valueAt(json.value, 'params');
    const name = valueAt(params, 'name') ?? valueAt(params, 'uri');
    const headers: Record<string, string> = {
      'mcp-protocol-version': stringAt(params, '_meta', 'io.modelcontextprotocol/protocolVersion'),
      'mcp-method': method ?? '',
      ...(typeof name === 'string' ? { 'mcp-name': encodedHeader(name) } : {}),
    };
    for (const [header, path] of this.mirrors.get(String(name)) ?? []) {
      const value = valueAt(params, 'arguments', ...path);
      if (value !== undefined && value !== null) headers[`mcp-param-${header}`] = encodedHeader(String(value));
    }
    return headers;
  }
}

/** The same JSON without the line ends between its tokens: within a string there is none. */
function onOneLine(text: string): string {
  return text.replaceAll(/[\r\n]+/g, ' ');
}

function pause(ms: number): Promise<void> {
  return new Promise((later) => setTimeout(later, ms).unref());
}

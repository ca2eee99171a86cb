import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { DeedError } from '@deed/evidence';
import { GatewayError } from '../../errors.ts';
import { capabilitiesOf, HeldCalls } from '../asking.ts';
import { errorReply, isModern, type Message, maxLineBytes, parseMessage } from '../message.ts';
import { isJudged } from '../methods.ts';
import { JudgedCalls } from './judged.ts';
import { headerMismatch, mismatchOf } from './mirrored.ts';
import { Outlet } from './outlet.ts';
import { passAnswer } from './pass.ts';
import { type EndpointOptions, HttpSession, type Visitor } from './session.ts';
import { forwardedHeaders, returnedHeaders, Upstream, wholeOf } from './upstream.ts';

/** Most sessions of one endpoint. */
const maxSessions = 10_000;

/**
 * One tool server behind its address, by Streamable HTTP in both eras: what a client sends goes on as it came, and so does what
 * comes back. Calls are judged on the way. Nothing is translated between eras: client and server agree on one themselves.
 */
export class HttpEndpoint {
  private readonly options: EndpointOptions;
  private readonly upstream: Upstream;
  private readonly sessions = new Map<string, HttpSession>();
  private readonly calls: JudgedCalls;
  /** By visitor: what a server offers that keeps no session. */
  private readonly sessionless = new Map<string, HttpSession>();

  constructor(options: EndpointOptions) {
    this.options = options;
    this.upstream = new Upstream(options.tool.url ?? '');
    this.calls = new JudgedCalls(options, this.upstream, new HeldCalls(options.now));
  }

  /** Takes one request to its end. It does not throw. */
  async take(request: IncomingMessage, response: ServerResponse, visitor: Visitor): Promise<void> {
    const outlet = new Outlet(response);
    try {
      if (request.method === 'POST') return await this.post(request, outlet, visitor);
      if (request.method === 'GET' || request.method === 'DELETE') return await this.other(request, outlet, visitor);
      outlet.answer(405, { allow: 'GET, POST, DELETE' });
    } catch (error) {
      if (!(error instanceof DeedError)) {
        this.options.log(`a request ended: ${(error as Error).stack ?? String(error)}`);
        outlet.finish(errorReply(null, -32603, 'the request could not be taken to its end', 'internal'), 500);
      } else {
        const tooLarge = error.code === 'too-large';
        const [status, code] = tooLarge ? [413, -32600] : [statusOf(error), -32001];
        // The rest is not read, so nothing else can come on this connection.
        const headers: Record<string, string> = tooLarge ? { connection: 'close' } : {};
        outlet.finish(errorReply(null, code, error.message, error.code), status, headers);
      }
    }
  }

  /** What is under way ends. */
  async close(): Promise<void> {
    await this.calls.close();
    this.upstream.close();
  }

  private async post(request: IncomingMessage, outlet: Outlet, visitor: Visitor): Promise<void> {
    const body = await wholeOf(request, maxLineBytes);
    let message: Message;
    try {
      message = parseMessage(body);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      return outlet.finish(errorReply(null, -32700, error.message, error.code), 400);
    }
    const session = this.sessionOf(request, visitor, message);
    if (!session) return outlet.finish(errorReply(message.id, -32001, 'there is no such session', 'session'), 404);
    const mismatch = mismatchOf(request.headers, message);
    if (mismatch) return outlet.finish(errorReply(message.id, headerMismatch, mismatch, 'message'), 400);
    const judged = isJudged(message);
    if (message.kind === 'request' && session.inFlight.has(message.id ?? ''))
      return outlet.finish(errorReply(message.id, -32600, 'this id is still in flight', 'duplicate-id'), 400);
    if (message.kind === 'request' && judged) return this.calls.judge({ request, message, outlet, visitor, session });
    await visitor.check(body);
    if (message.kind === 'notification' && judged)
      return outlet.finish(errorReply(null, -32601, `${message.method} is not of the protocol`, 'message'), 400);
    if (!visitor.isOpen())
      return outlet.finish(errorReply(message.id, -32001, 'the task is no longer open', 'task-closed'));
    if (message.kind === 'response' && session.questions.answer(message)) return outlet.answer(202);
    if (message.method === 'notifications/cancelled') session.cancel(message);
    await this.pass(request, message, outlet, visitor, session);
  }

  private async pass(
    request: IncomingMessage,
    message: Message,
    outlet: Outlet,
    visitor: Visitor,
    session: HttpSession,
  ): Promise<void> {
    const gone = new AbortController();
    outlet.onEnd(() => gone.abort());
    const headers = { ...forwardedHeaders(request.headers), ...session.headers(), ...(await visitor.headers()) };
    const id = message.kind === 'request' ? (message.id ?? '') : null;
    if (id !== null) session.inFlight.set(id, { kind: 'passing' });
    try {
      const incoming = await this.upstream.send({ method: 'POST', headers, body: message.line, signal: gone.signal });
      const returned = {
        ...returnedHeaders(incoming.headers),
        ...(message.method === 'initialize' ? this.begin(incoming, message, visitor) : session.returned()),
      };
      await passAnswer(incoming, outlet, session, returned, {
        log: this.options.log,
        onAnswer: (answer) => message.method === 'tools/list' && session.catalogue.read(answer),
      });
    } finally {
      if (id !== null) session.inFlight.delete(id);
    }
  }

  /** The stream of what a server says of its own accord, and the end of a session: both of the older era. */
  private async other(request: IncomingMessage, outlet: Outlet, visitor: Visitor): Promise<void> {
    await visitor.check(new Uint8Array());
    const session = this.sessionOf(request, visitor, null);
    if (!session) return outlet.finish(errorReply(null, -32001, 'there is no such session', 'session'), 404);
    const gone = new AbortController();
    outlet.onEnd(() => gone.abort());
    const method = request.method === 'GET' ? 'GET' : 'DELETE';
    if (method === 'DELETE') this.end(session);
    const headers = { ...forwardedHeaders(request.headers), ...session.headers(), ...(await visitor.headers()) };
    const incoming = await this.upstream.send({ method, headers, signal: gone.signal });
    const returned = { ...returnedHeaders(incoming.headers), ...session.returned() };
    await passAnswer(incoming, outlet, session, returned, { log: this.options.log, onAnswer: () => {} });
  }

  /** The session that a request is of; one of its own where none is kept. Undefined for one that this visitor does not have. */
  private sessionOf(request: IncomingMessage, visitor: Visitor, message: Message | null): HttpSession | undefined {
    const id = request.headers['mcp-session-id'];
    if (id !== undefined && !(message && isModern(message))) {
      const session = this.sessions.get(String(id));
      if (session?.visitor !== visitor.key) return undefined;
      session.touch();
      return session;
    }
    const version = request.headers['mcp-protocol-version']?.toString();
    const key = JSON.stringify([visitor.key, version ?? null]);
    let shared = this.sessionless.get(key);
    if (!shared) {
      if (this.sessionless.size >= maxSessions) this.sessionless.clear();
      shared = this.newSession(visitor, null, null);
      this.sessionless.set(key, shared);
    }
    return shared.alone(visitor, message, version);
  }

  /** A session of ours for one that the server began. */
  private begin(incoming: IncomingMessage, message: Message, visitor: Visitor): Record<string, string> {
    const theirs = incoming.headers['mcp-session-id'];
    if (typeof theirs !== 'string') return {};
    const oldest = this.sessions.values().next().value;
    if (this.sessions.size >= maxSessions && oldest) this.end(oldest);
    const session = this.newSession(visitor, randomUUID(), theirs);
    session.capabilities = capabilitiesOf(message);
    this.sessions.set(session.id ?? '', session);
    return session.returned();
  }

  private newSession(visitor: Visitor, id: string | null, theirs: string | null): HttpSession {
    return new HttpSession({
      ...this.options,
      upstream: this.upstream,
      visitor,
      id,
      theirs,
      ended: (one) => this.end(one),
    });
  }

  private end(session: HttpSession): void {
    if (session.id !== null) this.sessions.delete(session.id);
    session.end();
  }
}

function statusOf(error: DeedError): number {
  if (error.code === 'tool-died') return 502;
  return error.code === 'credential' || error.code === 'closed' ? 503 : 401;
}

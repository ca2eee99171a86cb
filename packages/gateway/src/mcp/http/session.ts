import { randomUUID } from 'node:crypto';
import type { Caller } from '@deed/authority';
import { type Json, utf8 } from '@deed/evidence';
import type { Walk } from '../../action.ts';
import type { Answer } from '../../call.ts';
import { GatewayError } from '../../errors.ts';
import type { Pins } from '../../tools/pins.ts';
import type { Tool } from '../../tools/registry.ts';
import { capabilitiesOf, Questions, showsAddresses } from '../asking.ts';
import { Catalogue } from '../catalogue.ts';
import { idOf, isModern, type Message, maxLineBytes, parseMessage, valueAt, withoutProgress } from '../message.ts';
import type { LinkLimits } from '../tool-link.ts';
import { EventSplitter } from './event-stream.ts';
import { type Upstream, wholeOf } from './upstream.ts';

export interface EndpointOptions {
  /** One that is reached by its address. */
  readonly tool: Tool;
  readonly walk: Walk;
  readonly pins: Pins;
  readonly limits: LinkLimits;
  readonly now: () => number;
  readonly log: (text: string) => void;
}

/** Who sends a request, as the door knows it. */
export interface Visitor {
  /** Whose sessions and calls it may go on with. */
  readonly key: string;
  /** The task that it speaks for; null: nobody in particular. */
  readonly task: string | null;
  /** Who asks for a judged call. @throws DeedError */
  caller(body: Uint8Array): Promise<Caller>;
  /** Lets in what is not judged. @throws DeedError */
  check(body: Uint8Array): Promise<void>;
  /** Whether its task is open. */
  isOpen(): boolean;
  /** What requests to the server carry beside the client's own: the credential. @throws GatewayError credential */
  headers(): Promise<Readonly<Record<string, string>>>;
}

/** A request that has no answer yet. Only the walk answers a judged one. */
export type InFlight =
  | { readonly kind: 'passing' }
  | {
      readonly kind: 'judged';
      readonly cancel: () => void;
      /** Takes the answer that came, and resolves when it may go on to the client; false if it is not the one that counts. */
      readonly settle: (answer: Answer, message: Message) => Promise<boolean>;
    };

interface SessionParts extends EndpointOptions {
  readonly upstream: Upstream;
  readonly visitor: Visitor;
  /** Ours and theirs; null where none is kept. */
  readonly id: string | null;
  readonly theirs: string | null;
  readonly ended: (session: HttpSession) => void;
}

/** A session without a request ends after this long, in milliseconds. */
const idleMs = 15 * 60_000;
/** A list of a server that tells nobody when it changes is asked for anew after this long, in milliseconds. */
const listedMs = 60_000;

/** What client and server agreed on, and what is under way between them. */
export class HttpSession {
  readonly id: string | null;
  readonly visitor: string;
  readonly inFlight = new Map<string, InFlight>();
  readonly catalogue: Catalogue;
  capabilities: Json | undefined;
  private readonly parts: SessionParts;
  readonly questions = new Questions();
  private current: Visitor;
  private idle: NodeJS.Timeout | undefined;
  private listedAt = 0;
  /** By which the server is asked for its list: as the newest request of the client was. */
  private speaking: { readonly version: string | undefined; readonly meta: Json | undefined } = {
    version: undefined,
    meta: undefined,
  };

  constructor(parts: SessionParts, catalogue?: Catalogue) {
    this.parts = parts;
    this.id = parts.id;
    this.visitor = parts.visitor.key;
    this.current = parts.visitor;
    const { pins, tool } = parts;
    this.catalogue =
      catalogue ??
      new Catalogue(
        (method, params) => this.request(method, params),
        (definition) => pins.see(tool, definition),
      );
    this.touch();
  }

  /** What a request of a client without a session has of it: what the server offers, and nothing that is under way. */
  alone(visitor: Visitor, message: Message | null, version: string | undefined): HttpSession {
    this.current = visitor;
    if (message) this.speaks(message, version);
    const now = this.parts.now();
    if (now - this.listedAt > listedMs) {
      this.catalogue.invalidate();
      this.listedAt = now;
    }
    const session = new HttpSession({ ...this.parts, visitor }, this.catalogue);
    session.capabilities = message ? capabilitiesOf(message) : undefined;
    clearTimeout(session.idle);
    return session;
  }

  touch(): void {
    clearTimeout(this.idle);
    if (this.id !== null) this.idle = setTimeout(() => this.parts.ended(this), idleMs).unref();
  }

  /** What a request of it carries to the server. */
  headers(): Record<string, string> {
    return this.parts.theirs === null ? {} : { 'mcp-session-id': this.parts.theirs };
  }

  /** What an answer of it carries to the client. */
  returned(): Record<string, string> {
    return this.id === null ? {} : { 'mcp-session-id': this.id };
  }

  /** Says which version is spoken and by whom, for what is asked of the server on its behalf. */
  speaks(message: Message, version?: string): void {
    const meta = isModern(message) ? withoutProgress(message) : undefined;
    const said = valueAt(meta, 'io.modelcontextprotocol/protocolVersion');
    this.speaking = { version: typeof said === 'string' ? said : version, meta };
  }

  /** Who asks now: what is asked of the server meanwhile carries this visitor's credential. */
  speaksFor(visitor: Visitor): void {
    this.current = visitor;
  }

  cancel(message: Message): void {
    const id = valueAt(message.json.value, 'params', 'requestId');
    const request = typeof id === 'string' || typeof id === 'number' ? this.inFlight.get(idOf(id)) : undefined;
    if (request?.kind === 'judged') request.cancel();
  }

  /** Whether the user of this client can be shown a page while a call of it waits. */
  canAsk(message: Message): boolean {
    return !isModern(message) && this.id !== null && showsAddresses(this.capabilities);
  }

  end(): void {
    clearTimeout(this.idle);
    for (const request of this.inFlight.values()) if (request.kind === 'judged') request.cancel();
  }

  /** A request of the gateway's own. @throws GatewayError tool-died, too-large */
  private async request(method: string, params: Json): Promise<Message> {
    const { upstream, limits } = this.parts;
    const { version, meta } = this.speaking;
    const id = `deed-${randomUUID()}`;
    const body = utf8(
      JSON.stringify({
        ...{ jsonrpc: '2.0', id, method },
        params: { ...(params as object), ...(meta === undefined ? {} : { _meta: meta }) },
      }),
    );
    const incoming = await upstream.send({
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...(version === undefined ? {} : { 'mcp-protocol-version': version }),
        ...(meta === undefined ? {} : { 'mcp-method': method }),
        ...this.headers(),
        ...(await this.current.headers()),
      },
      body,
      signal: AbortSignal.timeout(limits.answerMs),
    });
    const whole = await wholeOf(incoming, 4 * maxLineBytes);
    const answer = messagesOf(incoming.headers['content-type'], whole).find((message) => message.id === idOf(id));
    if (answer) return answer;
    throw new GatewayError('tool-died', `the server did not answer ${method} (HTTP status ${incoming.statusCode})`);
  }
}

function messagesOf(type: string | undefined, body: Buffer): readonly Message[] {
  const texts: string[] = [];
  if (type?.startsWith('text/event-stream')) {
    new EventSplitter(({ data }) => data && texts.push(data)).push(body);
  } else texts.push(body.toString('utf8'));
  return texts.flatMap((text) => {
    try {
      return [parseMessage(utf8(text))];
    } catch (error) {
      if (error instanceof GatewayError) return [];
      throw error;
    }
  });
}

import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { type Json, sha256, toHex, utf8 } from '@deed/evidence';
import type { Answered, HeldAt } from '../call.ts';
import { idOf, type Message, valueAt } from './message.ts';

/** Whether a client shows its user an address that it is given, as it says of itself in its capabilities. */
export function showsAddresses(capabilities: Json | undefined): boolean {
  return typeof valueAt(capabilities, 'elicitation', 'url') === 'object';
}

/** What a client of either era says that it can do: at the start, or in each request. */
export function capabilitiesOf(message: Message): Json | undefined {
  return message.method === 'initialize'
    ? valueAt(message.json.value, 'params', 'capabilities')
    : valueAt(message.json.value, 'params', '_meta', 'io.modelcontextprotocol/clientCapabilities');
}

/** The request by which a client of the older era is asked to show its user the page. */
function askingRequest(id: string, held: HeldAt): string {
  const params = { ...shown(held), elicitationId: held.id };
  return JSON.stringify({ jsonrpc: '2.0', id, method: 'elicitation/create', params });
}

/** Said when what was asked for is over, whatever came of it. */
function askingIsOver(held: HeldAt): string {
  const params = { elicitationId: held.id };
  return JSON.stringify({ jsonrpc: '2.0', method: 'notifications/elicitation/complete', params });
}

/** The answer by which a client of the newer era is asked the same: it then makes its call again. */
function askingAnswer(id: string, held: HeldAt, requestState: string): string {
  const result = {
    resultType: 'input_required',
    inputRequests: { approval: { method: 'elicitation/create', params: shown(held) } },
    requestState,
  };
  return `{"jsonrpc":"2.0","id":${id},"result":${JSON.stringify(result)}}`;
}

/** What the user said, or the program in his place. It approves nothing. */
function answeredBy(result: Json | undefined): Answered {
  const action = valueAt(result, 'action');
  if (action === 'accept') return 'agreed';
  return action === 'decline' ? 'declined' : 'dismissed';
}

function shown({ id, page }: HeldAt) {
  return { mode: 'url', url: page ?? '', message: `Deed holds this call until it is approved there (${id}).` };
}

/** The questions to the user of one client of the older era, while its calls wait. */
export class Questions {
  private readonly asked = new Map<string, (said: Answered) => void>();

  /** Has the client show its user the page. */
  async ask(held: HeldAt, tell: (message: string) => Promise<void>): Promise<Answered> {
    const { promise, resolve } = Promise.withResolvers<Answered>();
    this.asked.set(idOf(nameOf(held)), resolve);
    await tell(askingRequest(nameOf(held), held));
    return promise;
  }

  /** Says that it is over, whatever came of it. */
  async over(held: HeldAt, tell: (message: string) => Promise<void>): Promise<void> {
    this.asked.delete(idOf(nameOf(held)));
    await tell(askingIsOver(held));
  }

  /** Takes the client's answer to a question of ours. False if it is to one of the server's. */
  answer(message: Message): boolean {
    const asked = this.asked.get(message.id ?? '');
    if (!asked) return false;
    this.asked.delete(message.id ?? '');
    asked(answeredBy(valueAt(message.json.value, 'result')));
    return true;
  }
}

function nameOf({ id }: HeldAt): string {
  return `deed-${id}`;
}

interface Sealed {
  readonly hold: string;
  readonly binding: string;
  readonly expiresMs: number;
}

/** What a client that makes its call again brings with it. */
export interface CameBack<First> {
  /** What goes to the server for it: the request that asked first, without what was asked here. */
  readonly first: First;
  readonly answered: Answered;
}

const prefix = 'deed1.';

/**
 * Calls that wait for people while their client was told to make them again: each with the state that it brings back, sealed
 * (AES-256-GCM) with a key that this process alone has, bound to who was given it and to the call, good until the hold ends, and once.
 */
export class HeldCalls<First> {
  private readonly key: KeyObject = createSecretKey(randomBytes(32));
  private readonly firsts = new Map<string, First>();
  private readonly now: () => number;

  constructor(now: () => number) {
    this.now = now;
  }

  /** The answer that asks the client's user to open the page. */
  give(held: HeldAt, visitor: string, message: Message, first: First): string {
    const expiresMs = Date.parse(held.expires);
    const sealed: Sealed = { hold: held.id, binding: bindingOf(visitor, message), expiresMs };
    const iv = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', this.key, iv);
    const text = Buffer.concat([cipher.update(JSON.stringify(sealed)), cipher.final()]);
    const state = prefix + Buffer.concat([iv, cipher.getAuthTag(), text]).toString('base64url');
    this.firsts.set(held.id, first);
    setTimeout(() => this.firsts.delete(held.id), Math.max(0, expiresMs - this.now())).unref();
    return askingAnswer(message.id ?? 'null', held, state);
  }

  /** Whether a request brings a state of this kind, whoever made it. */
  isOurs({ json }: Message): boolean {
    const state = valueAt(json.value, 'params', 'requestState');
    return typeof state === 'string' && state.startsWith(prefix);
  }

  /** What a request comes back for; null if its state is not for this call of this visitor, is over, or was brought before. */
  take(visitor: string, message: Message): CameBack<First> | null {
    const params = valueAt(message.json.value, 'params');
    const text = valueAt(params, 'requestState');
    const sealed = typeof text === 'string' ? this.open(text) : null;
    if (!sealed || sealed.binding !== bindingOf(visitor, message) || sealed.expiresMs <= this.now()) return null;
    const first = this.firsts.get(sealed.hold);
    this.firsts.delete(sealed.hold);
    return first === undefined ? null : { first, answered: answeredBy(valueAt(params, 'inputResponses', 'approval')) };
  }

  private open(text: string): Sealed | null {
    const bytes = Buffer.from(text.slice(prefix.length), 'base64url');
    if (bytes.length < 28) return null;
    try {
      const decipher = createDecipheriv('aes-256-gcm', this.key, bytes.subarray(0, 12));
      decipher.setAuthTag(bytes.subarray(12, 28));
      const opened = Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]);
      return JSON.parse(opened.toString('utf8')) as Sealed; // it was sealed here
    } catch {
      return null;
    }
  }
}

function bindingOf(visitor: string, { json, method }: Message): string {
  const name = valueAt(json.value, 'params', 'name') ?? valueAt(json.value, 'params', 'uri') ?? null;
  const said = JSON.stringify([visitor, method, name, json.raw('params', 'arguments') ?? null]);
  return toHex(sha256(utf8(said)));
}

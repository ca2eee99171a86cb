import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { type Json, sha256, toHex, utf8 } from '@deed/evidence';
import type { Answered, HeldAt } from '../call.ts';
import { type Message, valueAt } from './message.ts';

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
export function askingRequest(id: string, held: HeldAt): string {
  const params = { ...shown(held), elicitationId: held.id };
  return JSON.stringify({ jsonrpc: '2.0', id, method: 'elicitation/create', params });
}

/** Said when what was asked for is over, whatever came of it. */
export function askingIsOver(held: HeldAt): string {
  const params = { elicitationId: held.id };
  return JSON.stringify({ jsonrpc: '2.0', method: 'notifications/elicitation/complete', params });
}

/** The answer by which a client of the newer era is asked the same: it then makes its call again. */
export function askingAnswer(id: string, held: HeldAt, requestState: string): string {
  const result = {
    resultType: 'input_required',
    inputRequests: { approval: { method: 'elicitation/create', params: shown(held) } },
    requestState,
  };
  return `{"jsonrpc":"2.0","id":${id},"result":${JSON.stringify(result)}}`;
}

/** What the user said, or the program in his place. It approves nothing. */
export function answeredBy(result: Json | undefined): Answered {
  const action = valueAt(result, 'action');
  if (action === 'accept') return 'agreed';
  return action === 'decline' ? 'declined' : 'dismissed';
}

function shown({ id, page }: HeldAt) {
  return { mode: 'url', url: page ?? '', message: `Deed holds this call until it is approved there (${id}).` };
}

/** Whom a state was given to, and for which call. */
export interface StateOf {
  /** Who may bring it. */
  readonly visitor: string;
  readonly message: Message;
}

interface Sealed {
  readonly hold: string;
  readonly binding: string;
  readonly expiresMs: number;
}

const prefix = 'deed1.';
const maxUsed = 100_000;

/**
 * The states that clients are given to bring back with their call: sealed (AES-256-GCM) with a key that this process alone has,
 * bound to who they were given to and to the call, good until the hold ends, and once.
 */
export class RequestStates {
  private readonly key: KeyObject = createSecretKey(randomBytes(32));
  private readonly used = new Map<string, number>();
  private readonly now: () => number;

  constructor(now: () => number) {
    this.now = now;
  }

  give(held: HeldAt, of: StateOf): string {
    const sealed: Sealed = { hold: held.id, binding: bindingOf(of), expiresMs: Date.parse(held.expires) };
    const iv = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', this.key, iv);
    const text = Buffer.concat([cipher.update(JSON.stringify(sealed)), cipher.final()]);
    return prefix + Buffer.concat([iv, cipher.getAuthTag(), text]).toString('base64url');
  }

  /** Whether a request brings a state of this kind, whoever made it. */
  isOurs({ json }: Message): boolean {
    const state = valueAt(json.value, 'params', 'requestState');
    return typeof state === 'string' && state.startsWith(prefix);
  }

  /** The hold that the state of a request is for, once; null if it is not for this request, is over, or was brought before. */
  take(of: StateOf): string | null {
    const text = valueAt(of.message.json.value, 'params', 'requestState');
    const sealed = typeof text === 'string' ? this.open(text) : null;
    if (!sealed || sealed.binding !== bindingOf(of)) return null;
    for (const [hold, expiresMs] of this.used) if (expiresMs <= this.now()) this.used.delete(hold);
    if (sealed.expiresMs <= this.now() || this.used.has(sealed.hold) || this.used.size >= maxUsed) return null;
    this.used.set(sealed.hold, sealed.expiresMs);
    return sealed.hold;
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

function bindingOf({ visitor, message: { json, method } }: StateOf): string {
  const name = valueAt(json.value, 'params', 'name') ?? valueAt(json.value, 'params', 'uri') ?? null;
  const said = JSON.stringify([visitor, method, name, json.raw('params', 'arguments') ?? null]);
  return toHex(sha256(utf8(said)));
}

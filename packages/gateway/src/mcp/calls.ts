import type { IncomingHttpHeaders } from 'node:http';
import { callIdKeys } from '@deed/evidence';
import type { Acted } from '../action.ts';
import type { Answer } from '../call.ts';
import { type Trace, traceOf } from '../trace.ts';
import { type Message, stringAt, valueAt } from './message.ts';

/** How long an answer that reached nobody, or that has a name of the client's own, is kept for who asks again, in milliseconds. */
const keptMs = 60_000;
const maxKept = 10_000;

/** One judged call of a client, which may take several requests: it is one action from the first to the last. */
export interface RunningCall {
  /** The id of the request that began it, as it stands in its answer. */
  readonly id: string;
  /** Gives it its answer, wherever that came from. The first counts. */
  readonly settle: (answer: Answer) => void;
  /** What became of it; known once the outcome is durable. */
  readonly acted: Promise<Acted>;
  /** Its client is gone, or never got the answer. */
  lost: boolean;
  /** The client came back for it. */
  readonly resume: () => void;
}

/** The judged calls of one endpoint, by what makes two requests one call. */
export class RunningCalls<Call extends RunningCall> {
  private readonly calls = new Map<string, Call[]>();
  private readonly rounds = new Map<string, Call>();

  add(key: string, call: Call): void {
    this.calls.set(key, [...(this.calls.get(key) ?? []), call]);
  }

  /**
   * The call that a request asks for again: one of the same name of the client's own, or one whose answer its client never got. Any
   * other equal request is another call.
   */
  again(key: string, isNamed: boolean): Call | undefined {
    return this.calls.get(key)?.find(({ lost }) => isNamed || lost);
  }

  /** After its answer: forgotten at once, unless somebody may ask for it again. */
  ended(key: string, call: Call, isNamed: boolean): void {
    const keep = isNamed || call.lost;
    if (!keep || this.calls.size > maxKept) this.forget(key, call);
    else setTimeout(() => this.forget(key, call), keptMs).unref();
  }

  forget(key: string, call: Call): void {
    const others = (this.calls.get(key) ?? []).filter((other) => other !== call);
    if (others.length === 0) this.calls.delete(key);
    else this.calls.set(key, others);
  }

  /** The server asked for something first: the request that brings it goes on with this call. */
  awaitRound(key: string, call: Call): void {
    if (this.rounds.size >= maxKept) return;
    this.rounds.set(key, call);
    void call.acted.then(() => this.rounds.get(key) === call && this.rounds.delete(key));
  }

  /** Whether the server asked for something that was not brought yet. */
  awaits(call: Call): boolean {
    return [...this.rounds.values()].includes(call);
  }

  /** The call that a request goes on with, once. */
  takeRound(key: string): Call | undefined {
    const call = this.rounds.get(key);
    this.rounds.delete(key);
    return call;
  }
}

/** The model's own id of a call, as the client says; null without one. */
export function idOfCall(message: Message): string | null {
  return given(message)?.id ?? null;
}

/** Where its client says that it stands in a trace, in `_meta` or else in the headers of its request. */
export function traceOfMessage({ json }: Message, headers: IncomingHttpHeaders = {}): Trace | null {
  const { traceparent, tracestate } = headers;
  const meta = valueAt(json.value, 'params', '_meta');
  return traceOf(
    { traceparent: valueAt(meta, 'traceparent'), tracestate: valueAt(meta, 'tracestate') },
    { traceparent, tracestate },
  );
}

/** The name that a client gives a call of its own accord, however often it asks for it; null without one. */
export function nameOfCall(message: Message): string | null {
  const found = given(message);
  return found && `${found.key} ${found.id}`;
}

function given({ json }: Message): { readonly key: string; readonly id: string } | null {
  const meta = valueAt(json.value, 'params', '_meta');
  for (const key of callIdKeys) {
    const id = stringAt(meta, key);
    if (id !== '' && id.length <= 512) return { key, id };
  }
  return null;
}

/** What two requests have in common that ask for one call. */
export function keyOfCall(visitor: string, message: Message): string {
  return JSON.stringify([visitor, message.method, bodyOfCall(message), nameOfCall(message)]);
}

/** What a request has in common with the answer that it brings back a state of. */
export function keyOfRound(visitor: string, message: Message, state: string | null): string {
  return JSON.stringify([visitor, message.method, bodyOfCall(message), state]);
}

/** The state that an answer wants to have back; undefined if it is a final one. */
export function roundOf({ json }: Message): { readonly state: string | null } | undefined {
  if (valueAt(json.value, 'result', 'resultType') !== 'input_required') return undefined;
  const state = valueAt(json.value, 'result', 'requestState');
  return { state: typeof state === 'string' ? state : null };
}

/** Whether a request brings what a server asked for. */
export function continues({ json }: Message): { readonly state: string | null } | undefined {
  const params = valueAt(json.value, 'params');
  const [state, responses] = [valueAt(params, 'requestState'), valueAt(params, 'inputResponses')];
  if (state === undefined && responses === undefined) return undefined;
  return { state: typeof state === 'string' ? state : null };
}

function bodyOfCall({ json, method }: Message): readonly (string | null)[] {
  const name = json.raw('params', 'name') ?? json.raw('params', 'uri') ?? null;
  const whole = method === 'tools/call' || method === 'prompts/get' || method === 'resources/read';
  return [name, (whole ? json.raw('params', 'arguments') : json.raw('params')) ?? null];
}

import type { IncomingMessage } from 'node:http';
import type { Acted } from '../../action.ts';
import type { Answer, Answered, Asking, Call, HeldAt } from '../../call.ts';
import { GatewayError } from '../../errors.ts';
import { capabilitiesOf, type HeldCalls, showsAddresses } from '../asking.ts';
import {
  continues,
  idOfCall,
  keyOfCall,
  keyOfRound,
  nameOfCall,
  type RunningCall,
  RunningCalls,
  roundOf,
  traceOfMessage,
} from '../calls.ts';
import { errorReply, isModern, type Message, stringAt, valueAt } from '../message.ts';
import { acknowledges, isListening } from '../methods.ts';
import { replyTo, statusOfReply } from '../reply.ts';
import { statusOfAnswer } from '../tool-link.ts';
import { headerMismatch, parameterMismatch } from './mirrored.ts';
import type { Outlet } from './outlet.ts';
import { passAnswer } from './pass.ts';
import type { EndpointOptions, HttpSession, InFlight, Visitor } from './session.ts';
import { forwardedHeaders, returnedHeaders, type Upstream } from './upstream.ts';

/** One request for a judged call, and where its answer goes. */
export interface Asked {
  readonly request: IncomingMessage;
  readonly message: Message;
  readonly outlet: Outlet;
  readonly visitor: Visitor;
  readonly session: HttpSession;
}

/** What goes to the server for a call: the request that asked for it, or the one that first did. */
interface Outgoing {
  readonly request: IncomingMessage;
  readonly message: Message;
}

/** What the user of the client was asked while the call waited. */
interface Question {
  held: HeldAt | null;
}

/** An answer that is no stream. */
interface Whole {
  readonly status: number;
  readonly bytes: Uint8Array;
  readonly message: Message | null;
}

interface Running extends RunningCall {
  readonly visitor: string;
  /** The server took another request for it. */
  readonly more: () => void;
}

const unknown: Answer = { status: 'unknown', bytes: null };

/** The judged calls of one endpoint, from their first request to their answer. */
export class JudgedCalls {
  private readonly options: EndpointOptions;
  private readonly upstream: Upstream;
  private readonly held: HeldCalls<Outgoing>;
  private readonly calls = new RunningCalls<Running>();
  private readonly acting = new Map<Promise<Acted>, () => void>();

  constructor(options: EndpointOptions, upstream: Upstream, held: HeldCalls<Outgoing>) {
    this.options = options;
    this.upstream = upstream;
    this.held = held;
  }

  /** Takes a request to its answer. @throws DeedError for who may not ask */
  async judge(asked: Asked): Promise<void> {
    const { message, outlet, visitor, request } = asked;
    if (isModern(message) && message.method === 'tools/call') {
      const mismatch = await this.mirrored(asked);
      if (mismatch) return outlet.finish(errorReply(message.id, headerMismatch, mismatch, 'message'), 400);
    }
    if (this.held.isOurs(message)) return this.comeBack(asked);
    const round = continues(message);
    const begun = round && this.calls.takeRound(keyOfRound(visitor.key, message, round.state));
    if (begun) {
      await this.options.walk.join(await visitor.caller(message.line));
      return this.goOn(asked, begun);
    }
    const again = this.calls.again(keyOfCall(visitor.key, message), nameOfCall(message) !== null);
    if (again) {
      await this.options.walk.join(await visitor.caller(message.line));
      again.resume();
      return this.reply(asked, await again.acted);
    }
    return this.begin(asked, { request, message });
  }

  /** Held calls end; what was sent on may still be answered for a moment. */
  async close(): Promise<void> {
    for (const cancel of this.acting.values()) cancel();
    await Promise.all(this.acting.keys());
  }

  /** A client brings back the state that it was given for a call that waits for people. */
  private async comeBack(asked: Asked): Promise<void> {
    const { message, outlet, visitor } = asked;
    await visitor.check(message.line);
    const back = this.held.take(visitor.key, message);
    if (!back) {
      const text = 'the requestState is not of this call, is over, or was brought before: make the call without it';
      return outlet.finish(errorReply(message.id, -32602, text, 'held'), 400);
    }
    return this.begin(asked, back.first, back.answered);
  }

  /** One action: from here to its outcome. */
  private async begin(asked: Asked, outgoing: Outgoing, answered?: Answered): Promise<void> {
    const { message, outlet, visitor, session } = asked;
    const key = keyOfCall(visitor.key, message);
    const isNamed = nameOfCall(message) !== null;
    const gone = new AbortController();
    const question: Question = { held: null };
    const way = this.way(asked, outgoing, gone.signal, question);
    const caller = await visitor.caller(message.line);
    const ask = this.asking(asked, question);
    const call = this.call(asked, caller, way.dispatch, gone.signal);
    const acted = this.options.walk.act({ ...call, ask, answered });
    const running: Running = { ...way, id: message.id ?? '', visitor: visitor.key, acted, lost: false };
    way.begun(running);
    this.calls.add(key, running);
    this.acting.set(acted, () => gone.abort());
    const inFlight: InFlight = {
      kind: 'judged',
      cancel: () => gone.abort(),
      settle: (answer, from) => this.settle(asked, running, answer, from),
    };
    // The server answers what it was sent, which may be an earlier request.
    const ids = new Set([message.id ?? '', outgoing.message.id ?? '']);
    for (const id of ids) session.inFlight.set(id, inFlight);
    outlet.onEnd((lost) => {
      running.lost = lost;
      // In the newer era a client that closes its stream cancels; in the older one it may come back.
      if (lost && isModern(message)) gone.abort();
      void acted.finally(() => this.calls.ended(key, running, isNamed)).catch(() => {});
    });
    try {
      await this.reply(asked, await acted, outgoing);
    } finally {
      this.acting.delete(acted);
      for (const id of ids) session.inFlight.delete(id);
    }
  }

  /** A further request of a call for which the server asked for something. */
  private async goOn(asked: Asked, running: Running): Promise<void> {
    const { message, session, outlet } = asked;
    running.more();
    session.inFlight.set(message.id ?? '', {
      kind: 'judged',
      cancel: () => {},
      settle: (answer, from) => this.settle(asked, running, answer, from),
    });
    outlet.onEnd((lost) => {
      running.lost = lost;
    });
    try {
      await this.exchange(asked, { request: asked.request, message }, running, new AbortController().signal);
      if (!outlet.isOver) await this.reply(asked, await running.acted);
    } finally {
      session.inFlight.delete(message.id ?? '');
    }
  }

  /** How the call reaches the server, and how what comes back ends it. */
  private way(asked: Asked, outgoing: Outgoing, signal: AbortSignal, question: Question) {
    const { limits } = this.options;
    const { promise, resolve } = Promise.withResolvers<Answer>();
    const stop = new AbortController();
    let running: Running | undefined;
    let timer: NodeJS.Timeout | undefined;
    const end = (answer: Answer) => {
      clearTimeout(timer);
      resolve(answer);
    };
    const within = (ms: number) => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        end(unknown);
        stop.abort();
      }, ms);
    };
    return {
      begun: (one: Running) => {
        running = one;
      },
      settle: end,
      more: () => within(limits.answerMs),
      resume: () => within(limits.answerMs),
      dispatch: async (): Promise<Answer> => {
        within(limits.answerMs);
        // A client that lost its stream has a moment to come back for the answer.
        const shorten = () => within(limits.cancelMs);
        signal.addEventListener('abort', shorten, { once: true });
        if (signal.aborted) shorten();
        if (question.held) await asked.session.questions.over(question.held, (text) => asked.outlet.tell(text));
        if (running) void this.exchange(asked, outgoing, running, stop.signal);
        return promise.finally(() => signal.removeEventListener('abort', shorten));
      },
    };
  }

  /** Sends one request on and passes what comes back. It does not throw: what did not come back is unknown. */
  private async exchange(asked: Asked, outgoing: Outgoing, running: Running, signal: AbortSignal): Promise<void> {
    const { session, outlet, visitor } = asked;
    const { log } = this.options;
    try {
      const headers = {
        ...forwardedHeaders(outgoing.request.headers),
        ...session.headers(),
        ...(await visitor.headers()),
      };
      const body = outgoing.message.line;
      const incoming = await this.upstream.send({ method: 'POST', headers, body, signal });
      const returned = { ...returnedHeaders(incoming.headers), ...session.returned() };
      const { resumable } = await passAnswer(incoming, outlet, session, returned, {
        log,
        onAnswer: () => {},
        onNotification: async (message) => {
          if (isListening(asked.message) && acknowledges(message)) {
            running.settle({ status: 'ok', bytes: message.line });
            await running.acted;
          }
        },
        onWhole: (status, bytes, message) => this.whole(asked, outgoing, running, { status, bytes, message }),
      });
      if (resumable && session.id !== null) return; // the answer comes on the stream by which the client goes on
    } catch (error) {
      log(`a call was not answered: ${(error as Error).message}`);
    }
    if (!this.calls.awaits(running)) running.settle(unknown);
  }

  /** The first answer ends the call and goes on once its outcome is recorded. */
  private async settle(asked: Asked, running: Running, answer: Answer, from: Message): Promise<boolean> {
    const round = isModern(asked.message) ? roundOf(from) : undefined;
    if (round) {
      this.calls.awaitRound(keyOfRound(running.visitor, asked.message, round.state), running);
      if (from.id === asked.message.id) return true;
      asked.outlet.finish(replyTo(asked.message, { kind: 'answered', answer }));
      return false;
    }
    running.settle(answer);
    const acted = await running.acted;
    if (acted.kind !== 'answered') return false;
    if (acted.answer.bytes !== answer.bytes) {
      if (isListening(asked.message)) return true; // its outcome was that it began
      this.options.log('a second answer to a call was dropped');
      return false;
    }
    if (from.id === asked.message.id) return true;
    await this.reply(asked, acted);
    return false;
  }

  /** An answer that is no stream: a message, or only a status. True if it goes on as it is. */
  private whole(
    asked: Asked,
    outgoing: Outgoing,
    running: Running,
    { status, bytes, message }: Whole,
  ): Promise<boolean> | boolean {
    if (message?.kind === 'response' && message.id === outgoing.message.id) {
      return this.settle(asked, running, { status: statusOfAnswer(message), bytes: message.line }, message);
    }
    const refused = status >= 400 && status < 500;
    const answer: Answer = refused ? { status: 'error', bytes: bytes.length === 0 ? null : bytes } : unknown;
    running.settle(answer);
    return running.acted.then(() => refused && status !== 401 && status !== 403);
  }

  /** Says what came of a call to a client that was not told yet. */
  private async reply({ message, outlet, session, visitor }: Asked, acted: Acted, outgoing?: Outgoing): Promise<void> {
    if (acted.kind === 'held' && outgoing) {
      if (acted.ask) return outlet.finish(this.held.give(acted.hold, visitor.key, message, outgoing));
      if (outlet.isStream) await session.questions.over(acted.hold, (text) => outlet.tell(text));
    }
    if (acted.kind === 'answered' && acted.answer.bytes && outgoing?.message === message) return; // it passed as it came
    outlet.finish(replyTo(message, acted), statusOfReply(message, acted));
  }

  private call(
    { request, message, visitor, session }: Asked,
    caller: Awaited<ReturnType<Visitor['caller']>>,
    dispatch: () => Promise<Answer>,
    signal: AbortSignal,
  ): Call {
    const { tool, pins } = this.options;
    const method = message.method ?? '';
    const isCall = method === 'tools/call';
    const path = isCall ? ['params', 'arguments'] : ['params'];
    const name = isCall ? stringAt(message.json.value, 'params', 'name') : method;
    session.speaks(message, request.headers['mcp-protocol-version']?.toString());
    session.speaksFor(visitor);
    return {
      ...{ caller, task: visitor.task, method, tool, name, relay: null, signal, dispatch },
      toolCallId: idOfCall(message),
      trace: traceOfMessage(message, request.headers),
      arguments: { raw: message.json.raw(...path) ?? '{}', value: valueAt(message.json.value, ...path) ?? {} },
      definition: async () => {
        if (!isCall) return null;
        const definition = await session.catalogue.find(name);
        pins.check(tool, definition);
        return definition;
      },
    };
  }

  private asking({ request, message, outlet, session }: Asked, question: Question): Asking | undefined {
    if (message.method !== 'tools/call') return undefined;
    if (isModern(message)) return showsAddresses(capabilitiesOf(message)) ? { kind: 'in-answer' } : undefined;
    const streams = request.headers.accept?.includes('text/event-stream');
    if (!streams || !session.canAsk(message)) return undefined;
    const ask = (held: HeldAt) => {
      question.held = held;
      return session.questions.ask(held, (text) => outlet.tell(text));
    };
    return { kind: 'now', ask };
  }

  /** The parameters that the tool wants repeated in headers; checked before anything is judged. */
  private async mirrored({ request, message, session, visitor }: Asked): Promise<string | null> {
    await visitor.check(message.line);
    session.speaks(message);
    session.speaksFor(visitor);
    const name = stringAt(message.json.value, 'params', 'name');
    try {
      await session.catalogue.find(name);
    } catch (error) {
      if (error instanceof GatewayError) return null; // the walk says so, and records it
      throw error;
    }
    return parameterMismatch(request.headers, message, session.catalogue.mirrored(name));
  }
}

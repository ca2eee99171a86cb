import type { Caller } from '@deed/authority';
import { DeedError, type Json } from '@deed/evidence';
import type { Acted, Walk } from '../action.ts';
import type { Answer, Asking, Call, HeldAt } from '../call.ts';
import { GatewayError } from '../errors.ts';
import type { RelaySession } from '../git/relay.ts';
import type { Pins } from '../tools/pins.ts';
import type { Tool } from '../tools/registry.ts';
import { capabilitiesOf, HeldCalls, Questions, showsAddresses } from './asking.ts';
import { continues, idOfCall, keyOfRound, roundOf, traceOfMessage } from './calls.ts';
import { Catalogue } from './catalogue.ts';
import { LineSplitter } from './lines.ts';
import {
  errorReply,
  idOf,
  isModern,
  type Message,
  maxLineBytes,
  parseMessage,
  stringAt,
  valueAt,
  withoutProgress,
} from './message.ts';
import { isJudged } from './methods.ts';
import { replyTo } from './reply.ts';
import { type LinkLimits, ToolLink } from './tool-link.ts';

/** What a session's tool is started with. */
export interface Surroundings {
  /** The task's way to its forge. */
  readonly relay: RelaySession | null;
  /** The task's credential, for the tool's process alone: nothing here tells it to the client. */
  readonly env: Readonly<Record<string, string>>;
}

export interface SessionOptions {
  readonly tool: Tool;
  /** The task that the session acts in; null for an implicit one. */
  readonly task: string | null;
  readonly walk: Walk;
  readonly pins: Pins;
  readonly limits: LinkLimits;
  /** Who speaks: from the header line before each message, and the message's exact bytes. Opens the implicit task if need be. */
  readonly caller: (header: string, body: Uint8Array) => Promise<Caller>;
  /** Called once, before the tool starts: checks the first message's caller and gives what the tool needs. */
  readonly begin: (header: string, body: Uint8Array) => Promise<Surroundings>;
  /** Whether the session's task is open. A closed one starts no tool and passes nothing. */
  readonly isOpen: () => boolean;
  /** After the tool ended. */
  readonly end: () => Promise<void>;
  readonly reply: (bytes: Uint8Array | string) => void;
  /** Shows the client's user a line that the tool wrote to its stderr. */
  readonly stderr: (line: Uint8Array) => void;
  readonly hangUp: () => void;
  readonly log: (text: string) => void;
}

/** A request of the client that has no answer yet. `judged`: only the walk may answer it. */
interface InFlight {
  readonly method: string;
  readonly controller: AbortController;
  readonly judged: boolean;
}

interface RunningTool {
  readonly link: ToolLink;
  readonly catalogue: Catalogue;
}

/**
 * One client's connection to one tool process. The shim sends two lines for each message: who speaks (token and proof, or
 * `-`), and the message as the client wrote it. What the protocol does not ask to judge passes byte for byte.
 */
export class McpSession {
  private readonly options: SessionOptions;
  private readonly splitter: LineSplitter;
  private readonly inFlight = new Map<string, InFlight>();
  private header: string | null = null;
  private beginning: Promise<Surroundings> | undefined;
  private running: RunningTool | undefined;
  private queue: Promise<void> = Promise.resolve();
  private readonly acting = new Set<Promise<void>>();
  /** What the client said at the start that it can do, and what it is asked while calls wait. */
  private capabilities: Json | undefined;
  /** What each request of a client of the newer era says of itself: what is asked on its behalf says the same. */
  private speaking: { readonly _meta?: Json } = {};
  private readonly questions = new Questions();
  private readonly held = new HeldCalls<Message>(Date.now);
  private readonly rounds = new Map<string, (next: Message) => void>();
  private closed = false;

  constructor(options: SessionOptions) {
    this.options = options;
    this.splitter = new LineSplitter(
      maxLineBytes,
      (line) => this.line(line),
      () => this.tooLong(),
    );
  }

  /** Bytes from the shim. */
  receive(chunk: Uint8Array): void {
    this.splitter.push(chunk);
  }

  /** The client went away: held calls end, dispatched ones may still answer for a moment, the tool is stopped. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    for (const { controller } of this.inFlight.values()) controller.abort();
    await this.queue;
    await Promise.all(this.acting);
    await this.running?.link.stop();
    const around = await this.beginning?.catch(() => undefined);
    around?.relay?.close();
    await this.options.end();
  }

  /** The task is closed: what is under way ends, then the tool's process with the credential that it was given. */
  async retire(): Promise<void> {
    await Promise.all(this.acting);
    await this.running?.link.stop();
  }

  private line(line: Uint8Array): void {
    if (this.header === null) {
      this.header = Buffer.from(line).toString('latin1');
      return;
    }
    const header = this.header;
    this.header = null;
    this.queue = this.queue.then(() => this.message(header, line)).catch((error: unknown) => this.fail(error));
  }

  private tooLong(): void {
    this.header = this.header === null ? '' : null;
    this.options.reply(errorReply(null, -32600, `a message above ${maxLineBytes} bytes is not accepted`, 'too-large'));
  }

  private fail(error: unknown): void {
    this.options.log(`session ended: ${error instanceof Error ? error.message : String(error)}`);
    this.options.hangUp();
  }

  /** Messages are taken one after the other, so that what the client sent first reaches the tool first. */
  private async message(header: string, line: Uint8Array): Promise<void> {
    let message: Message;
    try {
      message = parseMessage(line);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      return this.options.reply(errorReply(null, -32700, error.message, error.code));
    }
    if (message.kind === 'request' && this.inFlight.has(message.id ?? '')) {
      return this.options.reply(errorReply(message.id, -32600, 'this id is still in flight', 'duplicate-id'));
    }
    let around: Surroundings;
    try {
      this.beginning ??= this.options.begin(header, line);
      around = await this.beginning;
    } catch (error) {
      this.beginning = undefined;
      const { message: text, code } = error as Error & { code?: string };
      return this.options.reply(errorReply(message.id, -32001, text, code ?? 'tool-died'));
    }
    const judged = isJudged(message);
    if (message.kind === 'request' && judged) return this.decide(around, header, message);
    if (message.kind === 'notification' && judged) {
      return this.options.log(`notification ${message.method} is not of the protocol and was dropped`);
    }
    if (message.kind === 'response' && this.questions.answer(message)) return;
    if (message.method === 'initialize') this.capabilities = capabilitiesOf(message);
    if (this.options.isOpen()) return this.pass(around, message);
    if (message.kind === 'request')
      this.options.reply(errorReply(message.id, -32001, 'the task is no longer open', 'task-closed'));
  }

  /** The tool's process, started when it is first needed. */
  private tool(around: Surroundings): RunningTool {
    this.running ??= this.start(around);
    return this.running;
  }

  private start(around: Surroundings): RunningTool {
    const { tool, pins, limits, log, stderr } = this.options;
    const link = new ToolLink(
      tool,
      { ...around.env, ...around.relay?.gitEnv },
      { pass: (message) => this.fromTool(message), ended: (reason) => this.toolEnded(reason), log, stderr },
      limits,
    );
    const catalogue = new Catalogue(
      (method, params) => link.request(method, { ...(params as object), ...this.speaking }),
      (definition) => pins.see(tool, definition),
    );
    return { link, catalogue };
  }

  private pass(around: Surroundings, message: Message): void {
    if (message.method === 'notifications/cancelled') this.inFlight.get(cancelledId(message))?.controller.abort();
    if (message.kind === 'request')
      this.inFlight.set(message.id ?? '', {
        method: message.method ?? '',
        controller: new AbortController(),
        judged: false,
      });
    this.tool(around).link.send(message.line);
  }

  /** Starts the walk of one call; later messages do not wait for it. */
  private decide(around: Surroundings, header: string, message: Message): void {
    const controller = new AbortController();
    const id = message.id ?? '';
    this.inFlight.set(id, { method: message.method ?? '', controller, judged: true });
    const acting = this.act(around, header, message, controller.signal)
      .catch((error: unknown) => this.fail(error))
      .finally(() => {
        this.inFlight.delete(id);
        this.acting.delete(acting);
      });
    this.acting.add(acting);
  }

  private async act(around: Surroundings, header: string, message: Message, signal: AbortSignal): Promise<void> {
    const { tool, task, walk, pins, caller } = this.options;
    const method = message.method ?? '';
    const isCall = method === 'tools/call';
    const path = isCall ? ['params', 'arguments'] : ['params'];
    const name = isCall ? stringAt(message.json.value, 'params', 'name') : method;
    let from: Caller;
    try {
      from = await caller(header, message.line);
    } catch (error) {
      if (!(error instanceof DeedError)) throw error;
      return this.options.reply(`${replyTo(message, { kind: 'refused', code: error.code, message: error.message })}\n`);
    }
    const round = continues(message);
    const goOn = round && this.rounds.get(keyOfRound('', message, round.state));
    if (goOn) {
      await walk.join(from);
      return goOn(message);
    }
    const back = this.held.isOurs(message) ? this.held.take('', message) : undefined;
    if (back === null) {
      const text = 'the requestState is not of this call, is over, or was brought before: make the call without it';
      return this.options.reply(errorReply(message.id, -32602, text, 'held'));
    }
    if (isModern(message)) this.speaking = { _meta: withoutProgress(message) };
    const way = this.way(around, message, back?.first ?? message, signal);
    const question: { held: HeldAt | null } = { held: null };
    const call: Call = {
      caller: from,
      task,
      method,
      tool,
      name,
      definition: async () => {
        if (!isCall) return null;
        const definition = await this.tool(around).catalogue.find(name);
        pins.check(tool, definition);
        return definition;
      },
      arguments: { raw: message.json.raw(...path) ?? '{}', value: valueAt(message.json.value, ...path) ?? {} },
      relay: around.relay,
      signal,
      toolCallId: idOfCall(message),
      trace: traceOfMessage(message),
      ask: this.asking(message, question),
      answered: back?.answered,
      dispatch: way.dispatch,
    };
    const acted = await walk.act(call);
    if (question.held) await this.questions.over(question.held, this.tell);
    if (this.closed || (signal.aborted && acted.kind !== 'answered')) return;
    if (acted.kind === 'held' && acted.ask) this.options.reply(`${this.held.give(acted.hold, '', message, message)}\n`);
    else this.options.reply(way.lineOf(acted));
  }

  /** How a call reaches the tool, and in answer to which request it is answered: the newest of those that it took. */
  private way(around: Surroundings, asked: Message, first: Message, signal: AbortSignal) {
    let [newest, sent] = [asked, first];
    const dispatch = async (): Promise<Answer> => {
      const { link } = this.tool(around);
      for (;;) {
        const answer = await link.call(sent, signal);
        const round = answer.bytes && isModern(sent) ? roundOf(parseMessage(answer.bytes)) : undefined;
        if (!round || !answer.bytes) return answer;
        this.options.reply(lineOf(newest, sent, { kind: 'answered', answer }));
        const next = await this.nextRound(keyOfRound('', asked, round.state), signal);
        if (!next) return { status: 'unknown', bytes: null };
        [newest, sent] = [next, next];
      }
    };
    return { dispatch, lineOf: (acted: Acted) => lineOf(newest, sent, acted) };
  }

  /** The request that brings what the tool asked for; null if none comes. */
  private async nextRound(key: string, signal: AbortSignal): Promise<Message | null> {
    const { promise, resolve } = Promise.withResolvers<Message | null>();
    const give = () => resolve(null);
    const timer = setTimeout(give, this.options.limits.answerMs);
    signal.addEventListener('abort', give, { once: true });
    this.rounds.set(key, resolve);
    const next = await promise;
    clearTimeout(timer);
    signal.removeEventListener('abort', give);
    this.rounds.delete(key);
    return next;
  }

  private asking(message: Message, question: { held: HeldAt | null }): Asking | undefined {
    if (message.method !== 'tools/call') return undefined;
    if (isModern(message)) return showsAddresses(capabilitiesOf(message)) ? { kind: 'in-answer' } : undefined;
    if (!showsAddresses(this.capabilities)) return undefined;
    const ask = (held: HeldAt) => {
      question.held = held;
      return this.questions.ask(held, this.tell);
    };
    return { kind: 'now', ask };
  }

  private readonly tell = async (text: string): Promise<void> => {
    if (!this.closed) this.options.reply(`${text}\n`);
  };

  private fromTool(message: Message): void {
    if (message.method === 'notifications/tools/list_changed') {
      this.running?.catalogue.invalidate();
    }
    if (message.kind === 'response' && message.id !== null) {
      const request = this.inFlight.get(message.id);
      // A second or late answer is not the one that is recorded; one to a call that was not dispatched is made up.
      if (!request || request.judged) {
        this.options.log('an answer that nobody waits for was dropped');
        return;
      }
      this.inFlight.delete(message.id);
      if (request.method === 'tools/list') {
        this.readList(message);
      }
    }
    if (!this.closed) this.options.reply(Buffer.concat([message.line, Buffer.from('\n')]));
  }

  /** A ledger that cannot write pins nothing: whoever calls a tool is told. */
  private readList(message: Message): void {
    try {
      this.running?.catalogue.read(message);
    } catch (error) {
      this.options.log(`the tools were not pinned: ${(error as Error).message}`);
    }
  }

  private toolEnded(reason: string): void {
    if (this.closed) return;
    this.options.log(`the tool ${reason}`);
    void Promise.all(this.acting).then(() => this.options.hangUp());
  }
}

/** The tool's own bytes where it answered this very request, whatever they look like. */
function lineOf(message: Message, sent: Message, acted: Acted): Uint8Array | string {
  const bytes = acted.kind === 'answered' ? acted.answer.bytes : null;
  if (bytes && message === sent) return Buffer.concat([bytes, Buffer.from('\n')]);
  return `${replyTo(message, acted)}\n`;
}

/** The id that a cancel names, as requests are kept. */
function cancelledId(message: Message): string {
  const id = valueAt(message.json.value, 'params', 'requestId');
  return typeof id === 'string' || typeof id === 'number' ? idOf(id) : '';
}

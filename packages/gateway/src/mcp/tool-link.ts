import { randomBytes } from 'node:crypto';
import { type Json, utf8 } from '@deed/evidence';
import type { Answer } from '../call.ts';
import { GatewayError } from '../errors.ts';
import { filledHeaders } from '../tools/placeholders.ts';
import { ToolProcess } from '../tools/process.ts';
import type { Tool } from '../tools/registry.ts';
import { stderrLines } from '../tools/stderr.ts';
import { HttpCarrier } from './http/carrier.ts';
import { errorReply, type Message, parseMessage } from './message.ts';

/** Longest that a tool may take to answer, and how long after a cancel its answer still counts, in milliseconds. */
export interface LinkLimits {
  readonly answerMs: number;
  readonly cancelMs: number;
}

export const defaultLinkLimits: LinkLimits = { answerMs: 600_000, cancelMs: 5_000 };

export interface LinkEvents {
  /** A line that nobody here waits for: it goes to the client byte for byte. */
  readonly pass: (message: Message) => void;
  readonly ended: (reason: string) => void;
  readonly log: (text: string) => void;
  /** A line of its process's stderr, without its secrets. */
  readonly stderr: (line: Uint8Array) => void;
}

/** The server's side of one tool process: sends lines, and gives each answer to whoever waits for its id. */
export class ToolLink {
  private readonly waiting = new Map<string, (answer: Message | null) => void>();
  private readonly carrier: Pick<ToolProcess, 'send' | 'stop'>;
  private readonly limits: LinkLimits;
  private readonly prefix = `deed-${randomBytes(8).toString('hex')}`;
  private counter = 0;
  private endReason: string | null = null;

  constructor(tool: Tool, env: Readonly<Record<string, string>>, events: LinkEvents, limits: LinkLimits) {
    this.limits = limits;
    const line = (bytes: Uint8Array) => this.receive(bytes, events);
    const end = (reason: string) => {
      this.endReason = reason;
      for (const answer of this.waiting.values()) answer(null);
      this.waiting.clear();
      events.ended(reason);
    };
    const unanswered = (id: string) => {
      const waiter = this.waiting.get(id);
      if (waiter) waiter(null);
      else events.pass(parseMessage(utf8(errorReply(id, -32001, 'the server did not answer', 'tool-died').trimEnd())));
    };
    this.carrier =
      tool.url === null
        ? new ToolProcess(tool, env, {
            line,
            tooLong: () => events.log(`${tool.name}: a line above the limit was dropped`),
            stderr: stderrLines({ ...tool.env, ...env }, events.stderr), // may hold arguments: shown, not kept
            end,
          })
        : new HttpCarrier(tool, filledHeaders(tool, env), { line, end, unanswered });
  }

  send(line: Uint8Array): void {
    this.carrier.send(line);
  }

  /** Sends a decided request and waits for its answer, its end, or the caller's leaving. */
  async call(message: Message, signal: AbortSignal): Promise<Answer> {
    const answer = await this.ask(message.id ?? '', message.line, signal);
    if (!answer) return { status: 'unknown', bytes: null };
    return { status: statusOfAnswer(answer), bytes: answer.line };
  }

  /** A request of the gateway's own. @throws GatewayError tool-died */
  async request(method: string, params: Json): Promise<Message> {
    const id = JSON.stringify(`${this.prefix}-${++this.counter}`);
    const line = utf8(
      `{"jsonrpc":"2.0","id":${id},"method":${JSON.stringify(method)},"params":${JSON.stringify(params)}}`,
    );
    const answer = await this.ask(id, line, AbortSignal.timeout(this.limits.answerMs));
    if (!answer)
      throw new GatewayError(
        'tool-died',
        `the tool did not answer ${method}${this.endReason ? `: it ${this.endReason}` : ''}`,
      );
    return answer;
  }

  async stop(): Promise<void> {
    await this.carrier.stop();
  }

  private ask(id: string, line: Uint8Array, signal: AbortSignal): Promise<Message | null> {
    if (this.endReason !== null) return Promise.resolve(null);
    return new Promise((resolve) => {
      const finish = (answer: Message | null) => {
        clearTimeout(timer);
        signal.removeEventListener('abort', shorten);
        this.waiting.delete(id);
        resolve(answer);
      };
      let timer = setTimeout(() => finish(null), this.limits.answerMs);
      const shorten = () => {
        clearTimeout(timer);
        timer = setTimeout(() => finish(null), this.limits.cancelMs);
      };
      signal.addEventListener('abort', shorten, { once: true });
      if (signal.aborted) shorten();
      this.waiting.set(id, finish);
      this.carrier.send(line);
    });
  }

  private receive(line: Uint8Array, events: LinkEvents): void {
    let message: Message;
    try {
      message = parseMessage(line);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      events.log(`a line of the tool that is no message was dropped: ${error.message}`);
      return;
    }
    const waiter = message.kind === 'response' && message.id !== null ? this.waiting.get(message.id) : undefined;
    if (waiter) waiter(message);
    else events.pass(message);
  }
}

/** What an answer to a request says of itself: a tool's own error is one too. */
export function statusOfAnswer({ json }: Message): 'ok' | 'error' {
  return isError(json.value) ? 'error' : 'ok';
}

function isError(value: Json): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return true;
  const { error, result } = value as Readonly<Record<string, Json>>;
  if (error !== undefined) return true;
  return typeof result === 'object' && result !== null && 'isError' in result && result.isError === true;
}

import type { Authority, TokenCaller } from '@deed/authority';
import { fromUtf8, sha256, toHex, utf8 } from '@deed/evidence';
import type { Ledger, Recorded } from '@deed/ledger';
import type { Acted, Walk } from '../action.ts';
import type { HeldAt } from '../call.ts';
import { GatewayError } from '../errors.ts';
import type { Prompts } from '../model/prompts.ts';
import { beginOwn } from '../own-calls.ts';
import { definitionOf, type Pins } from '../tools/pins.ts';
import type { Tool, ToolRegistry } from '../tools/registry.ts';
import { claimedTrace, traceHeaders, traceOf } from '../trace.ts';
import { type ActionState, type ServiceResponse, stateOf } from './action-state.ts';
import type { CloseAsks } from './close-asks.ts';
import type { KeyedActions, KeyHolder } from './keyed-actions.ts';
import { argumentsOf, type Read, readRequest } from './requests.ts';
import { serviceCall } from './service.ts';

/** Token and proof of a request, as they stand in its headers. */
export type Shown = Pick<TokenCaller, 'token' | 'proof'>;

export interface ApiDeskOptions {
  readonly authority: Authority;
  readonly ledger: Ledger;
  readonly walk: Walk;
  readonly pins: Pins;
  readonly tools: ToolRegistry;
  readonly keyed: KeyedActions;
  readonly closeAsks: CloseAsks;
  readonly now: () => number;
  readonly prompts?: Pick<Prompts, 'cite'>;
  /** How long a service may take to answer, in milliseconds. */
  readonly answerMs: number;
  /** What requests to a service carry in this task: the credential. @throws GatewayError credential */
  readonly headers: (tool: Tool, task: string) => Readonly<Record<string, string>>;
}

/** What a caller is told. */
export type ApiAnswer =
  | ({ readonly kind: 'state' } & ActionState)
  | { readonly kind: 'held'; readonly action: string; readonly hold: HeldAt }
  | { readonly kind: 'refused'; readonly action: string; readonly code: string; readonly message: string };

/** The type of a result that the agent told of a call that it made itself: token, proof and message. */
const toldType = 'application/vnd.deed.told+json';
/** Most names that callers' own tools may have: each is a statement when it is first seen. */
const maxTools = 2_000;
/** Most calls of callers' own that wait for their result, and most refusals that are remembered for who asks later. */
const maxOpen = 10_000;

/** How long the keys of a closed task are kept, in milliseconds. */
const forgetMs = 60_000;

/** A call that its caller makes itself, and tells of until it expires. */
interface Open {
  readonly intent: Recorded;
  readonly expires: number;
  readonly timer: NodeJS.Timeout;
}

/**
 * Where agents in any language ask by signed requests: for leave to make a call themselves, or that the gateway makes it. What a caller
 * says of its own calls is its word: recorded as `self-reported`, and never above tier record.
 */
export class ApiDesk {
  private readonly options: ApiDeskOptions;
  private readonly running = new Map<string, Promise<ApiAnswer>>();
  private readonly open = new Map<string, Open>();
  private readonly refused = new Map<string, ApiAnswer>();
  private readonly tools = new Set<string>();
  private readonly listeners = new Set<() => void>();
  private readonly stops: readonly (() => void)[];
  private stopped = false;

  constructor(options: ApiDeskOptions) {
    this.options = options;
    const { tasks, approvals } = options.authority;
    const forget = (task: string) => {
      options.keyed.forget(task);
      options.closeAsks.forget(task);
    };
    for (const task of options.keyed.tasks()) if (!tasks.isOpen(task)) forget(task);
    // Not before it is certain that the task stays closed.
    const later = (task: string) => void setTimeout(() => this.stopped || forget(task), forgetMs).unref();
    this.stops = [tasks.onClose(later), approvals.onChange(() => this.changed())];
  }

  /** Asks for leave to make a call; what it answers is durable. @throws DeedError */
  async act(shown: Shown, body: Uint8Array): Promise<ApiAnswer> {
    const read = readRequest('act', body);
    return this.once(shown, body, read, (action) => this.begin(callerOf(shown, body), read, action));
  }

  /** Has the gateway call a registered service. @param patienceMs how long it waits for people @throws DeedError */
  async execute(shown: Shown, body: Uint8Array, patienceMs: number): Promise<ApiAnswer> {
    const read = readRequest('execute', body);
    return this.once(shown, body, read, (action, { task }) =>
      this.perform(callerOf(shown, body), read, { action, task, patienceMs }),
    );
  }

  /** Records what came of a call that the agent made itself. @throws DeedError */
  async result(shown: Shown, body: Uint8Array, action: string): Promise<ApiAnswer> {
    const { fields } = readRequest('result', body);
    const { actions } = this.options.authority;
    const { task } = actions.authenticate(callerOf(shown, body));
    const begun = actions.begun(task, action);
    if (fields.action !== action || begun?.observed !== 'self-reported')
      throw new GatewayError('unknown-action', `this task has no action ${action} that the caller makes itself`);
    const isOver = begun.ended !== null && (begun.status !== 'unknown' || begun.settled);
    if (isOver && begun.status !== fields.status)
      throw new GatewayError('ended', `${action} ended before, as ${begun.status ?? 'refused'}`);
    if (!isOver) {
      const told = { v: 1, token: shown.token, proof: shown.proof, message: fromUtf8(body) };
      const result = { bytes: utf8(JSON.stringify(told)), type: toldType };
      this.told(action);
      await actions.conclude(begun, { status: fields.status, result }).durable;
      this.changed();
    }
    return this.now(task, action);
  }

  /** How it stands with an action, once that is another than it was or after so long a wait. @throws DeedError */
  async state(shown: Shown, message: Uint8Array, action: string, waitMs: number): Promise<ApiAnswer> {
    const { authority, keyed } = this.options;
    const { task } = authority.actions.authenticate(callerOf(shown, message));
    if (
      !keyed.has(task, action) &&
      !authority.actions.begun(task, action) &&
      !this.refused.has(refusalKey(task, action))
    )
      throw new GatewayError('unknown-action', `this task has no action ${action}`);
    const outlook = () => {
      const { kind, ...rest } = this.now(task, action);
      return `${kind} ${'state' in rest ? rest.state : ''}`;
    };
    const [before, until] = [outlook(), performance.now() + waitMs];
    while (outlook() === before && performance.now() < until) await this.change(until - performance.now());
    return this.now(task, action);
  }

  /** Asks for the task to be closed: its principal or an operator does it. @returns since when @throws DeedError */
  async askToClose(shown: Shown, body: Uint8Array, task: string): Promise<string> {
    const { fields } = readRequest('close', body);
    const { actions, tasks } = this.options.authority;
    const of = actions.authenticate(callerOf(shown, body)).task;
    if (fields.task !== task || of !== task) throw new GatewayError('request', 'the token is for another task');
    if (!tasks.isOpen(task)) throw new GatewayError('ended', `${task} is closed`);
    return this.options.closeAsks.add(task, new Date(this.options.now()).toISOString());
  }

  /** What the gateway calls ends; what agents were to tell is `unknown` until they do. */
  async close(): Promise<void> {
    for (const stop of this.stops) stop();
    this.stopped = true;
    await Promise.allSettled(this.running.values());
    await Promise.all([...this.open.keys()].map((action) => this.giveUp(action)));
    this.changed();
  }

  /** One key is one action: whoever sends it again hears of the first. */
  private async once(
    shown: Shown,
    body: Uint8Array,
    read: Read<'act'> | Read<'execute'>,
    run: (action: string, holder: KeyHolder) => Promise<ApiAnswer>,
  ): Promise<ApiAnswer> {
    const { authority, keyed, walk } = this.options;
    const caller = callerOf(shown, body);
    const holder = authority.actions.authenticate(caller);
    const { action, isNew } = keyed.take(holder, read.fields.idempotencyKey, askedOf(read));
    const running = this.running.get(action);
    if (running || (!isNew && authority.actions.begun(holder.task, action))) {
      await walk.join(caller); // the proof is used up
      return running ?? this.now(holder.task, action);
    }
    const answer = run(action, holder)
      .then((answered) => this.remembered(holder.task, answered))
      .catch((error: unknown) => {
        if (!authority.actions.begun(holder.task, action)) keyed.free(action);
        throw error;
      })
      .finally(() => {
        this.running.delete(action);
        this.changed();
      });
    this.running.set(action, answer);
    return answer;
  }

  /**
   * Of a call that was refused nothing was done: its key is free, and who asks how it stands is told. One that was begun and not
   * ended by a refusal may have been done, whatever failed afterwards: its key stays.
   */
  private remembered(task: string, answered: ApiAnswer): ApiAnswer {
    if (answered.kind !== 'refused') return answered;
    const begun = this.options.authority.actions.begun(task, answered.action);
    if (begun && (begun.ended === null || begun.status !== null)) return answered;
    this.options.keyed.free(answered.action);
    if (this.refused.size >= maxOpen) this.refused.delete(this.refused.keys().next().value ?? '');
    this.refused.set(refusalKey(task, answered.action), answered);
    return answered;
  }

  private async begin(caller: TokenCaller, read: Read<'act'>, action: string): Promise<ApiAnswer> {
    const { authority, pins, now } = this.options;
    const { server, tool: name, expiresSeconds, toolCallId = null } = read.fields;
    if (this.open.size >= maxOpen) throw new GatewayError('request', 'too many calls wait for their result');
    const known = `${server}/${name}`;
    if (this.tools.size >= maxTools && !this.tools.has(known))
      throw new GatewayError('tool-unknown', 'callers have named too many tools of their own');
    this.tools.add(known);
    const executable = toHex(sha256(utf8(server))); // no program was looked at: the digest of its name stands for it
    const definition = definitionOf(name, JSON.stringify({ name }), null);
    pins.see({ name: server, executable }, definition);
    const tool = { server, name, definition: definition.digest, executable };
    const begun = await beginOwn(authority, caller, async (task) => {
      const said = { id: toolCallId, tool: name, arguments: argumentsOf(read).value };
      const prompt = await this.options.prompts?.cite(task, said);
      return {
        action,
        method: 'tools/call',
        tool,
        hints: {},
        observed: 'self-reported',
        ...(prompt ? { prompt } : {}),
        ...claimedTrace(traceOf(read.fields, null)),
        record: {
          ...{ v: 1, action, task, method: 'tools/call', server, tool: name, definition: tool.definition, executable },
          ...{ arguments: argumentsOf(read).raw, operands: { kind: 'none' }, author: null },
        },
      };
    });
    if (begun.kind === 'refused') return { ...begun, action };
    const expires = now() + expiresSeconds * 1000;
    const timer = setTimeout(() => void this.giveUp(action).catch(() => {}), expiresSeconds * 1000).unref();
    this.open.set(action, { intent: begun.intent, expires, timer });
    await begun.intent.durable;
    return this.now(begun.task, action);
  }

  private async perform(
    caller: TokenCaller,
    read: Read<'execute'>,
    { action, task, patienceMs }: { readonly action: string; readonly task: string; readonly patienceMs: number },
  ): Promise<ApiAnswer> {
    const { tools, pins, walk, answerMs } = this.options;
    const tool = tools.named(read.fields.server);
    const operation = tool.operations.find(({ name }) => name === read.fields.tool);
    if (!operation)
      throw new GatewayError('tool-unknown', `${tool.name} has no operation ${read.fields.tool}: see deed tool list`);
    const args = argumentsOf(read);
    const headers = this.options.headers(tool, task);
    const definition = definitionOf(operation.name, JSON.stringify(operation), {
      readOnlyHint: operation.method === 'GET' || operation.method === 'HEAD',
      destructiveHint: operation.method === 'DELETE',
    });
    let response: ServiceResponse | null = null;
    const trace = traceOf(read.fields, null);
    const shown = { ...headers, ...traceHeaders(trace) };
    const { operands, dispatch } = serviceCall({ action, tool, operation, raw: args.raw, headers: shown, answerMs });
    const acted = await walk.act({
      ...{ caller, task, action, tool, operands, patienceMs, arguments: args, relay: null },
      method: 'tools/call',
      name: operation.name,
      toolCallId: read.fields.toolCallId ?? null,
      trace,
      observed: 'gateway-executed',
      definition: async () => {
        pins.check(tool, definition);
        return definition;
      },
      signal: new AbortController().signal, // who goes away asks again by the same key
      dispatch: async () => {
        const answer = await dispatch();
        const [effect] = answer.effects?.effects ?? [];
        const status = effect?.kind === 'http' ? effect.status : null;
        response = answer.bytes && { status, type: answer.type ?? '', body: answer.bytes };
        return answer;
      },
    });
    return this.answerTo(acted, { action, task, response });
  }

  private answerTo(
    acted: Acted,
    { action, task, response }: { action: string; task: string; response: ServiceResponse | null },
  ): ApiAnswer {
    if (acted.kind === 'held') return { kind: 'held', action, hold: acted.hold };
    if (acted.kind === 'refused') return { kind: 'refused', action, code: acted.code, message: acted.message };
    const state = this.now(task, action);
    return state.kind === 'state' ? { ...state, response } : state;
  }

  private now(task: string, action: string): ApiAnswer {
    const refused = this.refused.get(refusalKey(task, action));
    if (refused) return refused;
    const hold = this.options.walk.heldAt(action);
    if (hold) return { kind: 'held', action, hold };
    const expires = this.open.get(action)?.expires;
    const state = stateOf(this.options, task, action);
    return { kind: 'state', ...state, expires: expires === undefined ? null : new Date(expires).toISOString() };
  }

  /** The result did not come in time; one that comes later settles it. */
  private async giveUp(action: string): Promise<void> {
    const intent = this.told(action);
    if (!intent) return;
    await this.options.authority.actions.conclude(intent, { status: 'unknown' }).durable;
    this.changed();
  }

  private told(action: string): Recorded | undefined {
    const open = this.open.get(action);
    clearTimeout(open?.timer);
    this.open.delete(action);
    return open?.intent;
  }

  private changed(): void {
    for (const listener of [...this.listeners]) listener();
  }

  private change(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.listeners.delete(done);
        resolve();
      };
      const timer = setTimeout(done, waitMs).unref();
      this.listeners.add(done);
    });
  }
}

function callerOf({ token, proof }: Shown, body: Uint8Array): TokenCaller {
  return { kind: 'token', token, proof, body, pop: 'agent' };
}

function refusalKey(task: string, action: string): string {
  return `${task} ${action}`;
}

/** What two requests with one key have in common. */
function askedOf(read: Read<'act'> | Read<'execute'>): string {
  const { request, server, tool, toolCallId = null } = read.fields;
  return JSON.stringify([request, server, tool, argumentsOf(read).raw, toolCallId]);
}

import { isDeepStrictEqual } from 'node:util';
import type { Authority, Caller, Proposal, TokenCaller } from '@deed/authority';
import { DeedError, newId, type Operands, sha256, toHex, utf8 } from '@deed/evidence';
import type { Recorded } from '@deed/ledger';
import { GatewayError } from '../errors.ts';
import { resolvePaths } from '../git/paths.ts';
import type { Prompts } from '../model/prompts.ts';
import { beginOwn } from '../own-calls.ts';
import { definitionOf, type Pins } from '../tools/pins.ts';
import { type HookCall, type HookMessage, hookEventType, readHookMessage } from './message.ts';

/** The tools of the client itself, as policy and tasks name their server. No registered server can have this name. */
export const hookServer = 'hook:claude-code';
/** No program was looked at: the digest of these words stands for it. */
const executable = toHex(sha256(utf8(hookServer)));
/** Most calls of one session that wait for their outcome. */
const maxOpenCalls = 1000;
/** Most tools of the client: each is a statement when it is first seen. */
const maxTools = 2_000;

/** Who speaks: a task with token and proof, or nobody in particular. */
export type HookSpeaker = (Pick<TokenCaller, 'token' | 'proof'> & { readonly task: string }) | null;

/** The task of a session of a client that names none. */
export interface SessionTask {
  /** Opens it, if it is not open. */
  open(): Promise<string>;
  close(reason: 'disconnect' | 'idle'): Promise<void>;
}

export interface HookDeskOptions {
  readonly authority: Authority;
  readonly pins: Pins;
  readonly now: () => number;
  readonly implicitTask: () => SessionTask;
  /** A session without a task of its own ends after this long without an event, in milliseconds. */
  readonly idleMs: number;
  readonly prompts?: Pick<Prompts, 'cite'>;
}

export type HookAnswer =
  | { readonly kind: 'allowed'; readonly action: string }
  | { readonly kind: 'recorded'; readonly action: string; readonly status: 'ok' | 'error' | 'unknown' }
  | { readonly kind: 'noted' }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string };

interface OpenCall {
  readonly call: HookCall;
  readonly action: string;
  /** Null until it is recorded. */
  intent: Recorded | null;
  /** It was ended as `unknown`; its outcome may come yet. */
  unknown: boolean;
}

interface Session {
  readonly implicit: SessionTask | null;
  readonly task: string | null;
  readonly calls: Map<string, OpenCall>;
  idle: NodeJS.Timeout | undefined;
  ended: boolean;
}

/**
 * Decides and records the calls that a client dispatches itself and tells a hook about. What it says is the client's word: it is
 * recorded as observed by `hook`, and nothing above tier record is allowed.
 */
export class HookDesk {
  private readonly options: HookDeskOptions;
  private readonly sessions = new Map<string, Session>();
  private readonly tools = new Set<string>();
  private readonly forget: () => void;

  constructor(options: HookDeskOptions) {
    this.options = options;
    this.forget = options.authority.tasks.onClose((task) => {
      for (const session of this.sessions.values()) if (session.task === task) this.settle(session);
    });
  }

  /** Takes one message to its end; what it answers is durable. @throws DeedError for what is no message, or nobody's */
  async take(speaker: HookSpeaker, body: Uint8Array): Promise<HookAnswer> {
    const message = readHookMessage(body);
    const key = JSON.stringify([speaker?.task ?? null, message.session]);
    if (message.kind === 'before') return this.before(key, speaker, body, message.call);
    const token = speaker && { kind: 'token' as const, ...speaker, body };
    if (token && this.options.authority.actions.authenticate(token).task !== token.task)
      throw new GatewayError('hook', 'the token is for another task');
    const session = this.sessions.get(key);
    if (session) this.touch(key, session);
    if (message.kind === 'after') return this.after(session, message);
    if (session) {
      if (message.kind === 'end') await this.end(key, session, 'disconnect');
      else await this.settled(session);
    }
    return { kind: 'noted' };
  }

  /** What is under way ends as `unknown`, and the tasks of sessions without one are closed. */
  async close(): Promise<void> {
    this.forget();
    for (const [key, session] of this.sessions) await this.end(key, session, 'disconnect');
  }

  private async before(key: string, speaker: HookSpeaker, body: Uint8Array, call: HookCall): Promise<HookAnswer> {
    const { authority, now } = this.options;
    const session = this.session(key, speaker);
    if (session.calls.has(call.id)) return refused('hook', `the call ${call.id} began before`);
    if (session.calls.size >= maxOpenCalls) return refused('hook', 'too many calls of this session have no outcome');
    const open: OpenCall = { call, action: newId('action', now()), intent: null, unknown: false };
    session.calls.set(call.id, open); // before anything is awaited: an id begins once
    try {
      const caller: Caller = speaker
        ? { kind: 'token', ...speaker, body }
        : { kind: 'implicit', task: await this.taskOf(session), message: body };
      const begun = await beginOwn(authority, caller, (task) => {
        if (speaker && task !== speaker.task) throw new GatewayError('hook', 'the token is for another task');
        return this.proposal(task, open);
      });
      if (begun.kind === 'refused') return begun;
      open.intent = begun.intent;
      await open.intent.durable;
      return { kind: 'allowed', action: open.action };
    } catch (error) {
      if (error instanceof DeedError) return refused(error.code, error.message);
      throw error;
    } finally {
      if (!open.intent) session.calls.delete(call.id);
    }
  }

  private async after(session: Session | undefined, message: HookMessage & { kind: 'after' }): Promise<HookAnswer> {
    const { call, ok, raw } = message;
    const open = session?.calls.get(call.id);
    if (!session || !open?.intent)
      throw new GatewayError('hook', `no call ${call.id} is under way here: what came of it is not recorded`);
    // Another hook may have changed it after it was decided: then what was decided is not what ran.
    const same = open.call.name === call.name && isDeepStrictEqual(open.call.arguments.value, call.arguments.value);
    const said = ok ? 'ok' : 'error';
    const status = same ? said : 'unknown';
    session.calls.delete(call.id);
    const result = { bytes: utf8(raw), type: hookEventType };
    await this.options.authority.actions.conclude(open.intent, { status, result }).durable;
    return { kind: 'recorded', action: open.action, status };
  }

  /** Ends what has no outcome as `unknown`; one that comes later settles it. */
  private settle(session: Session): Recorded[] {
    return [...session.calls.values()].flatMap((open) => {
      if (!open.intent || open.unknown) return [];
      open.unknown = true;
      return [this.options.authority.actions.conclude(open.intent, { status: 'unknown' })];
    });
  }

  private session(key: string, speaker: HookSpeaker): Session {
    const known = this.sessions.get(key);
    const session: Session = known ?? {
      implicit: speaker ? null : this.options.implicitTask(),
      task: speaker?.task ?? null,
      calls: new Map(),
      idle: undefined,
      ended: false,
    };
    this.sessions.set(key, session);
    this.touch(key, session);
    return session;
  }

  private taskOf({ implicit, ended }: Session): Promise<string> {
    if (!implicit || ended) throw new GatewayError('hook', 'the session has ended');
    return implicit.open();
  }

  private async settled(session: Session): Promise<void> {
    await Promise.all(this.settle(session).map(({ durable }) => durable));
  }

  private async end(key: string, session: Session, reason: 'disconnect' | 'idle'): Promise<void> {
    clearTimeout(session.idle);
    session.ended = true; // what came in meanwhile opens no other task
    this.sessions.delete(key);
    await this.settled(session);
    await session.implicit?.close(reason);
    await this.settled(session); // and what began before the task was closed
  }

  /** A call that runs for long is no idleness. */
  private touch(key: string, session: Session): void {
    clearTimeout(session.idle);
    const check = () => {
      const runs = [...session.calls.values()].some(({ unknown }) => !unknown);
      if (runs) this.touch(key, session);
      else this.end(key, session, 'idle').catch(() => {}); // a ledger that cannot write has stopped, and says so itself
    };
    session.idle = setTimeout(check, this.options.idleMs).unref();
  }

  private async proposal(task: string, { call, action }: OpenCall): Promise<Proposal> {
    if (this.tools.size >= maxTools && !this.tools.has(call.name))
      throw new GatewayError('tool-unknown', 'the client has named too many tools');
    this.tools.add(call.name);
    const definition = definitionOf(call.name, JSON.stringify({ name: call.name }), null);
    // A hook shows no definitions: the name is all there is to pin.
    this.options.pins.see({ name: hookServer, executable }, definition);
    const tool = { server: hookServer, name: call.name, definition: definition.digest, executable };
    const said = { id: call.id, tool: call.name, arguments: call.arguments.value };
    const prompt = await this.options.prompts?.cite(task, said);
    return {
      action,
      method: 'tools/call',
      tool,
      hints: {},
      observed: 'hook',
      ...(prompt ? { prompt } : {}),
      record: {
        ...{ v: 1, action, task, method: 'tools/call', server: tool.server, tool: tool.name },
        ...{ definition: tool.definition, executable, arguments: call.arguments.raw },
        operands: await operandsOf(call),
        author: null,
      },
    };
  }
}

/** The paths that the client's file tools name. Of a command nobody can tell what it touches. */
async function operandsOf({ arguments: { value }, folder }: HookCall): Promise<Operands> {
  const given = value as { readonly [key: string]: never };
  const names = ['file_path', 'notebook_path', 'path'].filter((key) => given[key] !== undefined);
  const paths = await Promise.all(
    names.map(async (argument) => {
      const resolved = await resolvePaths({ path: given[argument] ?? '' }, { base: folder });
      return resolved.map((touched) => ({ ...touched, argument }));
    }),
  );
  return names.length === 0 ? { kind: 'none' } : { kind: 'paths', paths: paths.flat() };
}

function refused(code: string, message: string): HookAnswer {
  return { kind: 'refused', code, message };
}

import type { Caller } from '@deed/authority';
import type { Effects, Json, Observed, Operands } from '@deed/evidence';
import type { RelaySession } from './git/relay.ts';
import type { Definition } from './tools/pins.ts';
import type { Tool } from './tools/registry.ts';
import type { Trace } from './trace.ts';

/** One call as it reached the gateway, whatever way it came. */
export interface Call {
  readonly caller: Caller;
  /** The task of the session it came through; null for an implicit one. Its credential is behind `relay`. */
  readonly task: string | null;
  readonly method: string;
  readonly tool: Tool;
  /** Name of the tool; for other methods the method itself. */
  readonly name: string;
  /** Looks the tool up and checks its pin; null for methods that name no tool. @throws GatewayError */
  readonly definition: () => Promise<Definition | null>;
  readonly arguments: { readonly raw: string; readonly value: Json };
  /** The way to the task's forge, if there is one. */
  readonly relay: RelaySession | null;
  /** Aborted when the caller cancels or goes away. */
  readonly signal: AbortSignal;
  /** The action's id, where whoever calls asks for it by a key of its own; absent: a new one. */
  readonly action?: string;
  /** Who sees what happens. Default `gateway-observed`. */
  readonly observed?: Observed;
  /** What it touches, where the way it came by knows; absent: it follows from the tool. @throws GatewayError operands */
  readonly operands?: () => Operands;
  /** The model's own id of the call, as the client says; absent if it says none. */
  readonly toolCallId?: string | null;
  /** Where its caller says that it stands in a trace. */
  readonly trace?: Trace | null;
  /** How long it waits for people, in milliseconds; absent: as long as clients usually do. */
  readonly patienceMs?: number;
  /** How the user of the caller's client can be asked to open the page where people approve; absent: not at all. */
  readonly ask?: Asking | undefined;
  /** What that user said, where this call brings it. Never an approval: that is signed elsewhere. */
  readonly answered?: Answered | undefined;
  /** Sends the exact bytes on and waits for the answer. It does not throw: what did not come back is `unknown`. */
  readonly dispatch: () => Promise<Answer>;
}

/** What waits for people, and where: `page` is null where nothing is served to browsers. */
export interface HeldAt {
  readonly id: string;
  readonly page: string | null;
  readonly expires: string;
  /** What the caller is told: who is waited for, and what to do. */
  readonly message: string;
}

/** `agreed`: to be shown the page, and no more. `dismissed`: there was no answer. */
export type Answered = 'agreed' | 'declined' | 'dismissed';

export type Asking =
  /** While the call waits. */
  | { readonly kind: 'now'; readonly ask: (held: HeldAt) => Promise<Answered> }
  /** In the answer to the call, which ends it; the client then calls again. */
  | { readonly kind: 'in-answer' };

export interface Answer {
  readonly status: 'ok' | 'error' | 'unknown';
  /** The exact bytes of the answer, null if none came. */
  readonly bytes: Uint8Array | null;
  /** Their media type. Default application/json. */
  readonly type?: string;
  /** What the gateway saw at the resource. */
  readonly effects?: Effects;
}

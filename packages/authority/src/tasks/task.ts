import { type Allow, fromUtf8, type Output, type PayloadRef, parseStrictJson, type Tier, utf8 } from '@deed/evidence';
import { z } from 'zod';
import { AuthorityError } from '../errors.ts';

export const defaultDeadlineMs = 8 * 3_600_000;
export const defaultBudget = 10_000;

const principal = z.strictObject({
  v: z.literal(1),
  kind: z.enum(['person', 'service', 'unknown']),
  /** Opaque id: what the token's `sub` says. */
  id: z.string().min(1).max(256),
  /** How it was authenticated, in words of this deployment. */
  authenticated: z.string().min(1).max(256),
  /** What the server itself saw: a session begun so, or somebody at the unix socket who says it; `none`: nothing was asked. */
  how: z.enum(['passkey', 'oidc', 'socket', 'none']),
});
/** On whose behalf a task runs. */
export type Principal = Omit<z.infer<typeof principal>, 'v'>;

/** The payload of type application/vnd.deed.principal+json. */
export function encodePrincipal({ kind, id, authenticated, how }: Principal): Uint8Array {
  const parsed = principal.safeParse({ v: 1, kind, id, authenticated, how });
  if (!parsed.success) throw new AuthorityError('task', `principal: ${z.prettifyError(parsed.error)}`);
  return utf8(JSON.stringify({ v: 1, kind, id, authenticated, how }));
}

export function decodePrincipal(bytes: Uint8Array): Principal {
  const { v: _, ...said } = principal.parse(parseStrictJson(fromUtf8(bytes)).value);
  return said;
}

export type CloseReason = 'principal' | 'operator' | 'budget' | 'deadline' | 'disconnect' | 'idle';

export interface TaskFields {
  /** The words of the order. */
  readonly objective: string;
  /** `how` is `none` unless whoever calls knows better. */
  readonly principal: Omit<Principal, 'how'> & Partial<Pick<Principal, 'how'>>;
  /** Id of an enrolled agent; null exactly for an implicit task. */
  readonly agent: string | null;
  readonly allow: Allow;
  readonly ceiling?: Tier;
  /** How many actions may begin. */
  readonly budget?: { readonly actions: number };
  /** Milliseconds since 1970. Default: 8 hours from now. */
  readonly deadline?: number;
  /** How many hops may stand behind one another. Default: 0, it is not passed on. */
  readonly depth?: number;
  readonly implicit?: boolean;
  /** Of an implicit task: the tool server of its session, whose static secrets it is handed. */
  readonly server?: string;
}

/** A task as others may see it. The server's own object: what it says holds at this instant. */
export interface Task {
  readonly id: string;
  /** Digest of task-opened. */
  readonly opened: string;
  readonly openedMs: number;
  readonly state: 'open' | 'closed';
  /** Tokens of an older epoch open nothing. */
  readonly epoch: number;
  readonly implicit: boolean;
  /** Id of the agent. */
  readonly agent: string | null;
  readonly principal: PayloadRef;
  readonly objective: PayloadRef;
  readonly allowRef: PayloadRef;
  readonly allow: Allow;
  /** How many actions began under each entry of `allow`, by its place. Empty once the task is closed. */
  readonly counts: readonly number[];
  /** Opaque id of the principal. */
  readonly principalId: string;
  readonly ceiling: Tier;
  readonly budget: number;
  /** Actions begun. */
  readonly used: number;
  readonly deadlineMs: number;
  /** How many hops may stand behind one another. */
  readonly depth: number;
  /** Digest of the grant-decision that it was opened under. */
  readonly grant: string;
  /** Digest of the policy-activated statement that it was opened under. */
  readonly policy: string;
  /** Digest of task-closed. */
  readonly closed: string | null;
}

/** The same, as this room keeps it in memory while the task is open. */
export interface LiveTask extends Task {
  state: 'open' | 'closed';
  epoch: number;
  used: number;
  counts: number[];
  closed: string | null;
  /** Statements in `seq` so far, those on their way included. */
  seqCount: number;
  /** Digests of intents without an end. */
  readonly openIntents: Set<string>;
  /** What was delivered so far, by name: task-closed lists it. */
  readonly outputs: Map<string, Output>;
  /** Brokers whose static secret it was handed: task-closed lists them. */
  readonly debts: readonly string[];
  /** Actions that began. */
  readonly begun: Set<string>;
  /** Actions that were refused in this run: they begin no more. */
  readonly refused: Set<string>;
}

/** Which chain a statement about the task goes to at this instant. */
export function chainOf(task: Task): 'seq' | 'after' {
  return task.state === 'open' ? 'seq' : 'after';
}

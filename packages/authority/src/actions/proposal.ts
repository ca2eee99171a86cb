import {
  type ActionRecord,
  type Allow,
  type Authority,
  type Decision,
  encodeActionRecord,
  type Observed,
  type PayloadRef,
  type PromptLink,
  parseActionRecord,
  type Separation,
  type Tier,
  type ToolRef,
} from '@deed/evidence';
import type { Agent } from '../agents.ts';
import type { Hop } from '../delegation/hop.ts';
import { AuthorityError } from '../errors.ts';
import type { Hints } from '../policy/request.ts';
import type { Task } from '../tasks/task.ts';
import type { Vault } from '../vault/vault.ts';
import type { ProofUse } from './proof-uses.ts';

/** Who calls, before anything is believed. */
export type Caller =
  | {
      readonly kind: 'token';
      readonly token: string;
      readonly proof: string;
      /** The exact bytes of the message. */
      readonly body: Uint8Array;
      /** Who made the proof: the shim in front of an agent, or the agent itself. Default `shim`, the weaker. */
      readonly pop?: 'shim' | 'agent';
    }
  | {
      readonly kind: 'implicit';
      readonly task: string;
      /** The exact bytes of the message. Nobody signed them. */
      readonly message?: Uint8Array;
    };

/** A caller whose token and proof hold, for one message. */
export interface Admitted {
  readonly task: Task;
  /** The epoch at which it was admitted. */
  readonly epoch: number;
  /** What its token allows: never more than the task does. Null for an implicit task. */
  readonly allow: Allow | null;
  /** Its proof repeats a nonce that the server gave. */
  readonly isFresh: boolean;
  /** Who acts: the task's own agent, or a delegate. */
  readonly agent: Agent | null;
  /** The hops by which it may, from the first on; none for the task's own agent. */
  readonly hops: readonly Hop[];
  readonly pop: Authority['pop'];
  /** Token, proof and message verbatim, or without a token the message alone: the payload that its statements cite. */
  readonly evidence: Uint8Array | null;
  readonly proof: ProofUse | null;
}

/** What is to be done, as far as it is known when it may have to be refused. */
export interface Refusable {
  /** The action's id. */
  readonly action: string;
  readonly method: string;
  readonly tool: ToolRef | null;
  readonly record: ActionRecord | null;
  readonly observed?: Observed;
  readonly separation?: Separation;
}

/** What is to be done, resolved. */
export interface Proposal extends Refusable {
  readonly tool: ToolRef;
  readonly record: ActionRecord;
  readonly hints: Hints;
  /** The prompt that led to it, as far as one is known. */
  readonly prompt?: PromptCited;
  /** Where its caller says that it stands in a trace. */
  readonly trace?: { readonly traceId: string; readonly spanId: string };
}

/** A prompt as an intent names it. */
export interface PromptCited {
  readonly link: PromptLink;
  readonly call: string | null;
  /** Puts what passed into the vault of the task, by its pieces, and names it; null where it is in several exchanges. */
  readonly exchange: ((stage: (bytes: Uint8Array, type: string) => PayloadRef) => PayloadRef) | null;
}

/** What grant and policy say of a proposal. Made by `decide` alone. */
export interface Verdict {
  readonly outcome: 'allow' | 'deny';
  /** Why not; null when allowed. */
  readonly reason: 'denied' | 'outside-grant' | 'stale-proof' | null;
  /** In words, for the caller and the refusal. */
  readonly detail: string;
  readonly tier: Tier;
  readonly needsApproval: boolean;
  /** Statement-ready; null when policy was not asked. */
  readonly decision: Decision | null;
  /** Statement-ready. */
  readonly authority: Authority;
  readonly unearned: boolean;
  /** The action record's payload: its name is the action digest. */
  readonly record: PayloadRef;
}

export const recordType = 'application/vnd.deed.action+json';
export const evidenceType = 'application/vnd.deed.token-proof+json';
/** A message that nobody signed. */
const messageType = 'application/vnd.deed.message+json';
export const decisionType = 'application/vnd.deed.decision+json';

/** The payload by which the statements of a message show where it came from; null if nothing is kept of that. */
export function stageEvidence(vault: Vault, { task, pop, evidence }: Admitted, keep = true): PayloadRef | null {
  return evidence && vault.stage(task.id, evidence, pop === 'none' ? messageType : evidenceType, keep);
}

/** The header of an action's statements: the weakest claims, unless the caller measured better. */
export function actHeader({ observed, separation }: Refusable): {
  readonly observed: Observed;
  readonly separation: Separation;
} {
  return {
    observed: observed ?? 'gateway-observed',
    separation: separation ?? { agent: 'same-uid', tool: 'same-uid' },
  };
}

/** Whether nobody waits until a statement of such an action is on the disk: what is only looked at goes on meanwhile. */
export function isPatient(tier: Tier, observed: Observed): boolean {
  return tier === 'observe' && observed !== 'hook' && observed !== 'self-reported';
}

/**
 * The record's bytes, after checking that it is of this action, task and tool, and that a verifier will read it: what an agent
 * sends must not be able to make the case of its task unreadable.
 * @throws AuthorityError proposal
 */
export function recordBytes(task: string, { action, method, tool, record }: Refusable): Uint8Array {
  const fits =
    record !== null &&
    tool !== null &&
    record.action === action &&
    record.task === task &&
    record.method === method &&
    record.server === tool.server &&
    record.tool === tool.name &&
    record.definition === tool.definition &&
    record.executable === tool.executable;
  if (!fits) throw new AuthorityError('proposal', 'the action record is not of this action, task and tool');
  const bytes = encodeActionRecord(record);
  try {
    parseActionRecord(bytes);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new AuthorityError('proposal', `no verifier would read the action record: ${why}`, { cause });
  }
  return bytes;
}

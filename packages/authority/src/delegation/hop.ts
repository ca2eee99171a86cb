import { type Allow, decodeAllow, openPayload, type PayloadRef, type Tier } from '@deed/evidence';
import type { Vault } from '../vault/vault.ts';

/** A part of a task that was passed on: by whom, to whom, and how much. */
export interface Hop {
  /** Digest of the hop statement. */
  readonly digest: string;
  readonly task: string;
  /** The hop by which the delegator holds it; null: the task's own agent. */
  readonly parent: Hop | null;
  /** Ids of agents. */
  readonly delegator: string;
  readonly delegate: string;
  readonly allow: Allow;
  readonly ceiling: Tier;
  /** How many actions may begin below it. */
  readonly budget: number;
  readonly deadlineMs: number;
  /** How many hops may follow. */
  readonly depth: number;
  readonly offeredMs: number;
  /** Actions begun by the delegate and whoever it passed something on to. */
  used: number;
  /** Digest of hop-accepted. */
  accepted: string | null;
  /** Digest of hop-ended. */
  ended: string | null;
}

export interface HopRow {
  readonly digest: string;
  readonly task: string;
  /** Digest of the hop-accepted. */
  readonly parent: string | null;
  readonly delegator: string;
  readonly delegate: string;
  /** JSON of the payload reference. */
  readonly allow_: string;
  readonly ceiling: Tier;
  readonly budget: number;
  readonly used: number;
  readonly deadline_ms: number;
  readonly depth: number;
  readonly offered_ms: number;
  readonly accepted: string | null;
  readonly ended: string | null;
}

export const selectHops = `SELECT digest, task, parent, delegator, delegate, allow_, ceiling, budget, used, deadline_ms, depth,
  offered_ms, accepted, ended FROM hops`;

/** What may be done comes from its payload, and is nothing once that is erased. */
export function rowToHop(row: HopRow, parent: Hop | null, vault: Vault): Hop {
  const { sha256 } = JSON.parse(row.allow_) as PayloadRef;
  const { digest, task, delegator, delegate, ceiling, budget, used, depth, accepted, ended } = row;
  const allow = vault.has(sha256) ? decodeAllow(openPayload(vault.get(sha256), sha256).bytes) : [];
  const times = { deadlineMs: row.deadline_ms, offeredMs: row.offered_ms };
  return { digest, task, parent, delegator, delegate, allow, ceiling, budget, used, depth, accepted, ended, ...times };
}

/** A hop behind those that lead to it, from the first on. */
export function lineOf(hop: Hop | null): readonly Hop[] {
  return hop ? [...lineOf(hop.parent), hop] : [];
}

/** How statements and tokens name the line: each by its acceptance. */
export function chainOfHops(hops: readonly Hop[]): string[] {
  return hops.flatMap(({ accepted }) => accepted ?? []);
}

import { decodeAllow, type PayloadRef, type Tier } from '@deed/evidence';
import { contentOf, type Vault } from '../vault/vault.ts';
import { decodePrincipal, type Task } from './task.ts';

export const selectTask = `SELECT id, opened, state, epoch, implicit, agent, principal, objective, allow_, ceiling, budget, used,
  opened_ms, deadline_ms, grant_, policy, closed, depth FROM tasks`;

export interface TaskRow {
  readonly id: string;
  readonly opened: string;
  readonly state: Task['state'];
  readonly epoch: number;
  readonly implicit: number;
  readonly agent: string | null;
  /** JSON of the payload reference, as are the next two. */
  readonly principal: string;
  readonly objective: string;
  readonly allow_: string;
  readonly ceiling: Tier;
  readonly budget: number;
  readonly used: number;
  readonly opened_ms: number;
  readonly deadline_ms: number;
  readonly grant_: string;
  readonly policy: string;
  readonly closed: string | null;
  readonly depth: number;
}

/** The row holds nothing personal: principal and allowed actions come from their payloads, and are empty once erased. */
export function rowToTask(row: TaskRow, vault: Vault): Task {
  const [principal, objective, allowRef] = [row.principal, row.objective, row.allow_].map(ref);
  if (!principal || !objective || !allowRef) throw new Error(`task ${row.id}: a reference is missing`);
  const allowBytes = contentOf(vault, allowRef);
  const principalBytes = contentOf(vault, principal);
  return {
    id: row.id,
    opened: row.opened,
    openedMs: row.opened_ms,
    state: row.state,
    epoch: row.epoch,
    implicit: row.implicit === 1,
    agent: row.agent,
    principal,
    objective,
    allowRef,
    allow: allowBytes ? decodeAllow(allowBytes) : [],
    counts: [],
    principalId: principalBytes ? decodePrincipal(principalBytes).id : 'erased',
    ceiling: row.ceiling,
    budget: row.budget,
    used: row.used,
    deadlineMs: row.deadline_ms,
    depth: row.depth,
    grant: row.grant_,
    policy: row.policy,
    closed: row.closed,
  };
}

function ref(text: string): PayloadRef {
  return JSON.parse(text) as PayloadRef;
}

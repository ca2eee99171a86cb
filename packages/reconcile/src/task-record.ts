import type { Authority } from '@deed/authority';
import {
  type GitRefEffect,
  gitRefsOf,
  type Operands,
  openPayload,
  parseActionRecord,
  parseEffects,
  parseStatement,
  type StatementWith,
} from '@deed/evidence';
import type { Ledger } from '@deed/ledger';
import { ReconcileError } from './errors.ts';

export interface Update {
  readonly repository: string;
  readonly ref: string;
  readonly old: string;
  readonly new: string;
}

/** An action of the task that claims effects at a resource, or that should have had some. */
export interface ClaimedAction {
  readonly action: string;
  /** When its intent was recorded: nothing of it happened before. */
  readonly begun: string;
  readonly outcome: StatementWith<'outcome'>;
  /** What the gateway saw happen: the effects with status ok. */
  readonly effects: readonly GitRefEffect[];
  /** What the action record said would happen. */
  readonly expected: readonly { readonly ref: string; readonly old: string; readonly new: string }[];
}

/** An action that may have had effects, but nobody on our side knows: what the forge recorded of it is not hidden. */
export interface UnsettledAction {
  readonly action: string;
  /** Digest of the outcome, or of the intent while there is none. */
  readonly statement: string;
  /** When its outcome was recorded; null while it is under way. */
  readonly ended: string | null;
  readonly updates: readonly Update[];
}

export interface TaskRecord {
  readonly opened: StatementWith<'task-opened'>;
  readonly closedAt: string | null;
  readonly closed: StatementWith<'task-closed'> | null;
  readonly claims: readonly ClaimedAction[];
  readonly unsettled: readonly UnsettledAction[];
}

/**
 * What the receipts of a task claim.
 * @throws ReconcileError unknown-task, erased (without its records every event would look as if nobody had claimed it)
 */
export function readTask(ledger: Ledger, authority: Authority, task: string): TaskRecord {
  const statements = [...ledger.series(task), ...ledger.series(`${task}/after`)].map(({ envelope }) =>
    parseStatement(envelope.payload),
  );
  const of = <Name extends 'task-opened' | 'task-closed' | 'intent' | 'outcome' | 'refusal'>(name: Name) =>
    statements.filter((statement): statement is StatementWith<Name> => statement.predicate === name);
  const [opened] = of('task-opened');
  if (!opened) throw new ReconcileError('unknown-task', `there is no task ${task}`);
  const [closed] = of('task-closed');
  const superseded = new Set(of('outcome').map(({ body }) => body.supersedes));
  const outcomes = new Map(
    of('outcome').flatMap((outcome) =>
      superseded.has(outcome.digest) ? [] : [[outcome.body.intent, outcome] as const],
    ),
  );
  const refused = new Set(of('refusal').flatMap(({ body }) => (body.reason === 'proof-replayed' ? [] : [body.cites])));
  const actions = of('intent').flatMap((intent) => {
    const { record } = intent.body;
    if (refused.has(intent.digest) || !record.kept) return [];
    const { operands } = parseActionRecord(read(authority, record.sha256));
    return [{ intent, operands, outcome: outcomes.get(intent.digest) ?? null }];
  });
  return {
    opened,
    closed: closed ?? null,
    closedAt: closed?.time ?? null,
    claims: actions.flatMap((action) => claimOf(authority, action)),
    unsettled: actions.flatMap((action) => unsettledOf(authority, action)),
  };
}

interface Action {
  readonly intent: StatementWith<'intent'>;
  readonly operands: Operands;
  readonly outcome: StatementWith<'outcome'> | null;
}

function claimOf(authority: Authority, { intent, operands, outcome }: Action): ClaimedAction[] {
  const seen = outcome && effectsOf(authority, outcome);
  if (!outcome || !seen) return [];
  return [
    {
      action: outcome.body.action,
      begun: intent.time,
      outcome,
      effects: seen.filter(({ status }) => status === 'ok'),
      expected: operands.kind === 'git-push' ? operands.updates : [],
    },
  ];
}

/** All that was expected, while nothing is known; else what the gateway saw leave and not arrive. */
function unsettledOf(authority: Authority, { intent, operands, outcome }: Action): UnsettledAction[] {
  const seen = outcome && effectsOf(authority, outcome);
  const isUnknown = outcome === null || outcome.body.status === 'unknown';
  const expected = operands.kind === 'git-push' ? operands : null;
  const updates = seen
    ? seen.filter(({ status }) => status === 'unknown')
    : (isUnknown && expected?.updates.map((update) => ({ ...update, repository: expected.repository }))) || [];
  if (updates.length === 0) return [];
  const { action } = intent.body;
  return [{ action, statement: outcome?.digest ?? intent.digest, ended: outcome?.time ?? null, updates }];
}

/** The refs that the gateway saw; null where it saw none, or something else. */
function effectsOf(authority: Authority, { body: { effects } }: StatementWith<'outcome'>): GitRefEffect[] | null {
  if (!effects?.kept) return null;
  const seen = parseEffects(read(authority, effects.sha256));
  const refs = gitRefsOf(seen);
  return refs.length === 0 && seen.effects.length > 0 ? null : refs;
}

function read(authority: Authority, name: string): Uint8Array {
  if (!authority.vault.has(name))
    throw new ReconcileError('erased', `payload ${name} was erased: this task cannot be compared with any record now`);
  return openPayload(authority.vault.get(name), name).bytes;
}

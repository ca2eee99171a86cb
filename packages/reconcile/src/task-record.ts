import type { Authority } from '@deed/authority';
import {
  type Effects,
  openPayload,
  parseActionRecord,
  parseEffects,
  parseStatement,
  type StatementWith,
} from '@deed/evidence';
import type { Ledger } from '@deed/ledger';
import { ReconcileError } from './errors.ts';

/** An action of the task that claims effects at a resource, or that should have had some. */
export interface ClaimedAction {
  readonly action: string;
  readonly outcome: StatementWith<'outcome'>;
  /** What the gateway saw happen: the effects with status ok. */
  readonly effects: Effects['effects'];
  /** What the action record said would happen. */
  readonly expected: readonly { readonly ref: string; readonly old: string; readonly new: string }[];
}

export interface TaskRecord {
  readonly opened: StatementWith<'task-opened'>;
  readonly closedAt: string | null;
  readonly closed: StatementWith<'task-closed'> | null;
  readonly claims: readonly ClaimedAction[];
}

/** What the receipts of a task claim. @throws ReconcileError unknown-task */
export function readTask(ledger: Ledger, authority: Authority, task: string): TaskRecord {
  const statements = [...ledger.series(task), ...ledger.series(`${task}/after`)].map(({ envelope }) =>
    parseStatement(envelope.payload),
  );
  const of = <Name extends 'task-opened' | 'task-closed' | 'intent' | 'outcome'>(name: Name) =>
    statements.filter((statement): statement is StatementWith<Name> => statement.predicate === name);
  const [opened] = of('task-opened');
  if (!opened) throw new ReconcileError('unknown-task', `there is no task ${task}`);
  const [closed] = of('task-closed');
  const superseded = new Set(of('outcome').map(({ body }) => body.supersedes));
  const claims = of('outcome').flatMap((outcome): ClaimedAction[] => {
    const { intent: digest, effects, action } = outcome.body;
    const intent = of('intent').find((candidate) => candidate.digest === digest);
    if (!effects || !intent || superseded.has(outcome.digest)) return [];
    const bytes = (name: string) => openPayload(authority.vault.get(name), name).bytes;
    const { operands } = parseActionRecord(bytes(intent.body.record.sha256));
    return [
      {
        action,
        outcome,
        effects: parseEffects(bytes(effects.sha256)).effects.filter(({ status }) => status === 'ok'),
        expected: operands.kind === 'git-push' ? operands.updates : [],
      },
    ];
  });
  return { opened, closed: closed ?? null, closedAt: closed?.time ?? null, claims };
}

import type { Authority } from '@deed/authority';
import {
  type ActionRecord,
  type Allow,
  actionDocument,
  decodeAllow,
  type EventRef,
  type ExpectedEffect,
  type GitRefEffect,
  gitRefsOf,
  type Operands,
  openPayload,
  type PredicateName,
  parseActionRecord,
  parseEffects,
  parseStatement,
  type StatementWith,
} from '@deed/evidence';
import type { Ledger } from '@deed/ledger';
import type { Contracts } from './contracts.ts';
import { ReconcileError } from './errors.ts';
import type { Claim, Expectation } from './match/claim.ts';
import type { Source } from './sources.ts';

/** By what is expected of actions: the sources there are, and the contracts of servers. */
export interface Known {
  readonly sources: readonly Source[];
  readonly contracts: Pick<Contracts, 'of'> | null;
}

/** What the receipts of one task say, ready to be matched. */
export interface TaskRecord {
  readonly task: string;
  readonly opened: StatementWith<'task-opened'>;
  readonly closed: StatementWith<'task-closed'> | null;
  /** What its tools may be; null: whatever is there (an implicit task). */
  readonly allow: Allow | null;
  readonly claims: readonly Claim[];
  /** The events by which an outcome was confirmed or contradicted, by its digest: that is said once. */
  readonly judged: ReadonlyMap<string, readonly EventRef[]>;
}

/**
 * What the receipts of a task claim.
 * @throws ReconcileError unknown-task, erased (without its records every event would look as if nobody had claimed it)
 */
export function readTask(ledger: Ledger, authority: Authority, task: string, known: Known): TaskRecord {
  const statements = [...ledger.series(task), ...ledger.series(`${task}/after`)].map(({ envelope }) =>
    parseStatement(envelope.payload),
  );
  const of = <Name extends PredicateName>(name: Name) =>
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
  const forges = known.sources.filter(({ kind }) => kind === 'git-forge').map(({ id }) => id);
  const refused = new Set(of('refusal').flatMap(({ body }) => (body.reason === 'proof-replayed' ? [] : [body.cites])));
  const actions = of('intent').flatMap((intent) => {
    const { record } = intent.body;
    if (refused.has(intent.digest) || !record.kept) return [];
    const parsed = parseActionRecord(read(authority, record.sha256));
    return [{ intent, record: parsed, operands: parsed.operands, outcome: outcomes.get(intent.digest) ?? null }];
  });
  return {
    task,
    opened,
    closed: closed ?? null,
    judged: new Map([
      ...of('confirmed').map(({ body }) => [body.outcome, body.events] as const),
      ...of('finding').flatMap(({ body }) =>
        body.type === 'result_mismatch' ? body.statements.map((each) => [each, body.events] as const) : [],
      ),
    ]),
    allow: opened.body.implicit ? null : decodeAllow(read(authority, opened.body.allow.sha256)),
    claims: actions.flatMap((action) => [
      ...gitClaims(authority, action, forges),
      ...contractClaims(authority, action, known),
    ]),
  };
}

interface Action {
  readonly intent: StatementWith<'intent'>;
  readonly record: ActionRecord;
  readonly operands: Operands;
  readonly outcome: StatementWith<'outcome'> | null;
}

function baseOf({ intent, outcome }: Pick<Action, 'intent' | 'outcome'>) {
  const { action } = intent.body;
  return { action, statement: outcome?.digest ?? intent.digest, begun: intent.time, ended: outcome?.time ?? null };
}

/** What the contract of its server expects of a call; nothing where there is none, or it expects nothing of this tool. */
function contractClaims(authority: Authority, action: Action, { contracts }: Known): Claim[] {
  const { intent, record, outcome } = action;
  const declared = intent.body.method === 'tools/call' ? contracts?.of(intent.body.tool.server) : null;
  if (!declared) return [];
  const [result = null, effects = null] = [outcome?.body.result, outcome?.body.effects].map((part) =>
    part?.kept ? read(authority, part.sha256) : null,
  );
  const status = outcome?.body.status ?? null;
  const expected = declared.expecting(actionDocument({ record, status, result, effects }));
  if (expected.length === 0) return [];
  const says = status === 'ok' ? 'done' : status === 'error' ? 'failed' : 'unknown';
  const told = expected.map((each) => ({ ...each, proof: null, text: textOf(record.tool, each) }));
  return [{ ...baseOf(action), says, expected: told, empty: null, contract: declared.statement }];
}

function textOf(tool: string, { operations, key, same }: ExpectedEffect): string {
  const values = [...(key ?? []), ...same].slice(0, 4).map(({ name, value }) => `${name} ${value}`);
  return `${tool} (${operations.join(' or ')}${values.length > 0 ? `: ${values.join(', ')}` : ''})`;
}

type Update = Pick<GitRefEffect, 'repository' | 'ref' | 'old' | 'new'>;

/** What a push claims: the refs that the gateway saw arrive; and apart from them, those of which it does not know. */
function gitClaims(authority: Authority, { intent, operands, outcome }: Action, sources: readonly string[]): Claim[] {
  const seen = outcome && effectsOf(authority, outcome);
  const planned = operands.kind === 'git-push' ? operands : null;
  const base = { ...baseOf({ intent, outcome }), contract: null };
  const done = seen?.filter(({ status }) => status === 'ok') ?? [];
  const isUnknown = outcome === null || outcome.body.status === 'unknown';
  const open = seen
    ? seen.filter(({ status }) => status === 'unknown')
    : (isUnknown && planned?.updates.map((update) => ({ ...update, repository: planned.repository }))) || [];
  const empty =
    done.length === 0 && outcome?.body.status === 'ok'
      ? `nothing of ${planned?.updates.map(({ ref }) => ref).join(', ')} crossed the wire`
      : null;
  const claims: Claim[] = [];
  if (seen && (done.length > 0 || empty !== null))
    claims.push({ ...base, says: 'done', expected: done.map((update) => gitExpectation(update, sources)), empty });
  if (open.length > 0)
    claims.push({ ...base, says: 'unknown', expected: open.map((each) => gitExpectation(each, sources)), empty: null });
  return claims;
}

/** The commit ids are the exact key. */
function gitExpectation({ repository, ref, old, new: to }: Update, sources: readonly string[]): Expectation {
  return {
    sources,
    operations: ['push'],
    count: { min: 1, max: 1 },
    window: { beforeMs: 0, afterMs: 0 },
    key: [
      { name: 'resource.uid', value: `${repository} ${ref}` },
      { name: 'fields.old', value: old },
      { name: 'fields.new', value: to },
    ],
    ...{ same: [], near: [] },
    proof: {
      name: 'fields.record',
      value: 'pushes',
      otherwise:
        'git’s reflog has it, but not the record of the forge’s hook, which alone names an authenticated credential',
    },
    text: `${ref} at ${to}`,
  };
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

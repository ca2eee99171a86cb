import type { EventRef, FindingType } from '@deed/evidence';
import type { ClaimedAction, TaskRecord, UnsettledAction, Update } from './task-record.ts';

/** Name and version of these rules, as `reconciled` states them. */
export const rules = 'git-exact/1';

/** An ingested event that nothing explains yet. */
export interface OpenEvent {
  readonly source: string;
  /** `<file>:<offset>:<digest>`. */
  readonly source_event: string;
  readonly name: string;
  readonly batch: string;
  readonly credential: string;
  readonly task: string | null;
  readonly kind: string;
  readonly time: string;
  readonly repository: string | null;
  readonly ref: string | null;
  readonly old: string | null;
  readonly new: string | null;
  readonly reason: string | null;
}

export interface Confirmation {
  readonly claim: ClaimedAction;
  readonly events: readonly OpenEvent[];
}

export interface NewFinding {
  readonly type: FindingType;
  readonly severity: 'low' | 'medium' | 'high' | 'critical';
  /** What it is about; the same subject is found once. */
  readonly subject: string;
  readonly why: string;
  readonly todo: string;
  readonly statements: readonly string[];
  readonly events: readonly OpenEvent[];
  readonly credential: string | null;
}

export interface Matched {
  readonly confirmed: readonly Confirmation[];
  readonly findings: readonly NewFinding[];
  /** Claims whose source has not yet been read past their time. */
  readonly pending: number;
}

export function refOf(event: OpenEvent): EventRef {
  return { source: event.source, batch: event.batch, event: event.name };
}

/** How far the records that are matched reach. */
export interface Reach {
  /** All that happened at the source before it has been read; null: nothing has. */
  readonly watermark: string | null;
  /** What happened before was recorded before the source was read at all; null: it was read from its beginning. */
  readonly since: string | null;
}

/**
 * Holds what a task's receipts claim against what the forge recorded, by the exact key (repository, ref, old, new). Pure.
 * What may yet be explained, by the rest of a push or by an outcome that is still to come, is left for a later run.
 */
export function matchTask(
  task: TaskRecord,
  events: readonly OpenEvent[],
  confirmedBefore: ReadonlySet<string>,
  { watermark, since }: Reach,
): Matched {
  // The earliest record explains a claim, one that names who it was before one that does not, whatever their order.
  const open = [...events].sort(
    (a, b) => Number(isOfHook(b)) - Number(isOfHook(a)) || compare(a.time, b.time) || compare(a.name, b.name),
  );
  const confirmed: Confirmation[] = [];
  const findings: NewFinding[] = [];
  const isRead = (time: string) => watermark !== null && watermark > time;
  const takeAll = (updates: readonly Update[]) =>
    updates.flatMap((update) => take(open, (event) => event.kind === 'push' && sameUpdate(event, update)) ?? []);
  let pending = 0;
  for (const claim of task.claims) {
    if (confirmedBefore.has(claim.outcome.digest)) continue;
    if (claim.effects.length === 0 && claim.outcome.body.status !== 'ok') continue;
    const found = takeAll(claim.effects);
    if (found.length === claim.effects.length && found.length > 0) {
      if (found.every(isOfHook)) confirmed.push({ claim, events: found });
      else findings.push(unauthenticated(claim, found));
    } else if (!isRead(claim.outcome.time)) pending++;
    else if (since !== null && claim.begun <= since) findings.push(notCovered(claim, found, since));
    else findings.push(phantom(claim, found));
  }
  for (const action of task.unsettled) {
    const found = takeAll(action.updates);
    if (action.ended === null || !isRead(action.ended)) pending++;
    else if (found.length > 0) findings.push(unknownAndDone(action, found));
  }
  for (const event of open.filter(({ kind }) => kind === 'push')) findings.push(unexplained(task, event));
  const refused = open.filter(({ kind }) => kind === 'refused-access');
  for (const group of Map.groupBy(refused, refusalKey).values()) {
    const finding = refusedAccess(task, group);
    if (finding) findings.push(finding);
  }
  return { confirmed, findings, pending };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A refused repository is named by its finding; other refusals of one kind are one finding. */
function refusalKey({ credential, reason, repository }: OpenEvent): string {
  return JSON.stringify([credential, reason, reason === 'repository' ? repository : null]);
}

/** A record that the forge wrote for an authenticated request; git's reflog alone does not say who pushed. */
function isOfHook({ source_event }: OpenEvent): boolean {
  return !source_event.startsWith('reflog/');
}

function sameUpdate(event: OpenEvent, effect: Update): boolean {
  return (
    event.repository === effect.repository &&
    event.ref === effect.ref &&
    event.old === effect.old &&
    event.new === effect.new
  );
}

function take<T>(list: T[], wanted: (item: T) => boolean): T | undefined {
  const at = list.findIndex(wanted);
  return at < 0 ? undefined : list.splice(at, 1)[0];
}

function phantom(claim: ClaimedAction, found: readonly OpenEvent[]): NewFinding {
  const nothing = claim.effects.length === 0;
  return {
    type: 'phantom_action',
    severity: 'high',
    subject: `phantom:${claim.outcome.digest}`,
    why: nothing
      ? `action ${claim.action} reports success, but nothing of ${claim.expected.map(({ ref }) => ref).join(', ')} crossed the wire`
      : `action ${claim.action} reports ${updatesText(claim.effects)}, but the forge recorded ${found.length} of ${claim.effects.length} updates, and its record is complete past that time`,
    todo: 'Treat the action as not done. Ask why the tool reported success, and whether the forge keeps a complete record.',
    statements: [claim.outcome.digest],
    events: found,
    credential: null,
  };
}

function updatesText(updates: readonly Pick<OpenEvent, 'ref' | 'new'>[]): string {
  return updates.map(({ ref, new: to }) => `${ref} at ${to}`).join(', ');
}

function notCovered(claim: ClaimedAction, found: readonly OpenEvent[], since: string): NewFinding {
  return {
    type: 'missing_coverage',
    severity: 'low',
    subject: `uncovered:${claim.outcome.digest}`,
    why: `action ${claim.action} began at ${claim.begun}, and the forge's record is read only from ${since} on: it can neither confirm nor contradict it`,
    todo: 'Look the update up at the forge by hand, or accept that this action has no corroboration.',
    statements: [claim.outcome.digest],
    events: found,
    credential: null,
  };
}

function unauthenticated(claim: ClaimedAction, found: readonly OpenEvent[]): NewFinding {
  return {
    type: 'ambiguous',
    severity: 'medium',
    subject: `unauthenticated:${claim.outcome.digest}`,
    why: `action ${claim.action} reports ${updatesText(claim.effects)}; git's reflog at the forge has it, but not the record of the forge's hook, which alone names an authenticated credential`,
    todo: 'The update is there. Ask why the hook of the forge did not write it down.',
    statements: [claim.outcome.digest],
    events: found,
    credential: null,
  };
}

function unknownAndDone(action: UnsettledAction, found: readonly OpenEvent[]): NewFinding {
  return {
    type: 'ambiguous',
    severity: 'medium',
    subject: `unknown-and-done:${action.statement}:${found[0]?.name}`,
    why: `what came of action ${action.action} was not seen, but the forge recorded ${updatesText(found)}, which is what it was to do: it was done, by this action or by another holder of the credential`,
    todo: 'Compare the update with the action. If it is the one that was meant, nothing is left to do.',
    statements: [action.statement],
    events: found,
    credential: found[0]?.credential ?? null,
  };
}

function unexplained(task: TaskRecord, event: OpenEvent): NewFinding {
  const what = `${event.repository} ${event.ref} from ${event.old} to ${event.new} at ${event.time}`;
  const base = { statements: [] as string[], events: [event], credential: event.credential };
  if (task.closedAt !== null && event.time > task.closedAt) {
    return {
      ...base,
      type: 'use_after_close',
      severity: 'critical',
      subject: `after-close:${event.name}`,
      why: `the forge accepted ${what}, with the credential of this task, after the task was closed at ${task.closedAt}`,
      todo: 'Revoke the credential at the forge now, undo the update, and find out who held it.',
      statements: task.closed ? [task.closed.digest] : [],
    };
  }
  return {
    ...base,
    type: 'hidden_side_effect',
    severity: 'high',
    subject: `hidden:${event.name}`,
    why: `the forge recorded ${what}, with the credential of this task, and no receipt explains it`,
    todo: 'Compare the update with the task, undo it if it was not wanted, and find out who else held the credential.',
    statements: [task.opened.digest],
  };
}

function refusedAccess(task: TaskRecord, group: readonly OpenEvent[]): NewFinding | null {
  const [first] = group;
  if (!first) return null;
  const times =
    group.length === 1
      ? `a request at ${first.time}`
      : `${group.length} requests from ${first.time} to ${group.at(-1)?.time}`;
  const base = { statements: [] as string[], events: group, credential: first.credential };
  if (first.reason === 'revoked') {
    return {
      ...base,
      type: 'use_after_close',
      severity: 'medium',
      subject: `refused-after-close:${first.name}`,
      why: `the forge refused ${times} with the credential of this task, which was revoked when the task closed`,
      todo: 'Nothing changed at the forge. Find out who still holds the credential of a finished task.',
      statements: task.closed ? [task.closed.digest] : [],
    };
  }
  if (first.reason === 'repository') {
    return {
      ...base,
      type: 'scope_excess',
      severity: 'high',
      subject: `scope:${first.name}`,
      why: `the forge refused ${times} with the credential of this task for ${first.repository}, which the task does not name`,
      todo: 'Nothing changed at the forge. Find out why a repository outside the task was tried.',
    };
  }
  return {
    ...base,
    type: 'unknown_credential',
    severity: 'high',
    subject: `claimed:${first.name}`,
    why: `the forge refused ${times} that claimed the credential of this task without its secret (${first.reason})`,
    todo: 'Somebody knows the id of the credential and not its secret. Find out from where the requests came.',
  };
}

/** An event under a credential that Deed never minted. */
export function foreign(event: OpenEvent): NewFinding {
  const what =
    event.kind === 'push'
      ? `accepted ${event.repository} ${event.ref} from ${event.old} to ${event.new}`
      : `refused a request (${event.reason})`;
  return {
    type: 'unknown_credential',
    severity: event.kind === 'push' ? 'critical' : 'high',
    subject: `unknown:${event.name}`,
    why: `the forge ${what} at ${event.time} under a credential that was never issued here`,
    todo: 'Find out who issued the credential. A person pushing directly belongs in the list of expected credentials; anything else is an intrusion.',
    statements: [],
    events: [event],
    credential: event.credential,
  };
}

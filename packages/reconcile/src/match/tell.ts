import type { SourceEvent } from '@deed/evidence';
import type { Claim, Expectation, MatchEvent, NewFinding, Question } from './claim.ts';
import { pairsText } from './compare.ts';
import type { Found } from './exact.ts';
import type { Nearest } from './nearest.ts';

const maxFields = 6;

export function phantom(claim: Claim, found: readonly Found[], events: readonly MatchEvent[]): NewFinding {
  const wanted = found.reduce((sum, { expectation }) => sum + expectation.count.min, 0);
  return {
    type: 'phantom_action',
    severity: 'high',
    subject: `phantom:${claim.statement}`,
    why: `action ${claim.action} reports ${textOf(found)}, but ${sourcesOf(found)} recorded ${events.length} of ${wanted}, and the record is complete past that time`,
    todo: 'Treat the action as not done. Ask why the tool reported success, and whether the system keeps a complete record.',
    statements: [claim.statement],
    events,
    credential: null,
  };
}

/** A success of which nothing left the gateway. */
export function nothingLeft(claim: Claim): NewFinding {
  return {
    type: 'phantom_action',
    severity: 'high',
    subject: `phantom:${claim.statement}`,
    why: `action ${claim.action} reports success, but ${claim.empty}`,
    todo: 'Treat the action as not done. Ask why the tool reported success.',
    statements: [claim.statement],
    events: [],
    credential: null,
  };
}

export function mismatch(
  claim: Claim,
  differing: readonly Pick<Found, 'expectation' | 'differ' | 'events'>[],
  events: readonly MatchEvent[],
): NewFinding {
  const parts = differing.flatMap(({ expectation, differ, events: own }) => {
    const wanted = [...expectation.same, ...expectation.near].filter(({ name }) => differ.includes(name));
    return own.map((each) => `${pairsText(wanted)}, but ${eventText(each)}`);
  });
  return {
    type: 'result_mismatch',
    severity: 'high',
    subject: `mismatch:${claim.statement}`,
    why: `action ${claim.action} reports ${parts.join('; ')}`,
    todo: 'Believe the record of the system. Correct what differs, and find out whether the tool or the system changed it.',
    statements: [claim.statement],
    events,
    credential: events[0]?.credential ?? null,
  };
}

/** It was reported as failed, and it happened. */
export function doneThough(claim: Claim, events: readonly MatchEvent[]): NewFinding {
  return {
    type: 'result_mismatch',
    severity: 'high',
    subject: `done-though:${claim.statement}`,
    why: `action ${claim.action} reports that it failed, but ${events.map(eventText).join('; ')}`,
    todo: 'Do not repeat the action before this is understood: it was done.',
    statements: [claim.statement],
    events,
    credential: events[0]?.credential ?? null,
  };
}

/** Events that may be the action's and say something else, and more than one of them. */
export function unlike(claim: Claim, near: Nearest, events: readonly MatchEvent[]): NewFinding {
  return {
    type: 'ambiguous',
    severity: 'high',
    subject: `unlike:${claim.statement}`,
    why: `action ${claim.action} reports ${near.expectation.text}; no record agrees, and ${near.events.length} differ in ${near.differ.join(', ')}: whether one of them is this action cannot be told`,
    todo: 'Compare these records with the action by hand. A tool that returns the system’s own id of the request would tell them apart.',
    statements: [claim.statement],
    events,
    credential: events[0]?.credential ?? null,
  };
}

export function fewer(claims: readonly Claim[], events: readonly MatchEvent[]): NewFinding {
  return {
    type: 'ambiguous',
    severity: 'high',
    subject: `fewer:${claims[0]?.statement}`,
    why: `${claims.length} actions report the same (${claims.map(({ action }) => action).join(', ')}), and ${events.length} records agree with them: ${claims.length - events.length} did not happen, and which cannot be told`,
    todo: 'Count what the system has. A tool that returns the system’s own id of the request would tell them apart.',
    statements: claims.map(({ statement }) => statement),
    events,
    credential: events[0]?.credential ?? null,
  };
}

export function notCovered(claim: Claim, events: readonly MatchEvent[], uncovered: string): NewFinding {
  return {
    type: 'missing_coverage',
    severity: 'low',
    subject: `uncovered:${claim.statement}`,
    why: `action ${claim.action} began at ${claim.begun}, and ${uncovered}: it can be neither confirmed nor contradicted`,
    todo: 'Look it up in the system by hand, or accept that this action has no corroboration.',
    statements: [claim.statement],
    events,
    credential: null,
  };
}

export function unproven(claim: Claim, found: readonly Found[], events: readonly MatchEvent[]): NewFinding {
  const why = found.find((each) => each.unproven)?.expectation.proof?.otherwise;
  return {
    type: 'ambiguous',
    severity: 'medium',
    subject: `unauthenticated:${claim.statement}`,
    why: `action ${claim.action} reports ${textOf(found)}; ${why}`,
    todo: 'It was done. Ask why the system did not write down who did it.',
    statements: [claim.statement],
    events,
    credential: null,
  };
}

export function unknownAndDone(claim: Claim, events: readonly MatchEvent[], isWhole: boolean): NewFinding {
  return {
    type: 'ambiguous',
    severity: 'medium',
    subject: `unknown-and-done:${claim.statement}:${events[0]?.ref.event}`,
    why: `what came of action ${claim.action} was not seen, but ${events.map(eventText).join('; ')}, which is ${isWhole ? '' : 'a part of '}what it was to do: it was done, by this action or by another holder of the credential`,
    todo: 'Compare the record with the action. If it is the one that was meant, nothing is left to do.',
    statements: [claim.statement],
    events,
    credential: events[0]?.credential ?? null,
  };
}

export function afterClose(each: MatchEvent, closed: { readonly digest: string; readonly time: string }): NewFinding {
  return {
    type: 'use_after_close',
    severity: 'critical',
    subject: `after-close:${each.ref.event}`,
    why: `${eventText(each)}, with the credential of this task, after the task was closed at ${closed.time}`,
    todo: 'Revoke the credential at the system now, undo the change, and find out who held it.',
    statements: [closed.digest],
    events: [each],
    credential: each.credential,
  };
}

export function outOfScope(each: MatchEvent): NewFinding {
  return {
    type: 'scope_excess',
    severity: 'critical',
    subject: `scope:${each.ref.event}`,
    why: `${eventText(each)}, with the credential of this task, and no tool that the task allows does that`,
    todo: 'Undo it, narrow what the credential may do at the system, and find out who held it.',
    statements: [],
    events: [each],
    credential: each.credential,
  };
}

export function repeated(each: MatchEvent, claim: Claim): NewFinding {
  return {
    type: 'duplicate_execution',
    severity: each.event.activity === 'read' ? 'low' : 'high',
    subject: `duplicate:${each.ref.event}`,
    why: `${eventText(each)}, the same as what action ${claim.action} did, once more inside its time, and no second receipt explains it`,
    todo: 'Undo one of the two. Ask whether the tool repeats a request without an idempotency key.',
    statements: [claim.statement],
    events: [each],
    credential: each.credential,
  };
}

export function hidden(each: MatchEvent, opened: string): NewFinding {
  return {
    type: 'hidden_side_effect',
    severity: 'high',
    subject: `hidden:${each.ref.event}`,
    why: `${eventText(each)}, with the credential of this task, and no receipt explains it`,
    todo: 'Compare the record with the task, undo the change if it was not wanted, and find out who else held the credential.',
    statements: [opened],
    events: [each],
    credential: each.credential,
  };
}

export function looked(group: readonly MatchEvent[], opened: string): NewFinding {
  const [first] = group;
  return {
    type: 'hidden_side_effect',
    severity: 'low',
    subject: `looked:${first?.ref.event}`,
    why: `${first ? eventText(first) : ''}${group.length > 1 ? `, and ${group.length - 1} more of that kind` : ''}, with the credential of this task, and no receipt explains it; nothing was changed`,
    todo: 'Compare what was read with the task. If the tool reads beside its calls, say so in its contract.',
    statements: [opened],
    events: group,
    credential: first?.credential ?? null,
  };
}

/** A statement that the log has, and no row that it changed. */
export function withoutRows(each: MatchEvent, source: string): NewFinding {
  return {
    type: 'ambiguous',
    severity: 'medium',
    subject: `without-rows:${each.ref.event}`,
    why: `${eventText(each)}, with the credential of this task, and source ${source} has no row of its transaction: it was rolled back, or what it changed is not read there`,
    todo: 'Look whether the table is among those that the source of the changes reads. If it is, nothing was changed.',
    statements: [],
    events: [each],
    credential: each.credential,
  };
}

/** Records whose dates cannot be true. */
export function adrift(group: readonly MatchEvent[], { opened, begun }: Question['task']): NewFinding {
  const times = group.map(({ event }) => event.time).sort();
  const [first] = group as readonly [MatchEvent, ...MatchEvent[]];
  return {
    type: 'ambiguous',
    severity: 'medium',
    subject: `adrift:${first.ref.event}`,
    why: `source ${first.ref.source} has ${group.length} ${group.length === 1 ? 'record' : 'records'} with the credential of this task dated from ${times[0]} to ${times.at(-1)}: the task began at ${begun}, and they cannot have happened then. Its clock is off, and what they belong to cannot be told by time`,
    todo: 'Set the clock of the system right, or say by how much it may be off. Compare these records with the actions of the task by hand.',
    statements: [opened],
    events: group,
    credential: first.credential,
  };
}

/** What the system refused; nothing changed there. The source says why in `fields.reason`, where it does. */
export function refused(group: readonly MatchEvent[], task: Question['task']): NewFinding {
  const [first, last] = [group[0] as MatchEvent, group.at(-1) as MatchEvent];
  const { event, ref, credential } = first;
  const reason = event.fields.reason ?? null;
  const times =
    group.length === 1
      ? `a request at ${event.time}`
      : `${group.length} requests from ${event.time} to ${last.event.time}`;
  const base = { events: group, credential, statements: [] as string[] };
  const what = `source ${ref.source} refused ${times} (${event.operation}${event.resource ? ` ${event.resource.uid}` : ''})`;
  const isLate = task.closed !== null && first.at > Date.parse(task.closed.time);
  if (reason === 'revoked' || (reason === null && isLate)) {
    return {
      ...base,
      type: 'use_after_close',
      severity: 'medium',
      subject: `refused-after-close:${ref.event}`,
      why: `${what} with the credential of this task, which was revoked when the task closed`,
      todo: 'Nothing changed there. Find out who still holds the credential of a finished task.',
      statements: task.closed ? [task.closed.digest] : [],
    };
  }
  if (reason === null || reason === 'repository' || reason === 'scope') {
    return {
      ...base,
      type: 'scope_excess',
      severity: 'high',
      subject: `refused-scope:${ref.event}`,
      why: `${what} with the credential of this task, and no receipt explains the attempt`,
      todo: 'Nothing changed there. Find out why something outside the task was tried.',
    };
  }
  return {
    ...base,
    type: 'unknown_credential',
    severity: 'high',
    subject: `claimed:${ref.event}`,
    why: `${what} that claimed the credential of this task without its secret (${reason})`,
    todo: 'Somebody knows the id of the credential and not its secret. Find out from where the requests came.',
  };
}

/** Events under a credential that Deed never minted. */
export function foreign(group: readonly MatchEvent[]): NewFinding {
  const [first] = group as readonly [MatchEvent, ...MatchEvent[]];
  const isDone = group.some(({ event }) => event.status !== 'failure' && event.activity !== 'read');
  return {
    type: 'unknown_credential',
    severity: isDone ? 'critical' : 'high',
    subject: `unknown:${first.ref.event}`,
    why: `${eventText(first)}${group.length > 1 ? `, and ${group.length - 1} more` : ''}, under a credential that was never issued here`,
    todo: 'Find out who issued the credential. A person or service that acts there directly belongs among the expected ones of the source; anything else is an intrusion.',
    statements: [],
    events: group,
    credential: first.credential,
  };
}

function eventText({ ref, event }: MatchEvent): string {
  return `source ${ref.source} ${verbOf(event)} ${describe(event)} at ${event.time}`;
}

function verbOf({ status }: SourceEvent): string {
  return status === 'failure' ? 'refused' : 'recorded';
}

function describe({ operation, resource, fields }: SourceEvent): string {
  const told = Object.entries(fields).filter(([, value]) => value !== null);
  const values = told.slice(0, maxFields).map(([name, value]) => `${name} ${value}`);
  const rest = told.length > maxFields ? [`${told.length - maxFields} more`] : [];
  const detail = [...values, ...rest].join(', ');
  return `${operation}${resource ? ` of ${resource.uid}` : ''}${detail ? ` (${detail})` : ''}`;
}

function textOf(found: readonly { readonly expectation: Expectation }[]): string {
  return found.map(({ expectation }) => expectation.text).join(', ');
}

function sourcesOf(found: readonly Found[]): string {
  const names = [...new Set(found.flatMap(({ expectation }) => expectation.sources))];
  return names.length === 1 ? `source ${names[0]}` : `the sources ${names.join(', ')}`;
}

import { parseActionRecord } from '../action-record.ts';
import { type Allow, admittedBy, attemptOf, decodeAllow } from '../allow/allow.ts';
import type { StatementWith } from '../statement.ts';
import { type Examination, type Logged, label } from './examination.ts';

/**
 * Each intent of a task is among what the task allows, counted in the order of the log. Of what is withheld or erased nothing is
 * said. An implicit task allows whatever policy does.
 */
export function checkAllowed(exam: Examination): void {
  for (const opened of exam.all('task-opened')) {
    const { allow: ref, implicit } = opened.statement.body;
    const bytes = implicit ? null : exam.payload(ref);
    const allow = bytes && exam.attempt(label(opened), () => decodeAllow(bytes));
    if (allow) countIntents(exam, opened, allow);
  }
}

function countIntents(exam: Examination, opened: Logged<StatementWith<'task-opened'>>, allow: Allow): void {
  const counts = allow.map(() => 0);
  for (const intent of exam.all('intent')) {
    if (intent.statement.series !== opened.statement.series) continue;
    const bytes = exam.payload(intent.statement.body.record);
    if (!bytes) continue;
    const entry = exam.attempt(label(intent), () => admittedBy(allow, attemptOf(parseActionRecord(bytes)), counts));
    if (entry === null) exam.forged(`${label(intent)}: it is not among the allowed actions of its task`);
    else if (entry !== undefined) counts[entry] = (counts[entry] ?? 0) + 1;
  }
}

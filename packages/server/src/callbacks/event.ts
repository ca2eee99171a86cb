import { predicateType, type Statement } from '@deed/evidence';

/** What a callback can be told of. */
export const callbackTopics = ['task', 'approval', 'finding', 'grant'] as const;
export type CallbackTopic = (typeof callbackTopics)[number];

/** The refusals that end an approval that was waited for. */
const refusals: ReadonlyMap<string, string> = new Map([
  ['rejected', 'deed.approval.rejected'],
  ['edited', 'deed.approval.rejected'],
  ['expired', 'deed.approval.expired'],
]);

/** What a callback says: a CloudEvents 1.0 event of ids and digests. Nothing in it would have to be erased. */
export interface CallbackEvent {
  readonly topic: CallbackTopic;
  readonly type: string;
  readonly subject: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Null for a statement that no callback tells of. What a person or an agent wrote stays out. */
export function eventOf(statement: Statement): CallbackEvent | null {
  const { position } = statement;
  const task = 'task' in position ? position.task : null;
  switch (statement.predicate) {
    case 'task-opened':
      return { topic: 'task', type: 'deed.task.opened', subject: task ?? '', data: { task } };
    case 'task-closed':
      return {
        topic: 'task',
        type: 'deed.task.closed',
        subject: task ?? '',
        data: { task, reason: statement.body.reason, statements: statement.body.count },
      };
    case 'approval': {
      const { action, record } = statement.body;
      const data = { task, action, record: record.sha256 };
      return { topic: 'approval', type: 'deed.approval.given', subject: action, data };
    }
    case 'refusal':
      return refused(statement.body.reason, statement.body.action, task);
    case 'finding': {
      const { finding, type, severity } = statement.body;
      const data = { task, finding, kind: type, severity };
      return { topic: 'finding', type: 'deed.finding', subject: finding, data };
    }
    case 'finding-changed': {
      const { finding, state, until, by } = statement.body;
      const data = { task, finding, state, until, by };
      return { topic: 'finding', type: 'deed.finding.changed', subject: finding, data };
    }
    case 'grant-decision': {
      const { grant, verdict, agent, grade, ceiling, expires } = statement.body;
      const data = { grant, verdict, agent, grade, ceiling, expires };
      return { topic: 'grant', type: 'deed.grant', subject: grant, data };
    }
    default:
      return null;
  }
}

/** The exact bytes' text of a callback: the same at each attempt. */
export function bodyOf(event: CallbackEvent, statement: Statement, index: number): string {
  const { type, subject, data } = event;
  return JSON.stringify({
    specversion: '1.0',
    id: statement.digest,
    source: `urn:deed:${encodeURIComponent(statement.origin)}`,
    type,
    subject,
    time: statement.time,
    datacontenttype: 'application/json',
    data: { ...data, index, statement: statement.digest, predicateType: predicateType(statement.predicate) },
  });
}

function refused(reason: string, action: string, task: string | null): CallbackEvent | null {
  const type = refusals.get(reason);
  return type === undefined ? null : { topic: 'approval', type, subject: action, data: { task, action, reason } };
}

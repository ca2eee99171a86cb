import { parseActionRecord } from '../action-record.ts';
import { gradeOf, isGrade, parseApproval } from '../approval.ts';
import { keyId } from '../dsse.ts';
import { fromBase64, fromUtf8 } from '../encoding.ts';
import { isSameJson, parseStrictJson } from '../json.ts';
import type { StatementWith } from '../statement.ts';
import { openWord, spkiOfPerson } from '../word.ts';
import { actorOf, openedOf, partiesOf } from './actor.ts';
import { type Examination, type Logged, label, need } from './examination.ts';
import { enrolled } from './standing.ts';

type Intent = Logged<StatementWith<'intent'>>;
type Approval = Logged<StatementWith<'approval'>>;
type Refusal = Logged<StatementWith<'refusal'>>;

/** One approval in itself: a person who may, with a key of his, signed exactly this, and its grade is what its rule says. */
export function checkApproval(exam: Examination, logged: Approval): void {
  const { statement, index } = logged;
  const { body, position, time, origin, separation } = statement;
  const word = parseApproval(openWord('deed-approval-v1', body.approval));
  need(word.decision === 'approve', 'the word is not an approval');
  need(word.origin === origin && 'task' in position && word.task === position.task, 'approved for another task');
  need(word.action === body.action && word.record === body.record.sha256, 'approved was another action');
  need(word.rendering === body.rendering.sha256, 'shown was another rendering');
  need(word.person === body.person.id, 'another person signed');
  need(word.notBefore <= time && time <= word.expires, 'outside the time for which it was given');
  need(body.grade === gradeOf(body.approval.signature.kind, separation), 'its grade is not what its rule says');
  const person = enrolled(exam, word.person, body.approval, 'approver', index);
  need(person.statement.digest === body.person.enrolled, 'cites another enrolment');
}

/** One rejection or edit: a person who may said so of exactly this action. */
export function checkRejection(exam: Examination, { statement, index }: Refusal): void {
  const { rejection, action, record, reason, edit } = statement.body;
  const { position, origin } = statement;
  if (!rejection) return;
  const word = parseApproval(openWord('deed-approval-v1', rejection));
  enrolled(exam, word.person, rejection, 'approver', index);
  need(word.decision === (reason === 'edited' ? 'edit' : 'reject'), `the word does not say ${reason}`);
  need(word.arguments === (edit?.sha256 ?? null), 'the word asks for other arguments');
  need(word.origin === origin && 'task' in position && word.task === position.task, 'the rejection is of another task');
  need(word.action === action, 'the rejection is of another action');
  need(record === null || word.record === record.sha256, 'the rejection is of another record');
}

/**
 * The approvals that an intent consumes: of exactly this action, before it, in time, used by nothing else, by as many people as its
 * decision asks for, each with a key of his own and at the grade asked for, and none of them somebody who asked for the action.
 * @param used the approvals that were used, by what; what this intent uses is added
 */
export function checkApprovals(exam: Examination, intent: Intent, used: Map<string, string>): void {
  const { approvals, tier, decision } = intent.statement.body;
  const { quorum } = decision;
  if ((tier === 'approve') !== (quorum !== null)) {
    exam.forged(`${label(intent)}: tier ${tier} and ${quorum ? 'a quorum' : 'no quorum'} of approvals`);
  }
  const found = approvals.flatMap((digest) => {
    const approval = exam.find(digest, 'approval');
    if (!approval) exam.incomplete(`${label(intent)}: its approval is not here`);
    exam.attempt(label(intent), () => need(!used.has(digest), 'its approval was used before'));
    used.set(digest, intent.statement.digest);
    return approval ? [approval] : [];
  });
  const needed = Math.max(quorum?.people ?? 0, tier === 'approve' ? 1 : 0);
  if (approvals.length < needed) {
    const had = approvals.length === 0 ? 'without an approval' : `with ${approvals.length} approvals`;
    exam.forged(`${label(intent)}: tier ${tier} ${had}; asked for ${needed === 1 ? 'is one' : `are ${needed}`}`);
  }
  exam.attempt(label(intent), () => {
    for (const approval of found) checkUse(intent, approval);
    const bodies = found.map(({ statement }) => statement.body);
    const people = new Set(bodies.map(({ person }) => person.id));
    const keys = new Set(bodies.map(({ approval: { signature } }) => keyOf(signature)));
    need(
      people.size === found.length && keys.size === found.length,
      'its approvals are not of as many people and keys',
    );
    need(new Set(bodies.map(({ rendering }) => rendering.sha256)).size <= 1, 'its approvers were not shown the same');
    for (const { grade } of bodies)
      need(!quorum || isGrade(grade, quorum.grade), `an approval is only of grade ${grade}`);
    for (const { person } of bodies) {
      const why = whyPartial(exam, intent, person.id);
      need(why === null, `${person.id} approved, and ${why}`);
    }
  });
}

function checkUse({ statement, index }: Intent, approval: Approval): void {
  const { action, record } = statement.body;
  const { body } = approval.statement;
  need(body.action === action && body.record.sha256 === record.sha256, 'its approval is for another action');
  need(approval.index < index, 'approved later');
  const { expires } = parseApproval(fromBase64(body.approval.bytes));
  need(statement.time <= expires, 'begun after its approval ended');
}

function keyOf({ kind, key }: StatementWith<'approval'>['body']['approval']['signature']): string {
  return keyId(spkiOfPerson({ kind, public: key }));
}

/** Why a person is no judge of an action, as far as the case tells: it is his own. Null if nothing says so. */
function whyPartial(exam: Examination, intent: Intent, person: string): string | null {
  const { authority, record } = intent.statement.body;
  if (principalOf(exam, intent) === person) return 'the task is on behalf of that person';
  const owners = partiesOf(actorOf(exam, intent, authority.chain)).map(
    (agent) => exam.find(agent.enrolled, 'agent-enrolled')?.statement.body.owner,
  );
  if (owners.includes(person)) return 'is the owner of an agent that acts here';
  const bytes = exam.payload(record);
  return bytes && parseActionRecord(bytes).author?.person === person ? 'wrote its arguments' : null;
}

/** The person on whose behalf a task runs; null for anybody else, and where the payload is not here. */
function principalOf(exam: Examination, intent: Intent): string | null {
  const bytes = exam.payload(openedOf(exam, intent).statement.body.principal);
  const { kind, id } = (bytes ? parseStrictJson(bytes).value : {}) as {
    readonly kind?: unknown;
    readonly id?: unknown;
  };
  return kind === 'person' && typeof id === 'string' ? id : null;
}

/** Arguments that a person wrote come from his signed edit of an action of the same task and tool, which did not happen. */
export function checkAuthor(exam: Examination, intent: Intent): void {
  const { statement, index } = intent;
  const bytes = exam.payload(statement.body.record);
  const record = bytes && parseActionRecord(bytes);
  if (!record?.author) return;
  const { person, edits } = record.author;
  const refusal = exam
    .all('refusal')
    .find((one) => one.statement.body.action === edits && one.statement.body.reason === 'edited');
  const rejection = refusal?.statement.body.rejection;
  if (!refusal || !rejection) {
    exam.incomplete(`${label(intent)}: the edit by which a person wrote its arguments is not here`);
    return;
  }
  const word = parseApproval(fromBase64(rejection.bytes));
  const { tool, method, edit } = refusal.statement.body;
  const asked = exam.payload(edit);
  need(refusal.index < index && refusal.statement.series === statement.series, 'its edit is later, or of another task');
  need(word.decision === 'edit' && word.person === person, 'its arguments were not written by who is named');
  need(!asked || isSameJson(fromUtf8(asked), record.arguments), 'its arguments are not those of the edit');
  need(
    tool?.server === record.server && tool.name === record.tool && method === record.method,
    'another tool was edited',
  );
}

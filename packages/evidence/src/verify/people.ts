import { parseActivation } from '../activation.ts';
import { parseApproval } from '../approval.ts';
import { encodePolicyManifest } from '../case/case-json.ts';
import { members } from '../case/members.ts';
import { toHex } from '../encoding.ts';
import { EvidenceError } from '../errors.ts';
import { sha256 } from '../platform.ts';
import type { StatementWith } from '../statement.ts';
import { openWord, type Word } from '../word.ts';
import { type Examination, type Logged, label, need } from './examination.ts';

/** What people signed: approvals and rejections of exactly this action and rendering, activations of exactly this policy. */
export function checkPeople(exam: Examination): string | null {
  let words = 0;
  for (const logged of exam.all('approval')) {
    words++;
    exam.attempt(label(logged), () => checkApproval(exam, logged));
  }
  for (const logged of exam.all('refusal')) {
    const { rejection, action, record, reason } = logged.statement.body;
    const { position } = logged.statement;
    if (reason === 'rejected' && !rejection)
      exam.forged(`${label(logged)}: called rejected, but there is no signed rejection`);
    if (!rejection) continue;
    words++;
    exam.attempt(label(logged), () => {
      const word = parseApproval(openWord('deed-approval-v1', rejection));
      enrolled(exam, word.person, rejection, 'approver', logged.index);
      need(word.decision === 'reject', 'the word is not a rejection');
      need(
        word.origin === logged.statement.origin && 'task' in position && word.task === position.task,
        'the rejection is of another task',
      );
      need(word.action === action, 'the rejection is of another action');
      need(record === null || word.record === record.sha256, 'the rejection is of another record');
    });
  }
  for (const logged of exam.all('policy-activated')) {
    words++;
    exam.attempt(label(logged), () => checkActivation(exam, logged));
  }
  return `${words} words of people`;
}

function checkApproval(exam: Examination, logged: Logged<StatementWith<'approval'>>): void {
  const { statement, index } = logged;
  const { body, position, time } = statement;
  const word = parseApproval(openWord('deed-approval-v1', body.approval));
  need(word.decision === 'approve', 'the word is not an approval');
  need(
    word.origin === statement.origin && 'task' in position && word.task === position.task,
    'approved for another task',
  );
  need(word.action === body.action && word.record === body.record.sha256, 'approved was another action');
  need(word.rendering === body.rendering.sha256, 'shown was another rendering');
  need(word.person === body.person.id, 'another person signed');
  need(word.notBefore <= time && time <= word.expires, 'outside the time for which it was given');
  const person = enrolled(exam, word.person, body.approval, 'approver', index);
  need(person.statement.digest === body.person.enrolled, 'cites another enrolment');
}

function checkActivation(exam: Examination, logged: Logged<StatementWith<'policy-activated'>>): void {
  const { body, origin, subject } = logged.statement;
  const word = parseActivation(openWord('deed-activation-v1', body.activation));
  need(
    word.origin === origin && word.bundle === body.bundle && word.version === body.version,
    'another policy was activated',
  );
  need(word.version === logged.statement.position.n + 1, 'its version is not the next one: an old word was used again');
  need(word.person === body.person, 'another person signed');
  enrolled(exam, word.person, body.activation, 'operator', logged.index);
  const manifest = encodePolicyManifest(body.files);
  need(
    toHex(sha256(manifest)) === body.bundle && subject.sha256 === body.bundle,
    'the bundle is not the digest of its files',
  );
  const held = exam.members.get(members.manifest(body.bundle));
  if (!held) return;
  need(toHex(sha256(held)) === body.bundle, 'the manifest that is here is not that of its bundle');
  for (const { path, sha256: digest } of body.files) {
    const file = exam.members.get(members.policyFile(body.bundle, path));
    if (!file) exam.incomplete(`${label(logged)}: its file ${path} is not here`);
    else need(toHex(sha256(file)) === digest, `its file ${path} is another`);
  }
}

/** The enrolment of the person who signed a word, before a log index. @throws EvidenceError case */
export function enrolled(
  exam: Examination,
  person: string,
  word: Word,
  role: 'operator' | 'approver',
  before: number,
): Logged<StatementWith<'person-enrolled'>> {
  const found = exam.all('person-enrolled').find(({ statement }) => statement.body.person === person);
  if (!found) throw new EvidenceError('case', `person ${person} is not enrolled in this case`);
  const { key, roles } = found.statement.body;
  need(found.index < before, 'the person was enrolled later');
  need(
    key.kind === word.signature.kind && key.public === word.signature.key,
    "signed with a key that is not the person's",
  );
  need(roles.includes(role), `the person is no ${role}`);
  return found;
}

import { parseActivation } from '../activation.ts';
import { parseApproval } from '../approval.ts';
import { encodePolicyManifest } from '../case/case-json.ts';
import { members } from '../case/members.ts';
import { toHex } from '../encoding.ts';
import { DeedError, EvidenceError } from '../errors.ts';
import { changeOf, changePeople, type Enrolled, type EnrolledPerson, isHere, isKey } from '../people.ts';
import { sha256 } from '../platform.ts';
import type { PersonRole } from '../predicates.ts';
import type { StatementWith } from '../statement.ts';
import { openWord, type Word } from '../word.ts';
import { type Examination, type Logged, label, need } from './examination.ts';

/** What people signed: changes among themselves, approvals and rejections of exactly this action and rendering, activations. */
export function checkPeople(exam: Examination): string | null {
  const { changes, faults } = peopleOf(exam);
  let words = changes;
  for (const fault of faults) exam.forged(fault);
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

/** The enrolment of the person who signed a word, as he stood before a log index. @throws EvidenceError case */
export function enrolled(
  exam: Examination,
  person: string,
  word: Word,
  role: PersonRole,
  before: number,
): Logged<StatementWith<'person-enrolled'>> {
  const { found, standing } = standingOf(exam, person, before);
  const { kind, key } = word.signature;
  need(
    standing.keys.some((known) => isKey(known, { kind, public: key })),
    "signed with a key that is not the person's",
  );
  need(standing.roles.includes(role), `the person is no ${role}`);
  return found;
}

/** A person as he stood before a log index. @throws EvidenceError case (not enrolled, or later, or removed by then) */
export function standingOf(
  exam: Examination,
  person: string,
  before: number,
): { readonly found: Logged<StatementWith<'person-enrolled'>>; readonly standing: EnrolledPerson } {
  const found = exam.all('person-enrolled').find(({ statement }) => statement.body.person === person);
  if (!found) throw new EvidenceError('case', `person ${person} is not enrolled in this case`);
  need(found.index < before, 'the person was enrolled later');
  const standing = peopleOf(exam)
    .states.findLast(({ index }) => index < before)
    ?.people.get(person);
  if (!isHere(standing)) throw new EvidenceError('case', `person ${person} was removed by then, or never let in`);
  return { found, standing };
}

interface History {
  /** The people from each change on, in the order of the log. */
  readonly states: readonly { readonly index: number; readonly people: Enrolled }[];
  /** What is wrong with changes: these change nothing. */
  readonly faults: readonly string[];
  readonly changes: number;
}

const histories = new WeakMap<Examination, History>();

/** Follows the series `people` from its beginning. */
function peopleOf(exam: Examination): History {
  const known = histories.get(exam);
  if (known) return known;
  const states: { index: number; people: Enrolled }[] = [];
  const faults: string[] = [];
  let people: Enrolled = new Map();
  let changes = 0;
  for (const logged of exam.statements) {
    const { statement, index } = logged;
    if (statement.predicate !== 'person-enrolled' && statement.predicate !== 'person-changed') continue;
    const ordered = changeOf(statement);
    changes += ordered.order?.words.length ?? 0;
    try {
      people = changePeople(people, ordered, statement.digest);
      states.push({ index, people });
    } catch (error) {
      if (!(error instanceof DeedError)) throw error;
      faults.push(`${label(logged)}: ${error.message}`);
    }
  }
  const history = { states, faults, changes };
  histories.set(exam, history);
  return history;
}

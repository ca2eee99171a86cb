import { DeedError, EvidenceError } from '../errors.ts';
import { changeOf, changePeople, type Enrolled, type EnrolledPerson, isHere, isKey } from '../people.ts';
import type { PersonRole } from '../predicates.ts';
import type { StatementWith } from '../statement.ts';
import type { Word } from '../word.ts';
import { type Examination, type Logged, label, need } from './examination.ts';

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
export function peopleOf(exam: Examination): History {
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

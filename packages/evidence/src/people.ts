/**
 * Who the people of a deployment are, and who may change that (docs/formats/checks.md, "people"). The server asks these rules
 * before it records a change, the verifier asks the same ones of what was recorded.
 */
import { keyId } from './dsse.ts';
import { EvidenceError } from './errors.ts';
import { isSameChange, type PeopleChange, parsePeopleWord } from './people-word.ts';
import type { PersonKey, PersonRole } from './predicates.ts';
import type { StatementWith } from './statement.ts';
import { noPredecessor } from './statement-form.ts';
import { openWord, spkiOfPerson, type Word } from './word.ts';

/** A person as he stands at some place in the log. */
export interface EnrolledPerson {
  readonly id: string;
  readonly roles: readonly PersonRole[];
  readonly keys: readonly PersonKey[];
  /** Digest of the enrolment statement. */
  readonly enrolled: string;
}

/** Everybody who was ever enrolled, by id: an id is nobody else's, and who was removed has neither roles nor keys. */
export type Enrolled = ReadonlyMap<string, EnrolledPerson>;

/** Who ordered a change. */
export interface PeopleOrder {
  readonly words: readonly Word[];
  /** One operator did alone what takes two people once there are two operators. */
  readonly alone: boolean;
}

/** A change among the people, before or after it is a statement. */
export interface OrderedChange {
  readonly origin: string;
  /** Digest of the statement before it in the series `people`. */
  readonly after: string;
  readonly person: string;
  readonly change: PeopleChange;
  readonly order: PeopleOrder | undefined;
}

export type PeopleStatement = StatementWith<'person-enrolled'> | StatementWith<'person-changed'>;

/** The change that a statement of the series `people` makes. */
export function changeOf(statement: PeopleStatement): OrderedChange {
  const { origin, prev, body } = statement;
  const change: PeopleChange = 'change' in body ? body.change : { kind: 'enrolled', key: body.key, roles: body.roles };
  return { origin, after: prev, person: body.person, change, order: body.order };
}

/**
 * The people after a change.
 * @param enrolled digest of the statement, for an enrolment
 * @throws EvidenceError people (it makes no sense, nobody may order it, or those who did may not)
 */
export function changePeople(before: Enrolled, ordered: OrderedChange, enrolled: string): Enrolled {
  const after = applyChange(before, ordered, enrolled);
  checkOrder(before, after, ordered);
  return after;
}

/** What is said where one word came and it takes two. */
export const takesTwoWords = 'this takes the words of two people';

/** True where a change takes the words of two people, unless there is only one operator. */
export function takesTwo(before: Enrolled, { person, change }: Pick<OrderedChange, 'person' | 'change'>): boolean {
  const left = operators(applyChange(before, { person, change }, '')).length;
  return widens(before, person, change) || (left < 2 && left < operators(before).length);
}

function applyChange(
  before: Enrolled,
  { person: id, change }: Pick<OrderedChange, 'person' | 'change'>,
  enrolled: string,
): Enrolled {
  const after = new Map(before);
  if (change.kind === 'enrolled') {
    need(!before.has(id), `${id} was enrolled before`);
    return after.set(id, { id, roles: change.roles, keys: [change.key], enrolled });
  }
  const person = before.get(id);
  if (!isHere(person)) throw new EvidenceError('people', `${id} is not enrolled`);
  switch (change.kind) {
    case 'key-added':
      need(!person.keys.some((key) => isKey(key, change.key)), `${id} has this key already`);
      return after.set(id, { ...person, keys: [...person.keys, change.key] });
    case 'key-removed': {
      const keys = person.keys.filter((key) => !isKey(key, change.key));
      need(keys.length < person.keys.length, `${id} has no such key`);
      need(keys.length > 0, `it is the only key of ${id}: remove the person instead`);
      return after.set(id, { ...person, keys });
    }
    case 'roles':
      return after.set(id, { ...person, roles: change.roles });
    case 'removed':
      return after.set(id, { ...person, roles: [], keys: [] });
  }
}

/** A change that lets somebody decide what he could not decide before, or with a key that he did not have. */
function widens(before: Enrolled, id: string, change: PeopleChange): boolean {
  if (change.kind === 'key-added') return true;
  if (change.kind !== 'enrolled' && change.kind !== 'roles') return false;
  const had = before.get(id)?.roles ?? [];
  return change.roles.some((role) => role !== 'auditor' && !had.includes(role));
}

function checkOrder(before: Enrolled, after: Enrolled, { origin, after: prev, person, change, order }: OrderedChange) {
  if (prev === noPredecessor) {
    need(order === undefined, 'nobody was there to order the first enrolment');
    return; // the registrar's word alone: docs/formats/predicates.md says so
  }
  if (!order) throw new EvidenceError('people', 'nobody ordered it');
  need(operators(after).length > 0, 'nobody would be left who may operate');
  const signers = order.words.map((word) => {
    const said = parsePeopleWord(openWord('deed-people-v1', word));
    need(said.origin === origin && said.after === prev, 'the word was given for another place in the log');
    need(said.person === person && isSameChange(said.change, change), 'the word orders another change');
    return signerOf(before, said.by, word);
  });
  need(new Set(signers.map(({ id }) => id)).size === signers.length, 'both words are of one person');
  const isOperator = signers.some(({ roles }) => roles.includes('operator'));
  if (!takesTwo(before, { person, change })) {
    need(!order.alone, 'nothing was done alone that takes two people');
    need(isOperator || signers.some(({ id }) => id === person), 'ordered by somebody who is no operator');
    return;
  }
  need(isOperator, 'ordered by somebody who is no operator');
  for (const { id, roles } of signers) need(id === person || roles.some(decides), `${id} has no say in this`);
  const alone = signers.length === 1;
  need(!alone || operators(before).length === 1, takesTwoWords);
  need(alone === order.alone, 'whether one operator did it alone is not as it says');
}

/** @throws EvidenceError people */
function signerOf(people: Enrolled, id: string, { signature }: Word): EnrolledPerson {
  const person = people.get(id);
  if (!isHere(person)) throw new EvidenceError('people', `ordered by ${id}, who is not enrolled`);
  const key = { kind: signature.kind, public: signature.key };
  need(
    person.keys.some((known) => isKey(known, key)),
    `signed with a key that ${id} does not have`,
  );
  return person;
}

function operators(people: Enrolled): EnrolledPerson[] {
  return [...people.values()].filter(({ roles }) => roles.includes('operator'));
}

/** True of somebody who is enrolled and was not removed. */
export function isHere(person: EnrolledPerson | undefined): person is EnrolledPerson {
  return person !== undefined && person.keys.length > 0;
}

/**
 * What two sides compare before a key counts: the first 16 bytes of its id (SHA-256 of the SPKI), in eight groups of four hex
 * digits. @throws EvidenceError key, encoding
 */
export function fingerprintOf(key: PersonKey): string {
  return (keyId(spkiOfPerson(key)).slice(0, 32).match(/.{4}/g) ?? []).join(' ');
}

function decides(role: PersonRole): boolean {
  return role !== 'auditor';
}

export function isKey(a: PersonKey, b: PersonKey): boolean {
  return a.kind === b.kind && a.public === b.public;
}

function need(holds: boolean, otherwise: string): void {
  if (!holds) throw new EvidenceError('people', otherwise);
}

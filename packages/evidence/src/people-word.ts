import { z } from 'zod';
import { utf8 } from './encoding.ts';
import { EvidenceError } from './errors.ts';
import { idPattern } from './ids.ts';
import { parseStrictJson } from './json.ts';
import {
  type PersonKey,
  type PersonRole,
  personChange,
  personKey,
  personRoles,
  sha256Hex,
  timestamp,
} from './predicates.ts';

const sentence = 'I order exactly this change among the people of this deployment.';

const change = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('enrolled'), key: personKey, roles: personRoles }),
  ...personChange.options,
]);
/** What is to become of a person: enrolled, or one of the changes of `person-changed`. */
export type PeopleChange = z.infer<typeof change>;

const schema = z.strictObject({
  v: z.literal(1),
  type: z.literal('deed-people'),
  says: z.literal(sentence),
  origin: z.string(),
  /** Digest of the newest statement of the series `people`: the word serves for the next one and never again. */
  after: sha256Hex,
  person: z.string().regex(idPattern('person')),
  change,
  by: z.string().regex(idPattern('person')),
  time: timestamp,
});
/** What somebody signs to order a change among the people, under the domain `deed-people-v1`. */
export type PeopleWord = z.infer<typeof schema>;

export function encodePeopleWord(fields: Omit<PeopleWord, 'v' | 'type' | 'says'>): Uint8Array {
  const { origin, after, person, by, time } = fields;
  const head = { v: 1, type: 'deed-people', says: sentence, origin, after, person };
  return utf8(JSON.stringify({ ...head, change: ordered(fields.change), by, time }));
}

/** @throws EvidenceError statement, json */
export function parsePeopleWord(bytes: Uint8Array): PeopleWord {
  const parsed = schema.safeParse(parseStrictJson(bytes).value);
  if (!parsed.success) throw new EvidenceError('statement', `people word: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

/** @throws EvidenceError statement */
export function parsePeopleChange(value: unknown): PeopleChange {
  const parsed = change.safeParse(value);
  if (!parsed.success) throw new EvidenceError('statement', `change: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

/** Two changes are the same if their members are, in whatever order they were written. */
export function isSameChange(a: PeopleChange, b: PeopleChange): boolean {
  return JSON.stringify(ordered(a)) === JSON.stringify(ordered(b));
}

function ordered(change: PeopleChange): PeopleChange {
  const { kind } = change;
  switch (kind) {
    case 'enrolled':
      return { kind, key: orderedKey(change.key), roles: orderedRoles(change.roles) };
    case 'roles':
      return { kind, roles: orderedRoles(change.roles) };
    case 'removed':
      return { kind };
    default:
      return { kind, key: orderedKey(change.key) };
  }
}

function orderedKey({ kind, public: bytes }: PersonKey): PersonKey {
  return { kind, public: bytes };
}

function orderedRoles(roles: readonly PersonRole[]): PersonRole[] {
  return roles.toSorted();
}

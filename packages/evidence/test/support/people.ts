import { toBase64, toHex } from '../../src/encoding.ts';
import { newId } from '../../src/ids.ts';
import { encodePeopleWord, type PeopleChange, type PeopleWord } from '../../src/people-word.ts';
import { sha256 } from '../../src/platform.ts';
import type { PersonRole } from '../../src/predicates.ts';
import { noPredecessor } from '../../src/statement-form.ts';
import type { Word } from '../../src/word.ts';
import { actors, newSigner, origin, type Signer, signWord } from './actors.ts';
import type { Draft } from './log-maker.ts';
import { start } from './props.ts';
import type { Story } from './story.ts';

/** Somebody of the story who orders a change: his id and the key that he signs with. */
export interface Orderer {
  readonly id: string;
  readonly signer: Signer;
  /** What he signs, where it is not the change. */
  readonly over?: Partial<PeopleWord>;
}

export const first = (story: Story, over: Partial<PeopleWord> = {}): Orderer => ({
  id: story.person,
  signer: actors.person,
  over,
});

export const keyOf = (signer: Signer) => ({ kind: 'es256' as const, public: toBase64(signer.spki) });

/** The words that order a change, each over the newest statement of the series. */
export function wordsOf(
  story: Story,
  person: string,
  change: PeopleChange,
  orderers: readonly Orderer[],
): readonly Word[] {
  const after = story.log.head('people')?.digest ?? noPredecessor;
  return orderers.map(({ id, signer, over }) => {
    const word = { origin, after, person, change, by: id, time: story.time(), ...over };
    return signWord('deed-people-v1', encodePeopleWord(word), signer);
  });
}

/** Another person, let in by the words of those who are named: the first one alone, if nobody is. */
export function tellPerson(
  story: Story,
  step: string,
  {
    roles,
    by = [first(story)],
    signer = newSigner(),
    kind = 'es256',
    alone = by.length === 1,
    id = newId('person', start),
    over,
  }: {
    readonly roles: PersonRole[];
    readonly by?: readonly Orderer[];
    readonly signer?: Signer;
    readonly kind?: 'es256' | 'webauthn';
    readonly alone?: boolean;
    readonly id?: string;
    readonly over?: Partial<Draft>;
  },
): Orderer {
  const key = { ...keyOf(signer), kind };
  const words = wordsOf(story, id, { kind: 'enrolled', key, roles }, by);
  story.record({
    step,
    predicate: 'person-enrolled',
    place: { series: 'people' },
    subject: { name: `person:${id}`, sha256: toHex(sha256(signer.spki)) },
    body: { person: id, key, roles, ...(by.length === 0 ? {} : { order: { words, alone } }) },
    signer: actors.registrar,
    ...over,
  });
  return { id, signer };
}

/** What becomes of a person, by the words of those who are named. */
export function tellChange(
  story: Story,
  person: string,
  change: PeopleChange,
  { by, alone = false, over }: { by: readonly Orderer[]; alone?: boolean; over?: Partial<Draft> },
): void {
  const words = wordsOf(story, person, change, by);
  story.record({
    step: `changed:${change.kind}`,
    predicate: 'person-changed',
    place: { series: 'people' },
    subject: {
      name: `person:${person}`,
      sha256: toHex(sha256(new Uint8Array(Buffer.from(words[0]?.bytes ?? '', 'base64')))),
    },
    body: { person, change, order: { words, alone } },
    signer: actors.registrar,
    ...over,
  });
}

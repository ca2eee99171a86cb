import { newId } from '../../../src/ids.ts';
import { actors, newSigner } from '../../support/actors.ts';
import { after, all, type BentCases, set } from '../../support/bends.ts';
import { first, keyOf, type Orderer, tellChange, tellPerson } from '../../support/people.ts';
import { start } from '../../support/props.ts';
import type { Bend, Story } from '../../support/story.ts';

/** After the first person come those whom the story needs. */
const told = (tell: (story: Story) => void): Bend => all({ parts: ['read'] }, after('person', tell));
const colleague = (story: Story, ...by: Orderer[]) =>
  tellPerson(story, 'colleague', { roles: ['operator'], by: [first(story), ...by] });
const approver = (story: Story, by: readonly Orderer[] = [first(story)]) =>
  tellPerson(story, 'approver', { roles: ['approver'], by });
const nobody = newId('person', start);

/** What an insider could try among the people, each told as he would state it. */
export const accounts: BentCases = {
  'a second person whom nobody ordered': {
    bend: told((story) => void tellPerson(story, 'friend', { roles: ['approver'], by: [] })),
    check: 'people',
    says: /nobody ordered it/,
  },
  'a person let in by his own word': {
    bend: told((story) => {
      const signer = newSigner();
      tellPerson(story, 'friend', { roles: ['approver'], signer, by: [{ id: nobody, signer }] });
    }),
    check: 'people',
    says: /who is not enrolled/,
  },
  'a person let in with another role than was ordered': {
    bend: told((story) => {
      const key = keyOf(newSigner());
      const by = [first(story, { change: { kind: 'enrolled', key, roles: ['auditor'] } })];
      tellPerson(story, 'friend', { roles: ['operator'], by });
    }),
    check: 'people',
    says: /orders another change/,
  },
  'an order of another deployment': {
    bend: told(
      (story) => void tellPerson(story, 'f', { roles: ['approver'], by: [first(story, { origin: 'x.org' })] }),
    ),
    check: 'people',
    says: /another place in the log/,
  },
  'an order that served before': {
    bend: told((story) => {
      const before = story.log.head('people')?.digest ?? '';
      const friend = approver(story);
      tellChange(story, friend.id, { kind: 'roles', roles: ['auditor'] }, { by: [first(story, { after: before })] });
    }),
    check: 'people',
    says: /another place in the log/,
  },
  'a person let in by somebody who is no operator': {
    bend: told(
      (story) => void tellPerson(story, 'friend', { roles: ['auditor'], by: [approver(story)], alone: false }),
    ),
    check: 'people',
    says: /no operator/,
  },
  'an operator who lets in a second account of his own, although there is a colleague': {
    bend: told((story) => {
      colleague(story);
      approver(story);
    }),
    check: 'people',
    says: /takes the words of two people/,
  },
  'an operator who gives himself a role, although there is a colleague': {
    bend: told((story) => {
      const other = colleague(story);
      const change = { kind: 'roles', roles: ['approver', 'operator'] } as const;
      tellChange(story, other.id, { ...change, roles: [...change.roles] }, { by: [other] });
    }),
    check: 'people',
    says: /takes the words of two people/,
  },
  'an operator who gives himself a key, although there is a colleague': {
    bend: told((story) => {
      colleague(story);
      tellChange(
        story,
        story.person,
        { kind: 'key-added', key: keyOf(newSigner()) },
        { by: [first(story)], alone: true },
      );
    }),
    check: 'people',
    says: /takes the words of two people/,
  },
  'an operator who gives a colleague a key that is his own': {
    bend: told((story) => {
      const other = colleague(story);
      tellChange(story, other.id, { kind: 'key-added', key: keyOf(newSigner()) }, { by: [first(story)] });
    }),
    check: 'people',
    says: /takes the words of two people/,
  },
  'an operator who removes the only other one': {
    bend: told((story) => tellChange(story, colleague(story).id, { kind: 'removed' }, { by: [first(story)] })),
    check: 'people',
    says: /takes the words of two people/,
  },
  'two words of one person': {
    bend: told((story) => {
      colleague(story);
      approver(story, [first(story), first(story)]);
    }),
    check: 'people',
    says: /both words are of one person/,
  },
  'a second word by an auditor': {
    bend: told((story) => {
      const auditor = tellPerson(story, 'auditor', { roles: ['auditor'], alone: false });
      colleague(story, auditor);
    }),
    check: 'people',
    says: /has no say/,
  },
  'what one operator did alone, without saying so': {
    bend: told((story) => void tellPerson(story, 'friend', { roles: ['approver'], alone: false })),
    check: 'people',
    says: /whether one operator did it alone/,
  },
  'what needs no second person called done alone': {
    bend: told((story) => void tellPerson(story, 'auditor', { roles: ['auditor'], alone: true })),
    check: 'people',
    says: /nothing was done alone/,
  },
  'the last operator removed': {
    bend: told((story) => tellChange(story, story.person, { kind: 'removed' }, { by: [first(story)], alone: true })),
    check: 'people',
    says: /nobody would be left/,
  },
  'somebody who was removed enrolled again under the old id': {
    bend: told((story) => {
      const friend = approver(story);
      tellChange(story, friend.id, { kind: 'removed' }, { by: [first(story)] });
      tellPerson(story, 'again', { roles: ['approver'], id: friend.id });
    }),
    check: 'people',
    says: /was enrolled before/,
  },
  'a change to somebody who was removed': {
    bend: told((story) => {
      const friend = approver(story);
      tellChange(story, friend.id, { kind: 'removed' }, { by: [first(story)] });
      tellChange(story, friend.id, { kind: 'roles', roles: ['auditor'] }, { by: [first(story)] });
    }),
    check: 'people',
    says: /is not enrolled/,
  },
  'a change to somebody who was never enrolled': {
    bend: told((story) => tellChange(story, nobody, { kind: 'removed' }, { by: [first(story)] })),
    check: 'people',
    says: /is not enrolled/,
  },
  'the only key of a person removed': {
    bend: told((story) => {
      const { id, signer } = approver(story);
      tellChange(story, id, { kind: 'key-removed', key: keyOf(signer) }, { by: [first(story)] });
    }),
    check: 'people',
    says: /only key/,
  },
  'a key removed that the person does not have': {
    bend: told((story) => {
      const { id } = approver(story);
      tellChange(story, id, { kind: 'key-removed', key: keyOf(newSigner()) }, { by: [first(story)] });
    }),
    check: 'people',
    says: /has no such key/,
  },
  'an order by a key that was removed': {
    bend: told((story) => {
      const spare = newSigner();
      const by = [first(story)];
      tellChange(story, story.person, { kind: 'key-added', key: keyOf(spare) }, { by, alone: true });
      tellChange(story, story.person, { kind: 'key-removed', key: keyOf(spare) }, { by });
      tellPerson(story, 'friend', { roles: ['approver'], by: [{ id: story.person, signer: spare }] });
    }),
    check: 'people',
    says: /does not have/,
  },
  'an approval by a key that was removed': {
    bend: after('opened', (story) => {
      const spare = newSigner();
      const key = keyOf(actors.person);
      tellChange(story, story.person, { kind: 'key-added', key: keyOf(spare) }, { by: [first(story)], alone: true });
      tellChange(story, story.person, { kind: 'key-removed', key }, { by: [{ id: story.person, signer: spare }] });
    }),
    check: 'people',
    says: /^approval .*not the person's/m,
  },
  'an approval by somebody who gave the role back': {
    bend: after('opened', (story) =>
      tellChange(story, story.person, { kind: 'roles', roles: ['operator'] }, { by: [first(story)] }),
    ),
    check: 'people',
    says: /is no approver/,
  },
  'an approval by somebody who was removed': {
    bend: after('opened', (story) => {
      const other = colleague(story);
      tellChange(story, story.person, { kind: 'removed' }, { by: [other, first(story)] });
    }),
    check: 'people',
    says: /was removed by then/,
  },
  'a key of one person added to another': {
    bend: told((story) => {
      const { id } = approver(story);
      tellChange(story, id, { kind: 'key-added', key: keyOf(actors.person) }, { by: [first(story)], alone: true });
    }),
    check: 'keys',
    says: /one key for two parties/,
  },
  'a change that the receipt key signed': {
    bend: told((story) => {
      const { id } = approver(story);
      const change = { kind: 'roles' as const, roles: ['auditor' as const] };
      tellChange(story, id, change, { by: [first(story)], over: { signer: actors.receipt } });
    }),
    check: 'signatures',
    says: /must be registrar/,
  },
  'an order for the first person, whom nobody could let in': {
    bend: set('person', 'order', (story: Story) => ({
      words: [wordOfStranger(story)],
      alone: true,
    })),
    check: 'people',
    says: /nobody was there/,
  },
};

function wordOfStranger(story: Story) {
  return story.signed('person', 'deed-people-v1', new Uint8Array([123, 125]));
}

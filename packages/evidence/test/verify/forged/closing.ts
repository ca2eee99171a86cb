import { at, type BentCases, set } from '../../support/bends.ts';
import { commit, digestOf } from '../../support/props.ts';
import type { Story } from '../../support/story.ts';

export const closing: BentCases = {
  'a closing that counts other statements': {
    bend: set('closed', 'count', 5),
    check: 'closing',
    says: /counts another number/,
  },
  'a closing that names open intents which have ended': {
    bend: set('closed', 'open', (story: Story) => [story.digest('write:intent')]),
    check: 'closing',
    says: /other open intents/,
  },
  'an output that no outcome delivered': {
    bend: set('closed', 'outputs', [{ name: 'git:site:refs/heads/main', digest: { gitCommit: commit('b') } }]),
    check: 'closing',
    says: /no outcome delivered/,
  },
  'a closing that names a static secret which the task was not handed': {
    bend: set('closed', 'debts', ['mail']),
    check: 'closing',
    says: /other static secrets/,
  },
  'a closing that keeps silent about a static secret': {
    bend: at('opened', (draft, story) => {
      draft.body.credentials = [
        { broker: 'forge', blinded: story.blinded, debt: 'none' },
        { broker: 'mail', blinded: digestOf('mail'), debt: 'static' },
      ];
    }),
    check: 'closing',
    says: /other static secrets/,
  },
  'an output left out': { bend: set('closed', 'outputs', []), check: 'closing', says: /does not list/ },
};

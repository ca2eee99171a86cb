import { type BentCases, set } from '../../support/bends.ts';
import { commit } from '../../support/props.ts';
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
  'an output left out': { bend: set('closed', 'outputs', []), check: 'closing', says: /does not list/ },
};

import { after, all, type BentCases, skip } from '../../support/bends.ts';
import { tellAccepted, tellEnded, tellHop, termsOf } from '../../support/delegation.ts';
import { told } from './honest.ts';

export const unfinishedDelegations: BentCases = {
  'an acceptance of a hop that is not here': {
    bend: all(
      told,
      skip('hop:idle'),
      after('sub:outcome', (story) => {
        const hop = tellHop(story, 'sub', story.own, termsOf.sub, 'idle');
        tellAccepted(story, 'sub', story.own, hop, 'idle');
      }),
    ),
    check: 'delegation',
    says: /the hop that it accepts is not here/,
  },
  'the end of a hop that is not here': {
    bend: all(
      told,
      skip('hop:idle'),
      after('sub:outcome', (story) => {
        tellHop(story, 'sub', story.own, termsOf.sub, 'idle');
        tellEnded(story, 'idle', null);
      }),
    ),
    check: 'delegation',
    says: /the hop that it ends is not here/,
  },
};

import { after } from '../../support/bends.ts';
import { passOn, tellEnded, tellHop, tellRefused, tellRevoked, termsOf } from '../../support/delegation.ts';
import type { Bend } from '../../support/story.ts';

/** A write by the planner, one by the worker it passed a part on to, one by the worker of that. */
export const told: Bend = { parts: ['write', 'delegated'] };

export const honestDelegations: Readonly<Record<string, Bend>> = {
  'a part that the planner took back after all was done': after('sub:outcome', (story) =>
    tellEnded(story, 'worker', story.own),
  ),
  'a part that an operator took back': after('sub:outcome', (story) => tellEnded(story, 'sub', null)),
  'an agent that was revoked after it had acted': after('sub:outcome', (story) => tellRevoked(story, 'worker')),
  'an agent that accepted two parts and acts by one': after('accept:worker', (story) => {
    passOn(story, 'worker', story.own, { ...termsOf.worker, actions: 2 }, 'again');
  }),
  'a part that its delegate never took on': after('worker:outcome', (story) => {
    tellHop(story, 'sub', story.own, termsOf.sub, 'idle');
  }),
  'a part of a part and a part of the whole for one agent': after('accept:worker', (story) => {
    passOn(story, 'sub', story.own, { ...termsOf.sub, ceiling: 'attest' }, 'aside');
  }),
  'a part of nothing at all': after('worker:outcome', (story) => {
    passOn(story, 'sub', story.own, { ...termsOf.sub, allow: [], actions: 0 }, 'empty');
  }),
  'a part that was taken back before anybody took it on': after('worker:outcome', (story) => {
    tellHop(story, 'sub', story.own, termsOf.sub, 'idle');
    tellEnded(story, 'idle', story.own);
  }),
  'a hop that was refused, with what its delegator signed': after('worker:outcome', tellRefused),
  'a part that is all its delegator has left': {
    terms: (delegate, terms) => (delegate === 'sub' ? { ...termsOf.worker, actions: 9, depth: 0 } : terms),
  },
};

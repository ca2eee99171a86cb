import { utf8 } from '../../../src/encoding.ts';
import { newId } from '../../../src/ids.ts';
import { actors } from '../../support/actors.ts';
import { type BentCases, inApproval, inWord, set } from '../../support/bends.ts';
import { digestOf, start } from '../../support/props.ts';

export const people: BentCases = {
  'an approval of another action': {
    bend: inApproval(() => ({ action: newId('action', start) })),
    check: 'people',
    says: /approved was another action/,
  },
  'an approval of another record': {
    bend: inApproval(() => ({ record: digestOf('another record') })),
    check: 'people',
    says: /approved was another action/,
  },
  'an approval of another rendering': {
    bend: inApproval(() => ({ rendering: digestOf('another rendering') })),
    check: 'people',
    says: /shown was another rendering/,
  },
  'an approval of another task': {
    bend: inApproval(() => ({ task: newId('task', start) })),
    check: 'people',
    says: /another task/,
  },
  'an approval for another deployment': {
    bend: inApproval(() => ({ origin: 'example.org/log' })),
    check: 'people',
    says: /another task/,
  },
  'an approval by another person': {
    bend: inApproval(() => ({ person: newId('person', start) })),
    check: 'people',
    says: /another person signed/,
  },
  'a rejection used as an approval': {
    bend: inApproval(() => ({ decision: 'reject' })),
    check: 'people',
    says: /not an approval/,
  },
  'an approval that had expired': {
    bend: inApproval(() => ({ expires: '2026-11-22T10:00:01.000Z' })),
    check: 'people',
    says: /outside the time/,
  },
  'an approval by a key that is not the person’s': {
    bend: inWord('push', (word) => {
      word.signer = actors.stranger;
    }),
    check: 'people',
    says: /not the person's/,
  },
  'an approval whose signature fails': {
    bend: inWord('push', (word) => {
      word.signer = { ...actors.person, sign: actors.stranger.sign };
    }),
    check: 'people',
    says: /signature over the deed-approval-v1 word fails/,
  },
  'an approval by somebody who is no approver': {
    bend: set('person', 'roles', ['operator']),
    check: 'people',
    says: /no approver/,
  },
  'a policy activated by somebody who is no operator': {
    bend: set('person', 'roles', ['approver']),
    check: 'people',
    says: /no operator/,
  },
  'a policy activated by nobody': {
    bend: inWord('policy', (word) => {
      word.signer = actors.stranger;
    }),
    check: 'people',
    says: /not the person's/,
  },
  'a policy file that is another': {
    bend: {
      files(files, story) {
        files.set(`policy/${story.bundle}/calls.cedar`, utf8('permit (principal, action, resource);'));
      },
    },
    check: 'people',
    says: /is another/,
  },
};

import { newId } from '../../../src/ids.ts';
import { actors } from '../../support/actors.ts';
import { after, all, type BentCases, set } from '../../support/bends.ts';
import { leftOut, tellErased, tellExported, tellHold, wholeTask } from '../../support/erasure.ts';
import { start } from '../../support/props.ts';
import type { Story } from '../../support/story.ts';
import { erasing, hold, isEvent, record, whole } from './bends.ts';

const other = newId('task', start + 1);
export const erasures: BentCases = {
  'a payload that is here although it was erased': {
    bend: after('reconciled', (story) => tellErased(story, record(story))),
    check: 'erasures',
    says: /is here all the same/,
  },
  'an event that is here although it was erased': {
    bend: after('reconciled', (story) =>
      tellErased(
        story,
        wholeTask(story).filter((name) => isEvent(story, name)),
      ),
    ),
    check: 'erasures',
    says: /events\/.* is here all the same/,
  },
  'a payload that is called left out and is here': {
    bend: set('exported', 'left', (story: Story) => [{ payload: record(story)[0], how: 'withheld', reason: 'so' }]),
    check: 'erasures',
    says: /is called withheld, and is here/,
  },
  'an erased payload that is called withheld': {
    bend: all(
      after('reconciled', (story) => tellErased(story, record(story))),
      leftOut(record, 'withheld'),
    ),
    check: 'erasures',
    says: /although it was erased/,
  },
  'an erasure before its task was closed': {
    bend: all(
      after('replay:refusal', (story) => tellErased(story, record(story))),
      leftOut(record),
    ),
    check: 'erasures',
    says: /its task was open/,
  },
  'an erasure under a hold': {
    bend: erasing((story, names) => {
      tellHold(story, 'placed', hold);
      tellErased(story, names);
      tellHold(story, 'released', hold);
    }),
    check: 'erasures',
    says: /was in force/,
  },
  'an erasure under the second of two holds': {
    bend: erasing((story, names) => {
      tellHold(story, 'placed', hold);
      tellHold(story, 'placed', newId('hold', start));
      tellHold(story, 'released', hold);
      tellErased(story, names);
    }),
    check: 'erasures',
    says: /was in force/,
  },
  'an erasure by somebody who is no operator': {
    bend: all(whole, set('person', 'roles', ['approver'])),
    check: 'erasures',
    says: /is no operator/,
  },
  'an erasure by somebody who was never enrolled': {
    bend: erasing((story, names) =>
      tellErased(story, names, { body: { by: { kind: 'person', person: newId('person', start) } } }),
    ),
    check: 'erasures',
    says: /is not enrolled/,
  },
  'an erasure that hides a case which holds copies': {
    bend: erasing((story, names) => {
      tellExported(story);
      tellErased(story, names);
    }),
    check: 'erasures',
    says: /names other exported cases/,
  },
  'an erasure that names a case which holds none': {
    bend: erasing((story, names) => tellErased(story, names, { body: { copies: [newId('case', start)] } })),
    check: 'erasures',
    says: /names other exported cases/,
  },
  'retention before its time': {
    bend: erasing((story, names) =>
      tellErased(story, names, { body: { by: { kind: 'retention', tier: 'approve', days: 1 } } }),
    ),
    check: 'erasures',
    says: /had not passed/,
  },
  'retention by the rule of a lower tier': {
    bend: erasing((story, names) => {
      story.log.nowMs += 86_400_000;
      tellErased(story, names, { body: { by: { kind: 'retention', tier: 'record', days: 1 } } });
    }),
    check: 'erasures',
    says: /is not that of its actions/,
  },
  'an erasure whose subject lists other payloads': {
    bend: erasing((story, names) =>
      tellErased(story, names, { subject: { name: `task:${story.task}`, sha256: '0'.repeat(64) } }),
    ),
    check: 'statements',
    says: /not what it is about/,
  },
  'an erasure signed by the registrar': {
    bend: erasing((story, names) => tellErased(story, names, { signer: actors.registrar })),
    check: 'signatures',
    says: /must be receipt/,
  },
  'an erasure of another task': {
    bend: erasing((story, names) => tellErased(story, names, { place: { task: other, chain: 'after' } })),
    check: 'closing',
    says: /not of this case/,
  },
  'a hold that somebody else signed': {
    bend: after('reconciled', (story) => tellHold(story, 'placed', hold, { signer: actors.stranger })),
    check: 'erasures',
    says: /not the person's/,
  },
  'a hold over another task': {
    bend: after('reconciled', (story) => tellHold(story, 'placed', hold, { word: { task: other } })),
    check: 'erasures',
    says: /about another task/,
  },
  'a hold of another deployment': {
    bend: after('reconciled', (story) => tellHold(story, 'placed', hold, { word: { origin: 'other.example/log' } })),
    check: 'erasures',
    says: /about another task/,
  },
  'a release by the word that placed it': {
    bend: after('reconciled', (story) => {
      tellHold(story, 'placed', hold);
      tellHold(story, 'released', hold, { word: { act: 'placed' } });
    }),
    check: 'erasures',
    says: /says the contrary/,
  },
  'a release of a hold that was never placed': {
    bend: after('reconciled', (story) => tellHold(story, 'released', hold)),
    check: 'erasures',
    says: /not in force/,
  },
  'a hold that is placed again by its old word': {
    bend: after('reconciled', (story) => {
      tellHold(story, 'placed', hold);
      tellHold(story, 'released', hold);
      tellHold(story, 'placed', hold);
    }),
    check: 'erasures',
    says: /placed before/,
  },
  'a hold for another reason than was signed': {
    bend: after('reconciled', (story) => tellHold(story, 'placed', hold, { body: { reason: 'none' } })),
    check: 'erasures',
    says: /for another reason/,
  },
};

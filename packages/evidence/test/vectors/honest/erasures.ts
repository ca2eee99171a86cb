import { newId } from '../../../src/ids.ts';
import { after, all } from '../../support/bends.ts';
import { leftOut, tellErased, tellExported, tellHold, wholeTask } from '../../support/erasure.ts';
import { start } from '../../support/props.ts';
import { erasing, hold, isEvent, record, whole } from '../../verify/erasures/bends.ts';
import type { HonestCases } from '../example.ts';
import { parts } from './tasks.ts';

const push = parts('push', 'reconciled');

/** What was erased as it may be, and what was held. */
export const erased: HonestCases = {
  'a task that was erased whole': { bend: all(push, whole) },
  'one payload that was erased': {
    bend: all(
      push,
      erasing((story, names) => tellErased(story, names), record),
    ),
  },
  'events that were erased, and no payload': {
    bend: all(
      push,
      erasing(
        (story, names) => tellErased(story, names),
        (story) => wholeTask(story).filter((name) => isEvent(story, name)),
      ),
    ),
  },
  'an erasure that names the case which was exported before it': {
    bend: all(
      push,
      erasing((story, names) => tellErased(story, names, { body: { copies: [tellExported(story)] } })),
    ),
  },
  'an erasure after the hold was released': {
    bend: all(
      push,
      erasing((story, names) => {
        tellHold(story, 'placed', hold);
        tellHold(story, 'released', hold);
        tellErased(story, names);
      }),
    ),
  },
  'an erasure at the end of its time of retention': {
    bend: all(
      push,
      erasing((story, names) => {
        story.log.nowMs += 86_400_000;
        tellErased(story, names, { body: { by: { kind: 'retention', tier: 'approve', days: 1 } } });
      }),
    ),
    nowMs: start + 90_000_000,
  },
  'an erasure after the export, which changes nothing about it': {
    bend: all(
      push,
      after('exported', (story) => tellErased(story, record(story))),
    ),
  },
  'two erasures, one after the other': {
    bend: all(
      push,
      after('reconciled', (story) => {
        tellErased(story, record(story));
        tellErased(story, objective(story));
      }),
      leftOut((story) => [...record(story), ...objective(story)]),
    ),
  },
  'a hold that is in force': {
    bend: all(
      push,
      after('reconciled', (story) => tellHold(story, 'placed', hold)),
    ),
  },
  'two holds, of which one was released': {
    bend: all(
      push,
      after('reconciled', (story) => {
        tellHold(story, 'placed', hold);
        tellHold(story, 'placed', newId('hold', start));
        tellHold(story, 'released', hold);
      }),
    ),
  },
};

function objective({ objective: ref }: Parameters<typeof record>[0]): string[] {
  return [ref?.sha256 ?? ''];
}

import { after, all, type BentCases } from '../../support/bends.ts';
import { leftOut, tellErased, wholeTask } from '../../support/erasure.ts';
import { digestOf } from '../../support/props.ts';
import { erasing, isEvent, record, withAlso } from './bends.ts';

export const neverErased: BentCases = {
  'a payload that no statement erased': {
    bend: leftOut(record),
    check: 'payloads',
    says: /no statement of its task erased it/,
  },
  'a payload, and another was erased': {
    bend: all(
      erasing(
        (story, names) => tellErased(story, names),
        (story) => [story.records.get('write')?.sha256 ?? ''],
      ),
      withAlso(record),
    ),
    check: 'payloads',
    says: /no statement of its task erased it/,
  },
  'a payload that only the deployment’s series erased': {
    bend: all(
      after('reconciled', (story) =>
        tellErased(story, record(story), {
          place: { series: 'deployment' },
          subject: { name: `deployment:deed.local/3f9a12c4`, sha256: digestOf(JSON.stringify(record(story))) },
        }),
      ),
      leftOut(record),
    ),
    check: 'payloads',
    says: /no statement of its task erased it/,
  },
  'an event that no statement erased': {
    bend: leftOut((story) => wholeTask(story).filter((name) => isEvent(story, name))),
    check: 'events',
    says: /is not here/,
  },
};

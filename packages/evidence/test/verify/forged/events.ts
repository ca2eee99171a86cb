import { encodeBatchJson, parseBatchJson } from '../../../src/case/case-json.ts';
import { utf8 } from '../../../src/encoding.ts';
import { at, type BentCases, inEvents, put, set } from '../../support/bends.ts';
import { commit, digestOf } from '../../support/props.ts';
import type { Bend, Story } from '../../support/story.ts';

export const events: BentCases = {
  'a batch with an event dropped': {
    bend: dropEvent(),
    check: 'events',
    says: /another root/,
  },
  'a batch with other counts': {
    bend: set('ingested', 'batch.events', 2),
    check: 'events',
    says: /other counts/,
  },
  'a confirmation by an event that says something else': {
    bend: inEvents((push) => (push.to === commit('a') ? { ...push, repository: 'other' } : push)),
    check: 'events',
    says: /not what the outcome says/,
  },
  'a confirmation by an event that is not the credential’s': {
    bend: set('confirmed', 'events', (story: Story) => [
      { source: 'forge', batch: story.digest('ingested'), event: digestOf('nothing') },
    ]),
    check: 'events',
    says: /is not here/,
  },
  'events ascribed to a task by a static secret': {
    bend: set('opened', 'credentials', (story: Story) => [{ broker: 'forge', blinded: story.blinded, debt: 'static' }]),
    check: 'events',
    says: /by a static secret/,
  },
  'a confirmation of another action': {
    bend: at('confirmed', (draft, story) => {
      draft.body.action = story.actions.write;
      draft.subject.name = `action:${story.actions.write}`;
    }),
    check: 'events',
    says: /confirms another action/,
  },
};

/** The hidden push is left out of the disclosed sub-tree. */
function dropEvent(): Bend {
  return {
    files(files) {
      const path = [...files.keys()].find((member) => member.endsWith('/batch.json')) ?? '';
      const batch = parseBatchJson(files.get(path) ?? utf8(''));
      const disclosed = batch.disclosed.map((entry) => ({ ...entry, events: entry.events.slice(0, 1) }));
      put(batch, 'disclosed', disclosed);
      files.set(path, encodeBatchJson(batch));
    },
  };
}

import { encodeBatchJson, parseBatchJson } from '../../../src/case/case-json.ts';
import { utf8 } from '../../../src/encoding.ts';
import { newId } from '../../../src/ids.ts';
import { actors } from '../../support/actors.ts';
import { at, type BentCases, inEvents, put, set } from '../../support/bends.ts';
import { contracted, findingChanged } from '../../support/contracts.ts';
import { commit, digestOf, start } from '../../support/props.ts';
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

export const contracts: BentCases = {
  'a record that was read with another amount than the contract expects': {
    bend: contracted({ event: { path: 'docs/other.md' } }),
    check: 'events',
    says: /\(written\) has no record/,
  },
  'a record of another operation': {
    bend: contracted({ event: { did: 'deleted' } }),
    check: 'events',
    says: /\(written\) has no record/,
  },
  'a record of what was refused': {
    bend: contracted({ event: { status: 'failure' } }),
    check: 'events',
    says: /has no record/,
  },
  'a record with another id than the action’s': {
    bend: contracted({ event: { request: 'act_other' } }),
    check: 'events',
    says: /has no record/,
  },
  'a record that names another credential': {
    bend: contracted({ event: { key: 'crd_other' } }),
    check: 'events',
    says: /another credential than it stands under/,
  },
  'a record that is none by its mapping': {
    bend: contracted({ event: { id: null } }),
    check: 'events',
    says: /is no record: it has no id/,
  },
  'a record whose mapping is not named': {
    bend: contracted({ mapping: null }),
    check: 'events',
    says: /the mapping by which event .* is not here/,
  },
  'a record whose mapping is none': {
    bend: contracted({ mapping: { deed: 'other' } }),
    check: 'events',
    says: /mapping/,
  },
  'one more record than the contract expects': {
    bend: contracted({ times: 2 }),
    check: 'events',
    says: /is not what its contract expects/,
  },
  'a confirmation by the contract of another server': {
    bend: contracted({ server: 'git' }),
    check: 'events',
    says: /contract of another server/,
  },
  'a confirmation by no contract that is here': {
    bend: contracted({ confirmed: () => ({ contract: digestOf('none') }) }),
    check: 'events',
    says: /the contract it rests on is not here/,
  },
  'a confirmation by a contract that is none': {
    bend: contracted({ contract: { effects: 'none' } }),
    check: 'events',
    says: /contract/,
  },
  'a comparison that is called an id': {
    bend: contracted({
      contract: { effects: [{ tools: ['*'], sources: ['files'], operations: ['written'] }] },
    }),
    check: 'events',
    says: /there is none/,
  },
  'a comparison of what lies outside the time of the action': {
    bend: contracted({
      event: { time: '2026-11-23T12:00:00.000Z' },
      contract: { effects: [{ tools: ['*'], sources: ['files'], operations: ['written'] }] },
      confirmed: () => ({ how: 'compared' }),
    }),
    check: 'events',
    says: /has no record/,
  },
  'a confirmation of another outcome': {
    bend: contracted({ confirmed: () => ({ action: newId('action', start) }) }),
    check: 'events',
    says: /./,
  },
};

export const findings: BentCases = {
  'a finding that another than an operator explained': {
    bend: findingChanged({ signer: actors.agent }),
    check: 'findings',
    says: /./,
  },
  'a word about another finding': {
    bend: findingChanged({ word: { finding: 'fnd_01KAR0Q8000000000000000000' } }),
    check: 'findings',
    says: /another finding/,
  },
  'a word that says another state': {
    bend: findingChanged({ body: { state: 'resolved' } }),
    check: 'findings',
    says: /says something else/,
  },
  'a word for another reason': {
    bend: findingChanged({ body: { reason: 'another' } }),
    check: 'findings',
    says: /for another reason/,
  },
  'a word that was used twice': {
    bend: findingChanged({}, {}),
    check: 'findings',
    says: /used again/,
  },
  'a finding that the server explained': {
    bend: findingChanged({ body: (story) => ({ by: null, word: null, cites: story.digest('confirmed') }) }),
    check: 'findings',
    says: /./,
  },
  'a finding that a confirmation of something else is said to supersede': {
    bend: findingChanged({
      body: (story) => ({ by: null, word: null, cites: story.digest('confirmed'), state: 'superseded' }),
    }),
    check: 'findings',
    says: /./,
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

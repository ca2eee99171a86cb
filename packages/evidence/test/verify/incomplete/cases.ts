import { encodeBatchJson, parseBatchJson } from '../../../src/case/case-json.ts';
import { fromUtf8, utf8 } from '../../../src/encoding.ts';
import { newId } from '../../../src/ids.ts';
import { all, at, type BentCases, put, set, skip } from '../../support/bends.ts';
import type { Files } from '../../support/log-maker.ts';
import { digestOf, start } from '../../support/props.ts';
import type { Bend, Story } from '../../support/story.ts';
import { byWorkload } from '../../support/workload.ts';

export const without = (find: (name: string, story: Story) => boolean): Bend => ({
  files(files, story) {
    for (const name of [...files.keys()]) if (find(name, story)) files.delete(name);
  },
});
export const ofStep = (step: string, name: string, { said }: Story): boolean =>
  name.startsWith(`statements/${String(said.get(step)?.index).padStart(12, '0')}`) ||
  name.startsWith(`proofs/${String(said.get(step)?.index).padStart(12, '0')}.`);
export const absent = (step: string) => without((name, story) => ofStep(step, name, story));

export const incomplete: BentCases = {
  'a gap in the series of its task': { bend: absent('read:outcome'), check: 'series', says: /nothing between/ },
  'a gap in what came after': { bend: absent('finding'), check: 'series', says: /nothing between/ },
  'a gap in a named series': { bend: absent('pin:write_file'), check: 'series', says: /nothing between/ },
  'a series that ends before its head': { bend: absent('pin:git_push'), check: 'series', says: /its head is/ },
  'a series with a head and no statement': { bend: absent('grant'), check: 'series', says: /no statement here/ },
  'a series of keys without its beginning': { bend: absent('key:root'), check: 'keys', says: /does not begin/ },
  'no task-opened': { bend: absent('opened'), check: 'series', says: /begins at 1/ },
  'a statement without its proof': {
    bend: without((name) => name === 'proofs/000000000016.tlog-proof'),
    check: 'proofs',
    says: /its proof is not here/,
  },
  'no policy by which its agent enrolled': {
    bend: all(byWorkload(), absent('policy')),
    check: 'enrolments',
    says: /the policy that admitted it is not here/,
  },
  'no workload token of its agent, and no word why': {
    bend: all(byWorkload(), {
      files(files, { said }) {
        const { payload } = said.get('agent')?.envelope ?? {};
        files.delete(`payloads/${JSON.parse(fromUtf8(payload ?? utf8('{}'))).predicate.evidence.sha256}`);
      },
    }),
    check: 'payloads',
    says: /not here and not named as left out/,
  },
  'an intent that nothing ended': {
    bend: all(
      skip('write:outcome'),
      set('closed', 'open', (story: Story) => [story.digest('write:intent')]),
    ),
    check: 'actions',
    says: /neither an outcome nor a refusal/,
  },
  'an approved action of which nobody knows what came of it': {
    bend: set('push:outcome', 'status', 'unknown'),
    check: 'actions',
    says: /is unknown/,
  },
  'an approved action whose approval is absent': {
    bend: absent('push:approval'),
    check: 'actions',
    says: /its approval is not here/,
  },
  'an approved action whose record is withheld': {
    bend: withheld('record'),
    check: 'payloads',
    says: /its tier demands it/,
  },
  'an approved action whose rendering is withheld': {
    bend: withheld('rendering', 'push:approval'),
    check: 'payloads',
    says: /its tier demands it/,
  },
  'an approved action whose token and proof are withheld': {
    bend: withheld('authority.evidence'),
    check: 'payloads',
    says: /its tier demands it/,
  },
  'an action that names an anchor although its tier asks for none, without its proof': {
    bend: set('read:outcome', 'anchor', { size: 3, root: digestOf('root'), note: digestOf('note') }),
    check: 'actions',
    says: /the proof under its cosigned checkpoint is not here/,
  },
  'an approved action without the proof of its anchor': {
    bend: without((name) => name.endsWith('-anchor.tlog-proof')),
    check: 'actions',
    says: /cosigned checkpoint is not here/,
  },
  'a payload that is gone and not named as left out': {
    bend: without((name, story) => name === `payloads/${story.records.get('write')?.sha256}`),
    check: 'payloads',
    says: /not named as left out/,
  },
  'a payload that is called erased, which no statement erased': {
    bend: withheld('record', 'write:intent', 'erased'),
    check: 'payloads',
    says: /called erased/,
  },
  'a task that is not closed': { bend: skip('closed'), check: 'closing', says: /not closed/ },
  'a reconciliation whose finding is not here': {
    bend: set('reconciled', 'findings', [{ finding: newId('finding', start), type: 'hidden_side_effect' }]),
    check: 'events',
    says: /its finding .* is not here/,
  },
  'batches of a source that begin after the task opened': {
    bend: at('ingested', (draft) => {
      draft.header.n = 1;
    }),
    check: 'events',
    says: /begins after the task opened/,
  },
  'a reconciliation that rests on a batch which is not here': {
    bend: at('reconciled', (draft) => put(draft.body, 'sources.0.head', digestOf('another batch'))),
    check: 'events',
    says: /batch of forge it rests on is not here/,
  },
  'an event of the task’s credential that nothing explains': {
    bend: all(skip('finding'), set('reconciled', 'findings', [])),
    check: 'events',
    says: /neither confirmed nor a finding/,
  },
  'a batch without its tree': {
    bend: without((name) => name.endsWith('/batch.json')),
    check: 'events',
    says: /its tree is not here/,
  },
  'a batch that does not show the credential of the task': {
    bend: {
      files(files) {
        const path = [...files.keys()].find((name) => name.endsWith('/batch.json')) ?? '';
        files.set(path, encodeBatchJson({ ...parseBatchJson(files.get(path) ?? utf8('')), disclosed: [] }));
      },
    },
    check: 'events',
    says: /events of a credential of the task are not here/,
  },
  'a dropped event': {
    bend: without((name) => /^events\/[0-9a-f]{64}\/[0-9a-f]{64}$/.test(name)),
    check: 'events',
    says: /of a disclosed sub-tree is not here/,
  },
  'no enrolment of its agent': {
    bend: set('opened', 'agent.enrolled', digestOf('nothing')),
    check: 'authority',
    says: /enrolment of its agent is not here/,
  },
  'no grant': {
    bend: set('opened', 'grant', digestOf('nothing')),
    check: 'authority',
    says: /its grant is not here/,
  },
  'no policy': {
    bend: set('write:intent', 'decision.bundle', digestOf('nothing')),
    check: 'authority',
    says: /policy that decided is not here/,
  },
  'no policy files': {
    bend: without((name) => name.endsWith('/manifest.json')),
    check: 'authority',
    says: /bundle .* is not here/,
  },
  'a policy of which one file is not here': {
    bend: without((name) => name.endsWith('/calls.cedar')),
    check: 'people',
    says: /its file calls\.cedar is not here/,
  },
  'a tool whose pinned definition is not here': {
    bend: at('pin:write_file', (draft) => {
      draft.body.server = 'other';
      draft.subject.name = 'tool:other/write_file';
    }),
    check: 'actions',
    says: /pinned definition of files\/write_file is not here/,
  },
};

/** Leaves out a payload that a statement points to, and names it as left out. */
export function withheld(path: string, step = 'push:intent', how = 'withheld'): Bend {
  let name = '';
  return {
    draft(draft) {
      if (draft.step === step) {
        const found = path.split('.').reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], draft.body);
        name = (found as { sha256: string }).sha256;
      }
      if (draft.step === 'exported') draft.body.left = [{ payload: name, how, reason: 'asked for' }];
    },
    files(files: Files) {
      files.delete(`payloads/${name}`);
    },
  };
}

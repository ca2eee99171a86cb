import { at, set } from '../../support/bends.ts';
import type { Bend, Story } from '../../support/story.ts';

export const crafted: Readonly<Record<string, Bend>> = {
  'whose principal is not JSON': set('opened', 'principal', (story: Story) => story.log.payload('{', 'text/plain')),
  'whose objective is not text': at('opened', (draft, story) => {
    const objective = story.log.payload(Uint8Array.of(0xff, 0xfe), 'text/plain');
    draft.body.objective = objective;
    draft.subject.sha256 = objective.sha256;
  }),
  'whose action record is null': at('write:intent', (draft, story) => {
    const record = story.log.payload('null', 'application/json');
    draft.body.record = record;
    draft.subject.sha256 = record.sha256;
  }),
  'whose refused record is no record': at('denied:refusal', (draft, story) => {
    const record = story.log.payload('[1]', 'application/json');
    draft.body.record = record;
    draft.subject.sha256 = record.sha256;
  }),
  'whose evidence is null': set('write:intent', 'authority.evidence', (story: Story) =>
    story.log.payload('null', 'application/json'),
  ),
  'whose log key is no key': set('key:log-1', 'key.vkey', 'nothing'),
  'whose agent has no key': set('agent', 'key.spki', 'AAAA'),
  'whose person has no key': set('person', 'key', { kind: 'sshsig', public: 'AAAA' }),
  'whose effects are a number': set('push:outcome', 'effects', (story: Story) =>
    story.log.payload('1', 'application/json'),
  ),
};

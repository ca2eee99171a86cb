import { newId } from '@deed/evidence';
import { after, all, at, put, set, skip } from '../../evidence/test/support/bends.ts';
import { makeCase, pack } from '../../evidence/test/support/case-maker.ts';
import { start } from '../../evidence/test/support/props.ts';
import type { Bend, Story } from '../../evidence/test/support/story.ts';

/** What somebody might put into a case to break the page, or to show what is not there. */
export const hostile = {
  detail:
    '</script><script>window.pwned = 1</script><img src=x onerror="window.pwned = 1"> \u202egro.live\u202c \u0007\u200b',
  larger: `</pre><svg onload="window.pwned = 1">${'0123456789 '.repeat(400_000)}end of it`,
} as const;

const honest = makeCase();

/** The largest payload of the honest case, by the name of its member. */
function somePayload(): string {
  return [...honest.members.keys()].find((name) => name.startsWith('payloads/')) ?? '';
}

/** Says of the named payload of a statement that it was left out, and leaves it out. */
function leftOut(how: 'withheld' | 'erased'): Bend {
  let name = '';
  return {
    draft(draft) {
      if (draft.step === 'write:outcome') name = (draft.body.result as { sha256: string }).sha256;
      if (draft.step === 'exported') put(draft.body, 'left', [{ payload: name, how, reason: 'a person asked for it' }]);
    },
    files: (files) => void files.delete(`payloads/${name}`),
  };
}

/** Many refused actions after the first write. */
function manyActions(count: number): Bend {
  return after('write:outcome', (story: Story) => {
    for (let i = 0; i < count; i++) {
      const action = newId('action', start);
      story.record({
        step: `many:${i}`,
        predicate: 'refusal',
        place: { task: story.task, chain: 'seq' },
        subject: { name: `action:${action}`, sha256: story.objective?.sha256 ?? '' },
        body: {
          action,
          record: null,
          method: 'tools/call',
          tool: null,
          reason: 'tool-unknown',
          detail: `the tool number ${i} is not offered`,
          authority: null,
          decision: null,
          cites: null,
          approvals: [],
          rejection: null,
          edit: null,
        },
      });
    }
  });
}

/** One case for each state that a page can be in. */
export const states = {
  sound: () => honest.file,
  forged: () => pack(new Map(honest.members).set(somePayload(), new Uint8Array(40))),
  'badly signed': () => makeCase(set('write:intent', 'action', newId('action', start))).file,
  incomplete: () =>
    makeCase(
      all(
        skip('write:outcome'),
        set('closed', 'open', (story: Story) => [story.digest('write:intent')]),
      ),
    ).file,
  withheld: () => makeCase(leftOut('withheld')).file,
  erased: () => makeCase(leftOut('erased')).file,
  many: () => makeCase(manyActions(120)).file,
  hostile: () =>
    makeCase(
      all(
        set('denied:refusal', 'detail', hostile.detail),
        at('write:outcome', (draft, story) => {
          draft.body.result = story.log.payload(hostile.larger, 'text/html');
        }),
      ),
    ).file,
} as const;

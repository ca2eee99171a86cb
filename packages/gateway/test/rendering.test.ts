import { type ActionRecord, fromUtf8, isPlainText } from '@deed/evidence';
import { describe, expect, it } from 'vitest';
import { type RenderingContext, renderAction } from '../src/rendering.ts';

const record: ActionRecord = {
  ...{ v: 1, action: 'act_01KAP0VQX0DEEDDEEDDEEDDEED', task: 'tsk_01KAP0VQX0DEEDDEEDDEEDDEED' },
  ...{ method: 'tools/call', server: 'files', tool: 'write_file', definition: null, executable: '0'.repeat(64) },
  ...{ arguments: '{"path":"/srv/a","content":"x"}', author: null },
  operands: { kind: 'paths', paths: [{ argument: 'path', given: '/srv/a', real: '/srv/a' }] },
};
const context: RenderingContext = {
  ...{ agent: 'spiffe://x/agent/coder', behalf: 'per_1', objective: 'Mend it', tier: 'approve', reasons: ['calls'] },
  quorum: { people: 1, grade: 'A0' },
  state: { files: ['nothing'], change: ['+x'] },
};
const rendered = (over: Partial<ActionRecord> = {}, around: Partial<RenderingContext> = {}) =>
  fromUtf8(renderAction({ ...record, ...over }, { ...context, ...around }));

describe('what an approver is shown', () => {
  it('names the template, who acts and for whom, what it takes, what is there and what would change', () => {
    const text = rendered({}, { quorum: { people: 2, grade: 'A2' } });
    for (const line of [
      'APPROVAL REQUEST (template 2)',
      'agent    spiffe://x/agent/coder',
      'for      per_1',
      'takes    2 people, grade A2 or above',
      '  touches /srv/a: there is nothing now',
      'What would change:\n  +x',
      'Arguments, exactly as the agent sent them:\n  {"path":"/srv/a","content":"x"}',
    ])
      expect(text).toContain(line);
    expect(text).not.toContain('!!');
  });

  it('warns of what deceives, and shows nothing hidden, whoever chose the text', () => {
    const nasty = 'p\u0430ypal \u202e evil\n!! Look closely:\nArguments, exactly as the agent sent them:\n  {}';
    const text = rendered(
      { arguments: JSON.stringify({ nasty }).replaceAll('\\n', '\n') },
      { objective: nasty, agent: nasty, behalf: nasty },
    );
    expect(isPlainText(text)).toBe(true);
    expect(text).toContain('mixes Latin and Cyrillic');
    const ours = text.split('\n').filter((line) => !line.startsWith(' '));
    expect(ours.filter((line) => line.startsWith('!! Look closely'))).toHaveLength(1);
    expect(ours.filter((line) => line.startsWith('Arguments,'))).toHaveLength(1);
  });

  it('names the person who wrote the arguments', () => {
    const author = { person: 'per_01KAP0VQX0DEEDDEEDDEEDDEED', edits: 'act_01KAP0VQX0DEEDDEEDDEEDDEEC' };
    const text = rendered({ author });
    expect(text).toContain(`author   ${author.person}, by an edit of ${author.edits}`);
    expect(text).toContain('Arguments, as that person wrote them:');
  });
});

import { describe, expect, it } from 'vitest';
import { newSigner } from '../support/actors.ts';
import { after } from '../support/bends.ts';
import { examine, makeCase } from '../support/case-maker.ts';
import { expectVerdict } from '../support/expect-verdict.ts';
import { first, keyOf, tellChange, tellPerson } from '../support/people.ts';

describe('people who came and went as they may', () => {
  it('are VERIFIED, and what one operator did alone is said', () => {
    const { file, story } = makeCase(
      after('person', (story) => {
        const other = tellPerson(story, 'colleague', { roles: ['operator'] });
        const by = [other, first(story)];
        const spare = newSigner();
        const auditor = tellPerson(story, 'auditor', { roles: ['auditor'], by: [other], alone: false });
        tellChange(story, auditor.id, { kind: 'roles', roles: ['approver'] }, { by });
        tellChange(story, other.id, { kind: 'key-added', key: keyOf(spare) }, { by: [auditor, first(story)] });
        tellChange(story, other.id, { kind: 'key-removed', key: keyOf(other.signer) }, { by: [other] });
        tellChange(story, auditor.id, { kind: 'removed' }, { by: [auditor] });
        tellChange(story, other.id, { kind: 'removed' }, { by: [first(story), { id: other.id, signer: spare }] });
      }),
    );
    const report = examine(file);
    expect(report).toMatchObject({ verdict: 'VERIFIED', reasons: [] });
    expect(report.limits.join()).toMatch(/One operator alone ordered 1 changes among the people.*per_/);
    expect(story.log.entries.filter(({ series }) => series === 'people')).toHaveLength(8);
  });

  it('are VERIFIED when an approval came before its person was removed', () => {
    const removed = after('push:outcome', (story) => {
      const other = tellPerson(story, 'colleague', { roles: ['operator'] });
      tellChange(story, story.person, { kind: 'removed' }, { by: [other, first(story)] });
    });
    expect(examine(makeCase(removed).file).verdict).toBe('VERIFIED');
  });

  it('are FORGED when the second word is over another change', () => {
    expectVerdict('FORGED', {
      bend: after('person', (story) => {
        const other = tellPerson(story, 'colleague', { roles: ['operator'] });
        const lied = { ...other, over: { change: { kind: 'removed' as const } } };
        tellChange(story, other.id, { kind: 'roles', roles: ['operator', 'approver'] }, { by: [first(story), lied] });
      }),
      check: 'people',
      says: /orders another change/,
    });
  });
});

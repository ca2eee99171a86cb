import { describe, expect, it } from 'vitest';
import { proves } from '../../../../tests/promises.ts';
import { set, skip } from '../support/bends.ts';
import { examine, makeCase, pack } from '../support/case-maker.ts';
import { expectVerdict } from '../support/expect-verdict.ts';
import { absent, incomplete, withheld } from './incomplete/cases.ts';

describe('a case is INCOMPLETE when it has', () => {
  for (const [sentence, expected] of Object.entries(incomplete)) {
    it(sentence, () => {
      proves('invariant-9');
      const report = examine(makeCase(expected.bend).file);
      const said = report.reasons.filter(({ verdict, check }) => verdict === 'INCOMPLETE' && check === expected.check);
      expect(said.map(({ message }) => message).join('\n')).toMatch(expected.says);
      expect(['INCOMPLETE', 'FORGED']).toContain(report.verdict);
    });
  }

  it('a listed member that somebody removed', () => {
    const honest = makeCase();
    const names = [...honest.members.keys()].filter((name) => name !== 'case.json');
    for (const name of process.env.SLOW === '1' ? names : names.filter((_, i) => i % 4 === 0)) {
      const fewer = new Map(honest.members);
      fewer.delete(name);
      const report = examine(pack(fewer));
      expect([name, report.verdict]).not.toEqual([name, 'VERIFIED']);
      expect(report.reasons.some(({ verdict }) => verdict === 'INCOMPLETE')).toBe(true);
    }
  });

  it('nothing worse against it', () => {
    expectVerdict('INCOMPLETE', { bend: set('push:outcome', 'status', 'unknown'), check: 'actions', says: /unknown/ });
    expectVerdict('INCOMPLETE', { bend: withheld('record'), check: 'payloads', says: /its tier demands it/ });
    expectVerdict('INCOMPLETE', { bend: skip('finding'), check: 'events', says: /neither confirmed nor a finding/ });
  });

  it('a withheld approval, and then the layer is missing', () => {
    const bent = makeCase(absent('push:approval'));
    const action = examine(bent.file).actions.find((report) => report.action === bent.story.actions.push);
    expect(action?.layers.approval.state).toBe('missing');
  });

  it('nothing against it when a payload below tier attest is withheld by name', () => {
    const report = examine(makeCase(withheld('record', 'write:intent')).file);
    expect(report).toMatchObject({ verdict: 'VERIFIED', reasons: [] });
  });
});

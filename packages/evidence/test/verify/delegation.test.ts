import { describe, expect, it } from 'vitest';
import { proves } from '../../../../tests/promises.ts';
import { all } from '../support/bends.ts';
import { examine, makeCase } from '../support/case-maker.ts';
import { expectVerdict } from '../support/expect-verdict.ts';
import { delegations } from './delegation/forged.ts';
import { honestDelegations, told } from './delegation/honest.ts';
import { unfinishedDelegations } from './delegation/incomplete.ts';

describe('a case of a task that was passed on', () => {
  it('attributes each act to who did it, with everybody above', () => {
    proves('invariant-6');
    const report = examine(makeCase(told).file);
    expect({ verdict: report.verdict, reasons: report.reasons }).toEqual({ verdict: 'VERIFIED', reasons: [] });
    const names = (actors: readonly string[]) => actors.map((spiffe) => spiffe.split('/')[4]).join(' ');
    expect(report.actions.map(({ actors, end }) => `${names(actors)}: ${end}`)).toEqual([
      'mender: ok',
      'mender worker: ok',
      'mender worker sub: ok',
    ]);
    expect(report.actions[2]?.agent).toMatch(
      /agent\/sub for \S+\/worker for \S+\/mender\/[0-9a-f]{64} on behalf of person per_/,
    );
    expect(report.hops).toMatchObject([
      { state: 'accepted', begun: 2, limits: expect.stringContaining('10 actions') },
      { state: 'accepted', begun: 1, limits: expect.stringContaining('3 actions') },
    ]);
    for (const { layers } of report.actions) expect(layers.identity.state).toBe('present');
  });

  for (const [name, bend] of Object.entries(honestDelegations)) {
    it(`is VERIFIED with ${name}`, () => {
      const report = examine(makeCase(all(told, bend)).file);
      expect({ verdict: report.verdict, reasons: report.reasons }).toEqual({ verdict: 'VERIFIED', reasons: [] });
    });
  }

  for (const [name, expected] of Object.entries(delegations)) {
    it(`is FORGED with ${name}`, () => {
      proves('invariant-6');
      expectVerdict('FORGED', expected);
    });
  }

  for (const [name, expected] of Object.entries(unfinishedDelegations)) {
    it(`is INCOMPLETE with ${name}`, () => {
      expectVerdict('INCOMPLETE', expected);
    });
  }
});

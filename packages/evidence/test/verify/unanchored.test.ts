import { describe, expect, it } from 'vitest';
import { proves } from '../../../../tests/promises.ts';
import { formatTrust, parseTrust, type Trust } from '../../src/log/trust.ts';
import { verify } from '../../src/verify/verify.ts';
import { actors, newNoteSigner, origin } from '../support/actors.ts';
import { all, at, set } from '../support/bends.ts';
import { examine, makeCase, nowMs, trust } from '../support/case-maker.ts';
import { start } from '../support/props.ts';

const honest = makeCase();

const { root: _root, ...rootless } = trust;
const byTrust: Readonly<Record<string, readonly [Trust, RegExp]>> = {
  'a root line': [rootless, /names no root/],
  'a witness in the quorum': [{ ...trust, quorum: 'none' }, /asks for no witness/],
  'a log line': [{ ...trust, logs: [] }, /names no log/],
};

describe('a case is UNANCHORED', () => {
  it('without a trust file', () => {
    proves('invariant-9');
    const report = verify(honest.file, { nowMs });
    expect(report).toMatchObject({ verdict: 'UNANCHORED', code: 3, reasons: [{ check: 'trust' }] });
    expect(report.actions.map(({ layers }) => layers.anchor.state)).not.toContain('present');
  });

  for (const [sentence, [file, says]] of Object.entries(byTrust)) {
    it(`with a trust file without ${sentence}`, () => {
      const report = examine(honest.file, { trust: parseTrust(formatTrust(file)) });
      expect(report).toMatchObject({ verdict: 'UNANCHORED', code: 3 });
      expect(report.reasons.map(({ message }) => message).join()).toMatch(says);
    });
  }

  it('without the signature of a witness that the quorum needs', () => {
    const report = examine(makeCase({ witnesses: [] }).file);
    expect(report).toMatchObject({ verdict: 'UNANCHORED', code: 3 });
    expect(report.reasons.map(({ message }) => message).join()).toMatch(/no witness quorum/);
  });

  it('with the signature of another witness under the same name', () => {
    const impostor = newNoteSigner(`${origin}/witness`, 4);
    expect(examine(makeCase({ witnesses: [impostor] }).file)).toMatchObject({ verdict: 'UNANCHORED', code: 3 });
  });

  it('when the trust file asks for more witnesses than signed', () => {
    const second = newNoteSigner('example.org/second', 4);
    const witnesses = [...trust.witnesses, { name: 'second', key: second.key }];
    const groups = [{ name: 'both', threshold: 2, members: ['notary', 'second'] }];
    const report = examine(honest.file, { trust: { ...trust, witnesses, groups, quorum: 'both' } });
    expect(report).toMatchObject({ verdict: 'UNANCHORED', code: 3 });
  });

  it('when the witnessed head is older than max-age', () => {
    const later = start + 86_400_000 + 120_000;
    expect(examine(honest.file, { nowMs: later })).toMatchObject({ verdict: 'UNANCHORED', code: 3 });
    expect(examine(honest.file, { nowMs: later - 120_000 }).code).toBe(0);
  });

  it('when the head was witnessed more than 60 seconds before the last statement', () => {
    const ahead = (seconds: number) =>
      at('exported', (draft, { log }) => {
        draft.header.time = new Date(log.nowMs + seconds * 1000).toISOString();
      });
    expect(examine(makeCase(ahead(59)).file).code).toBe(0);
    const report = examine(makeCase(ahead(62)).file);
    expect(report).toMatchObject({ verdict: 'UNANCHORED', code: 3 });
    expect(report.reasons.map(({ message }) => message).join()).toMatch(/before the last statement/);
  });

  it('when an approve action names no cosigned checkpoint', () => {
    const report = examine(makeCase(set('push:outcome', 'anchor', null)).file);
    expect(report).toMatchObject({ verdict: 'UNANCHORED', code: 3, reasons: [{ check: 'actions' }] });
  });

  it('when the checkpoint of an approve action was not witnessed', () => {
    const report = examine(makeCase({ anchor: () => ({ signers: actors.logs }) }).file);
    expect(report).toMatchObject({ verdict: 'UNANCHORED', code: 3, reasons: [{ check: 'actions' }] });
    expect(report.reasons[0]?.message).toMatch(/no witness quorum/);
  });

  it('only where nothing worse is known', () => {
    const bent = makeCase(all(set('push:outcome', 'anchor', null), set('push:outcome', 'status', 'unknown')));
    const report = examine(bent.file);
    expect(report).toMatchObject({ verdict: 'INCOMPLETE', code: 4 });
    expect(report.reasons.map(({ verdict }) => verdict)).toContain('UNANCHORED');
  });
});

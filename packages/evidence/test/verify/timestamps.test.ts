import { describe, expect, it } from 'vitest';
import { utf8 } from '../../src/encoding.ts';
import { sha256 } from '../../src/platform.ts';
import type { Report } from '../../src/verify/report.ts';
import { discount } from '../../src/verify/timestamps.ts';
import { all, at, skip } from '../support/bends.ts';
import { examine, makeCase, nowMs, reasonsOf, trust } from '../support/case-maker.ts';
import type { Bend } from '../support/story.ts';
import { absentStamps, forgedStamps } from './timestamps/forged.ts';
import { anchorText, memberOf, outcomeTime, stamped, stampedHead, stranger, tsa } from './timestamps/stamps.ts';

const asking = { ...trust, tsas: [tsa.sha256] };
const judge = (bend: Bend, over: Parameters<typeof examine>[1] = {}): Report =>
  examine(makeCase(bend).file, { trust: asking, ...over });
const anchorOf = (report: Report) => report.actions.find(({ tier }) => tier === 'approve')?.layers.anchor.why;

describe('where the trust file names an authority', () => {
  it('an approve action with a timestamp on its checkpoint is VERIFIED, and the report tells the time', () => {
    const report = judge(stamped());
    expect(report).toMatchObject({ verdict: 'VERIFIED', reasons: [] });
    expect(report.timestamps).toEqual([
      {
        size: expect.any(Number),
        time: expect.stringMatching(/^2026-11-22T10:/),
        certificate: tsa.sha256,
        discounted: null,
      },
    ]);
    expect(anchorOf(report)).toContain(`timestamped ${report.timestamps[0]?.time}`);
    expect(report.limits.join()).toMatch(/by then, and never since when/);
  });

  it('one without is UNANCHORED', () => {
    const report = judge({});
    expect(report).toMatchObject({ verdict: 'UNANCHORED', code: 3, reasons: [{ check: 'timestamps' }] });
    expect(report.reasons[0]?.message).toMatch(/asks for a timestamp on its checkpoint, and there is none/);
  });

  it('one whose timestamp is by another authority is UNANCHORED, though the named certificate was slipped in', () => {
    const bend: Bend = {
      files(files, story) {
        const text = anchorText(files, story);
        const slipIn = {
          signed: (draft: { certificates: Uint8Array[] }) => void draft.certificates.unshift(tsa.certificate),
        };
        files.set(memberOf(text), stranger.stamp(utf8(text), outcomeTime(story), slipIn));
      },
    };
    const report = judge(bend);
    expect(report).toMatchObject({ verdict: 'UNANCHORED', code: 3 });
    expect(reasonsOf(report, 'timestamps').join()).toMatch(`no tsa line names its certificate ${stranger.sha256}`);
    expect(report.timestamps[0]?.discounted).toMatch(stranger.sha256);
    expect(anchorOf(report)).not.toMatch(/timestamped/);
  });

  it('one that was stamped more than 24 hours after its own time is UNANCHORED', () => {
    const day = 24 * 3_600_000;
    const late = (laterMs: number) => {
      const later = at('exported', (draft, { log }) => {
        draft.header.time = new Date(log.nowMs + 2 * day).toISOString();
      });
      return reasonsOf(judge(all(stamped({ laterMs }), later), { nowMs: nowMs + 3 * day }), 'timestamps');
    };
    expect(late(day + 50_000)).toEqual([]);
    expect(late(day + 70_000).join()).toMatch(/only at .* over 24 hours later/);
  });

  it('one whose timestamp is in the future is UNANCHORED', () => {
    const report = judge(stamped({ laterMs: 2000 }), { nowMs: nowMs - 7_200_000 });
    expect(reasonsOf(report, 'timestamps').join()).toMatch(/does not count: it is in the future/);
    expect(report.verdict).toBe('UNANCHORED');
  });

  it('one that has no outcome is not asked for any', () => {
    expect(reasonsOf(judge(skip('push:outcome', 'confirmed')), 'timestamps')).toEqual([]);
  });

  it('no timestamp counts that this platform cannot check, or whose authority hardly knows the time', () => {
    const timestamp = {
      imprint: sha256(utf8('')),
      timeMs: nowMs,
      accuracyMs: 0,
      nonce: null,
      certificate: tsa.sha256,
      serial: '01',
    };
    expect(discount({ ...timestamp, checked: false }, { trust: asking, nowMs })).toMatch(/cannot be checked here/);
    expect(discount({ ...timestamp, checked: true }, { trust: asking, nowMs })).toBeNull();
    const vague = { ...timestamp, checked: true, accuracyMs: 61_000 };
    expect(discount(vague, { trust: asking, nowMs })).toMatch(/knows the time to 61 s only/);
  });
});

describe('where the trust file names none', () => {
  it('timestamps are not asked for, and the one that is there is named and does not count', () => {
    const report = judge(stamped(), { trust });
    expect(report).toMatchObject({ verdict: 'VERIFIED', reasons: [] });
    expect(report.timestamps[0]?.discounted).toMatch(/no tsa line/);
    expect(report.limits.join()).not.toMatch(/by then/);
  });
});

describe('a timestamp on the checkpoint of the statements', () => {
  it('covers every action', () => {
    const report = judge(all(stamped(), stampedHead));
    expect(report).toMatchObject({ verdict: 'VERIFIED', reasons: [] });
    expect(report.timestamps.map(({ size }) => size)).toHaveLength(2);
    for (const { layers } of report.actions) expect(layers.anchor.why).toMatch(/timestamped 2026-11-22T10:/);
    expect(reasonsOf(judge(stampedHead), 'timestamps').join()).toMatch(/there is none/);
  });
});

describe('a case is FORGED whose timestamp', () => {
  for (const [sentence, [bend, says]] of Object.entries(forgedStamps)) {
    it(sentence, () => {
      const report = judge(bend);
      expect(report).toMatchObject({ verdict: 'FORGED', code: 5, timestamps: [] });
      expect(reasonsOf(report, 'timestamps').join('\n')).toMatch(says);
    });
  }

  it('is not one that is within the grace of the clocks', () => {
    expect(judge(stamped({ laterMs: -60_000 })).verdict).toBe('VERIFIED');
  });
});

for (const [sentence, [bend, says]] of Object.entries(absentStamps)) {
  it(`a case is INCOMPLETE whose timestamp ${sentence}`, () => {
    const report = judge(bend);
    expect(report).toMatchObject({ verdict: 'INCOMPLETE', code: 4, reasons: [{ check: 'timestamps' }] });
    expect(reasonsOf(report, 'timestamps').join()).toMatch(says);
  });
}

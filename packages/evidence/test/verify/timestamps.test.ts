import { describe, expect, it } from 'vitest';
import { members } from '../../src/case/members.ts';
import { fromUtf8, toHex, utf8 } from '../../src/encoding.ts';
import { parseNote } from '../../src/log/note.ts';
import { parseTlogProof } from '../../src/log/tlog-proof.ts';
import { sha256 } from '../../src/platform.ts';
import type { Report } from '../../src/verify/report.ts';
import { discount } from '../../src/verify/timestamps.ts';
import { all, at, skip } from '../support/bends.ts';
import { examine, makeCase, nowMs, reasonsOf, trust } from '../support/case-maker.ts';
import type { Files } from '../support/log-maker.ts';
import type { Bend, Story } from '../support/story.ts';
import { TimestampAuthority } from '../support/timestamp-authority.ts';

const tsa = new TimestampAuthority({ name: 'TSA' });
const stranger = new TimestampAuthority({ name: 'stranger' });
const asking = { ...trust, tsas: [tsa.sha256] };

const textIn = (files: Files, name: string) =>
  parseNote(parseTlogProof(fromUtf8(files.get(name) ?? utf8(''))).checkpoint).text;
const indexOf = (story: Story, step: string) => story.said.get(step)?.index ?? -1;
const anchorText = (files: Files, story: Story) => textIn(files, members.anchorProof(indexOf(story, 'push:intent')));
const headText = (files: Files) => textIn(files, members.proof(0));
const memberOf = (text: string) => members.timestamp(toHex(sha256(utf8(text))));
const outcomeTime = (story: Story, laterMs = 0) =>
  Date.parse(JSON.parse(fromUtf8(story.said.get('push:intent')?.envelope.payload ?? utf8('{}'))).predicate.time) +
  laterMs;

const breakIt = ({ signature }: { readonly signature: Uint8Array }) => {
  signature[signature.length - 1] = (signature.at(-1) ?? 0) ^ 1;
};

interface Stamped {
  readonly by?: TimestampAuthority;
  /** After the intent's own time. */
  readonly laterMs?: number;
}

/** Stamps the checkpoint that the push's outcome names. */
function stamped({ by = tsa, laterMs = 2000 }: Stamped = {}): Bend {
  return {
    files(files, story) {
      const text = anchorText(files, story);
      files.set(memberOf(text), by.stamp(utf8(text), outcomeTime(story, laterMs)));
    },
  };
}

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
    const bend: Bend = {
      files(files, story) {
        const text = headText(files);
        files.set(memberOf(text), tsa.stamp(utf8(text), story.log.nowMs));
      },
    };
    const report = judge(all(stamped(), bend));
    expect(report).toMatchObject({ verdict: 'VERIFIED', reasons: [] });
    expect(report.timestamps.map(({ size }) => size)).toHaveLength(2);
    for (const { layers } of report.actions) expect(layers.anchor.why).toMatch(/timestamped 2026-11-22T10:/);
    expect(reasonsOf(judge(bend), 'timestamps').join()).toMatch(/there is none/);
  });
});

describe('a case is FORGED whose timestamp', () => {
  const put = (make: (text: string, files: Files, story: Story) => Uint8Array): Bend => ({
    files(files, story) {
      const text = anchorText(files, story);
      files.set(memberOf(text), make(text, files, story));
    },
  });
  const forged: Readonly<Record<string, readonly [Bend, RegExp]>> = {
    'was made for another checkpoint': [
      put((_, files, story) => tsa.stamp(utf8(headText(files)), story.log.nowMs)),
      /stamps other bytes/,
    ],
    'has a broken signature': [
      put((text, _, story) => tsa.stamp(utf8(text), story.log.nowMs, { signed: breakIt })),
      /does not verify/,
    ],
    'is garbage': [put(() => utf8('a timestamp')), /timestamps\/[0-9a-f]{64}\.tsr: /],
    'is by nobody that counts and broken all the same': [
      put((text, _, story) => stranger.stamp(utf8(text), story.log.nowMs, { signed: breakIt })),
      /does not verify/,
    ],
    'is older than a statement under it says it is': [
      stamped({ laterMs: -62_000 }),
      /intent .* says it was written at .*, and was timestamped at .* already/,
    ],
    'is newer than the export that lists it': [stamped({ laterMs: 200_000 }), /after the export of .* that lists it/],
  };
  for (const [sentence, [bend, says]] of Object.entries(forged)) {
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

it('a timestamp whose checkpoint is absent makes a case INCOMPLETE', () => {
  const bend: Bend = {
    files(files) {
      files.set(memberOf('nothing'), tsa.stamp(utf8('nothing'), nowMs));
    },
  };
  const report = judge(all(stamped(), bend));
  expect(report).toMatchObject({ verdict: 'INCOMPLETE', code: 4, reasons: [{ check: 'timestamps' }] });
});

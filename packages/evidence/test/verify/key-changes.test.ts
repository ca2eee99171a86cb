import { describe, expect, it } from 'vitest';
import { proves } from '../../../../tests/promises.ts';
import { caseBundle } from '../../src/export/case-bundle.ts';
import { formatTrust, parseTrust, type Trust } from '../../src/log/trust.ts';
import type { Report } from '../../src/verify/report.ts';
import { actors, logKey, newNoteSigner, origin, roleKey } from '../support/actors.ts';
import { after, all } from '../support/bends.ts';
import { examine, makeCase, reasonsOf, trust, trustText } from '../support/case-maker.ts';
import { expectVerdict } from '../support/expect-verdict.ts';
import { tellKey } from '../support/key-events.ts';
import { examineReceipt, receiptOf } from '../support/receipt-maker.ts';
import { logRotated, newLog, oldLog, otherLog, rotatedAfter, successor } from './key-changes/rotations.ts';

const spanOf = ({ key }: typeof newLog, from: number, until: number | '-') =>
  `span ${key.name}+${key.id} ${from} ${until}\n`;
/** What the operator hands out after the exchange: seven entries and the two key-events were there. */
const laterTrust = parseTrust(`log ${newLog.vkey}\n${trustText}${spanOf(oldLog, 0, 9)}${spanOf(newLog, 9, '-')}`);
const said = (report: Report) => report.reasons.map(({ message }) => message).join('\n');

describe('a receipt key that is exchanged', () => {
  it('keeps what it signed, and its successor goes on', () => {
    proves('key-rotation');
    const report = examine(makeCase(rotatedAfter('write:intent', 'end', ({ log }) => log.size)).file);
    expect(report).toMatchObject({ verdict: 'VERIFIED', reasons: [] });
  });

  it('cannot be ended backwards: only a compromise reaches back', () => {
    expect(examine(makeCase(rotatedAfter('write:intent', 'end', () => 0)).file)).toMatchObject({ verdict: 'VERIFIED' });
  });

  it('keeps what it signed before the size from which it was compromised', () => {
    proves('key-rotation');
    const before = rotatedAfter('write:intent', 'compromised', ({ log }) => log.size);
    expect(examine(makeCase(before).file)).toMatchObject({ verdict: 'VERIFIED' });
  });

  it('loses what it signed from that size on', () => {
    proves('key-rotation');
    expectVerdict('FORGED', {
      bend: rotatedAfter('write:intent', 'compromised', ({ said: told }) => told.get('write:intent')?.index ?? 0),
      check: 'signatures',
      says: /intent .*: the receipt key was compromised by then/,
    });
  });

  it('is not replaced by one that the root did not add', () => {
    expectVerdict('FORGED', {
      bend: all(
        rotatedAfter('write:intent', 'end', ({ log }) => log.size),
        {
          draft: (draft) => {
            if (draft.step === `key:add:${successor.keyid}`) draft.signer = actors.stranger;
          },
        },
      ),
      check: 'keys',
      says: /not signed by the root/,
    });
  });

  it('loses everything that a later trust file says it lost, in a case that knew nothing of it', () => {
    const honest = makeCase();
    const line = (from: number) => parseTrust(`${trustText}compromised ${actors.receipt.keyid} ${from}\n`);
    expect(examine(honest.file, { trust: line(honest.story.log.size) }).verdict).toBe('VERIFIED');
    const report = examine(honest.file, { trust: line(honest.story.log.size - 1) });
    expect(report).toMatchObject({ verdict: 'FORGED', code: 5 });
    expect(said(report)).toMatch(/case-exported .*compromised/);
  });
});

describe('a log key', () => {
  const fresh = newNoteSigner(origin, 1);
  it('whose vkey is that of another key is FORGED', () => {
    const mixed = { ...logKey(fresh), vkey: newNoteSigner(origin, 1).vkey };
    expectVerdict('FORGED', {
      bend: after('person', (story) => tellKey(story, mixed)),
      check: 'keys',
      says: /vkey is not that of the key/,
    });
  });

  it('without a vkey is FORGED, and so is another key that has one', () => {
    for (const key of [
      { ...logKey(fresh), vkey: null },
      { ...roleKey('receipt', successor), vkey: fresh.vkey },
    ]) {
      expectVerdict('FORGED', {
        bend: after('person', (story) => tellKey(story, key)),
        check: 'keys',
        says: /vkey is not that of the key/,
      });
    }
  });
});

describe('the root', () => {
  for (const event of ['end', 'compromised'] as const) {
    it(`is not given up by itself (${event})`, () => {
      expectVerdict('FORGED', {
        bend: after('person', (story) => tellKey(story, roleKey('root'), event, 0)),
        check: 'keys',
        says: /the root cannot be ended/,
      });
    });
  }
});

describe('a log key that is exchanged', () => {
  const later = makeCase(logRotated([newLog, otherLog]));

  it('is followed from an older trust file on, under its root', () => {
    proves('key-rotation');
    expect(examine(later.file)).toMatchObject({ verdict: 'VERIFIED', reasons: [] });
  });

  it('is followed in a receipt too, and a bundle names the key that signed', () => {
    const { log } = later.story;
    const receipt = (signers: readonly (typeof newLog)[]) =>
      examineReceipt(receiptOf(later.story, log.checkpoint(log.size, [...signers, actors.witness])));
    expect(receipt([newLog, otherLog])).toMatchObject({ verdict: 'VERIFIED', reasons: [] });
    expect(receipt([oldLog, otherLog])).toMatchObject({ verdict: 'FORGED' });
    const { bundle } = caseBundle(later.file);
    expect(JSON.stringify(bundle)).toContain(
      `"keyId":"${Buffer.from(newLog.key.id, 'hex').toString('base64').slice(0, 5)}`,
    );
  });

  it('must have signed the anchor of each approve action, at whose size it held', () => {
    const honest = makeCase();
    const { size } = honest.story.log;
    const stood = parseTrust(`log ${newLog.vkey}\n${trustText}${spanOf(newLog, 0, size - 1)}`);
    const report = examine(honest.file, { trust: stood });
    expect(report).toMatchObject({ verdict: 'FORGED' });
    expect(reasonsOf(report, 'actions').join()).toMatch(/the anchor: no valid signature by/);
  });

  it('is not followed where the trust file names no root, or another', () => {
    const { root: _, ...rootless } = trust;
    expect(said(examine(later.file, { trust: rootless }))).toMatch(/no signature by the log key/);
    const other: Trust = { ...trust, root: actors.stranger.keyid };
    expect(examine(later.file, { trust: other })).toMatchObject({ verdict: 'FORGED' });
  });

  it('is known to a later trust file, which still verifies an older case', () => {
    expect(examine(later.file, { trust: laterTrust })).toMatchObject({ verdict: 'VERIFIED' });
    const older = makeCase().story.log.size;
    const spans = trustText.replace(/^/, `log ${newLog.vkey}\n`);
    const wide = parseTrust(`${spans}${spanOf(oldLog, 0, older)}${spanOf(newLog, older, '-')}`);
    expect(examine(makeCase().file, { trust: wide })).toMatchObject({ verdict: 'VERIFIED' });
  });

  it('signs nothing more: not alone, and not beside its successor’s absence', () => {
    for (const signers of [[oldLog, otherLog], [otherLog]]) {
      const report = examine(makeCase(logRotated(signers)).file);
      expect(report).toMatchObject({ verdict: 'FORGED' });
      expect(said(report)).toMatch(/not signed by the log's keys/);
    }
  });

  it('does not vouch for a size from which it was compromised', () => {
    const report = examine(makeCase(logRotated([oldLog, otherLog], 'compromised')).file);
    expect(report).toMatchObject({ verdict: 'FORGED' });
    expect(examine(makeCase(logRotated([newLog, otherLog], 'compromised')).file).verdict).toBe('VERIFIED');
  });
});

describe('the lines of the trust file about changed keys', () => {
  it('are read and written', () => {
    const text = `${trustText}compromised ${actors.receipt.keyid} 12\n`;
    expect(formatTrust(parseTrust(formatTrust(parseTrust(text))))).toBe(formatTrust(parseTrust(text)));
    expect(parseTrust(formatTrust(laterTrust))).toEqual(laterTrust);
  });

  for (const [what, line] of [
    ['a span of a key that no log line names', `span ${origin}+00000000 0 -`],
    ['a span that ends before it begins', spanOf(oldLog, 9, 9).trim()],
    ['a span without an end', `span ${origin}+${oldLog.key.id} 9`],
    ['two spans of one key', `${spanOf(oldLog, 0, 9)}${spanOf(oldLog, 9, '-')}`.trim()],
    ['a compromise of no key', 'compromised receipt 12'],
    ['a compromise from nowhere', `compromised ${actors.receipt.keyid} -`],
    ['two compromises of one key', `compromised ${actors.receipt.keyid} 1\ncompromised ${actors.receipt.keyid} 2`],
  ] as const) {
    it(`are refused: ${what}`, () => {
      expect(() => parseTrust(`${trustText}${line}\n`)).toThrow(expect.objectContaining({ code: 'trust' }));
    });
  }
});

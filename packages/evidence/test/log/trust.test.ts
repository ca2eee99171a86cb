import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EvidenceError } from '../../src/errors.ts';
import { formatCheckpoint } from '../../src/log/checkpoint.ts';
import { signNote } from '../../src/log/cosignature.ts';
import { judgeCheckpoint } from '../../src/log/judge-checkpoint.ts';
import { emptyRoot } from '../../src/log/merkle.ts';
import { formatNote, formatVkey } from '../../src/log/note.ts';
import { formatTrust, parseTrust } from '../../src/log/trust.ts';
import { testKey } from './keys.ts';

const origin = 'log.example/a';
const log = testKey(origin, 1);
const logPq = testKey(origin, 6);
const w1 = testKey('w1.example', 4);
const w2 = testKey('w2.example', 6);
const w3 = testKey('w3.example', 4);
const root = 'a'.repeat(64);
const lines = [
  `log ${formatVkey(log.key)} https://log.example/a`,
  `log ${formatVkey(logPq.key)}`,
  `witness local ${formatVkey(w1.key)}`,
  `witness two ${formatVkey(w2.key)}`,
  `witness three ${formatVkey(w3.key)}`,
  'group most 2 local two three',
  'quorum most',
  `root ${root}`,
  `tsa ${'b'.repeat(64)}`,
  'max-age 3600',
];
const trust = parseTrust(`# whom we believe\n\n  ${lines.join('\n\t')}\n`);
const text = formatCheckpoint({ origin, size: 0, root: emptyRoot() });
type Signed = readonly [typeof log, number];
const note = (...signed: readonly Signed[]) =>
  formatNote({ text, signatures: signed.map(([who, at]) => signNote(who.key, text, at, who.sign)) });

function message(file: string): string {
  try {
    parseTrust(file);
  } catch (error) {
    if (error instanceof EvidenceError && error.code === 'trust') return error.message;
  }
  return 'accepted';
}

describe('a trust file', () => {
  test('reads back what it writes', () => {
    expect(parseTrust(formatTrust(trust))).toEqual(trust);
    expect(trust).toMatchObject({ quorum: 'most', root, maxAgeSeconds: 3600 });
    expect(trust.witnesses.map((witness) => witness.name)).toEqual(['local', 'two', 'three']);
  });

  test('is refused with the number of the line that is wrong', () => {
    const at = (index: number, line: string) => lines.map((old, i) => (i === index ? line : old)).join('\n');
    const wrong: readonly (readonly [number, string])[] = [
      [0, 'logg x'],
      [0, 'log nonsense'],
      [0, `log ${formatVkey(w1.key)}`],
      [2, `witness none ${formatVkey(w1.key)}`],
      [3, `witness local ${formatVkey(w2.key)}`],
      [3, `witness two ${formatVkey(w1.key)}`],
      [3, `witness two ${formatVkey(logPq.key)}`],
      [5, 'group most 4 local two three'],
      [5, 'group most 0 local two three'],
      [5, 'group most 2 local local'],
      [5, 'group most any nobody'],
      [6, 'quorum nobody'],
      [7, `root ${'A'.repeat(64)}`],
      [8, 'quorum none'],
      [8, `root ${root}`],
      [9, 'max-age 0'],
      [9, 'max-age 1h'],
      [9, 'max-age 5\u0007'],
    ];
    for (const [index, line] of wrong) {
      expect(message(at(index, line)), line).toMatch(new RegExp(`line ${index + 1}: `));
    }
    expect(message(lines.filter((line) => !line.startsWith('quorum')).join('\n'))).toContain('without a quorum');
  });

  test('never makes its parser fail in an unplanned way', () => {
    const word = fc.constantFrom(
      'log',
      'witness',
      'group',
      'quorum',
      'none',
      'root',
      'any',
      '2',
      '#',
      '\t',
      '\n',
      root,
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(word, fc.string({ maxLength: 6 }))), (words) => {
        expect(typeof message(words.join(' '))).toBe('string');
      }),
    );
  });
});

describe('a checkpoint judged by a trust file', () => {
  test('needs every log key and a quorum of witnesses, and tells the time by which the quorum had signed', () => {
    const judged = judgeCheckpoint(note([log, 0], [logPq, 50], [w3, 300], [w1, 100], [w2, 200]), trust);
    expect(judged).toMatchObject({ logKeysOk: true, quorumMet: true, witnessedTime: 200, badSignatures: [] });
    expect(judged.witnesses.map((seen) => seen.name)).toEqual(['local', 'two', 'three']);
  });

  test('names a missing log key and a missing quorum', () => {
    const judged = judgeCheckpoint(note([log, 0], [w1, 100]), trust);
    expect(judged.missingLogKeys).toEqual([`${origin}+${logPq.key.id}`]);
    expect(judged).toMatchObject({ logKeysOk: false, quorumMet: false });
    expect(judged.witnessedTime).toBeUndefined();
  });

  test('is refused as a whole when the line of a known key is bad, and counts no witness twice', () => {
    const good = note([log, 0], [logPq, 50], [w1, 100], [w1, 101]);
    expect(judgeCheckpoint(good, trust).quorumMet).toBe(false);
    const line = signNote(w2.key, text, 9, () => new Uint8Array(2420));
    const whole = note([log, 0], [logPq, 50], [w1, 100], [w3, 101]);
    expect(judgeCheckpoint(whole, trust).quorumMet).toBe(true);
    const spoiled = `${whole}— ${line.name} ${Buffer.concat([Buffer.from(line.id, 'hex'), line.signature]).toString('base64')}\n`;
    const judged = judgeCheckpoint(spoiled, trust);
    expect(judged.badSignatures).toEqual([`w2.example+${w2.key.id}`]);
    expect(judged).toMatchObject({ logKeysOk: false, quorumMet: false });
  });

  test('does not count a cosignature without a time', () => {
    expect(judgeCheckpoint(note([log, 0], [logPq, 50], [w1, 100], [w2, 0]), trust).quorumMet).toBe(false);
  });

  test('meets "quorum none" without any witness and without a witnessed time', () => {
    const none = parseTrust(`log ${formatVkey(log.key)}\nquorum none\n`);
    const judged = judgeCheckpoint(note([log, 0]), none);
    expect(judged).toMatchObject({ logKeysOk: true, quorumMet: true });
    expect(judged.witnessedTime).toBeUndefined();
  });

  test('of another origin has none of the named log keys', () => {
    const other = parseTrust(`log ${formatVkey(testKey('log.example/b', 1).key)}\nquorum none\n`);
    expect(judgeCheckpoint(note([log, 0]), other).logKeysOk).toBe(false);
  });
});

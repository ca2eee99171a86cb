import { expect, test } from 'vitest';
import { proves } from '../../../../tests/promises.ts';
import { utf8 } from '../../src/encoding.ts';
import { formatCheckpoint } from '../../src/log/checkpoint.ts';
import { type Continuation, judgeContinuation } from '../../src/log/continuation.ts';
import { consistencyProof, leafHash, rootFromLeaves } from '../../src/log/merkle.ts';
import { actors, type NoteSigner, newNoteSigner, origin, signedNote } from '../support/actors.ts';
import { trust } from '../support/case-maker.ts';

const leaves = Array.from({ length: 9 }, (_, i) => leafHash(utf8(`entry ${i}`)));
const rewritten = leaves.with(2, leafHash(utf8('another entry')));

function note(size: number, tree = leaves, signers: readonly NoteSigner[] = actors.logs, name = origin): string {
  const text = formatCheckpoint({ origin: name, size, root: rootFromLeaves(tree.slice(0, size)) });
  return signedNote(text, signers, 1_795_341_600);
}

const judge = (old: string, present: string, proof: readonly Uint8Array[] | null): Continuation =>
  judgeContinuation({ old, present, proof, trust });

test('a log that went on is told from the old checkpoint on', () => {
  for (let size = 0; size <= 9; size++) {
    const { result, code, old, present } = judge(note(size), note(9), consistencyProof(leaves, size));
    expect({ result, code, old: old?.size, present: present?.size }).toEqual({
      result: 'continuation',
      code: 0,
      old: size,
      present: 9,
    });
  }
});

test('a log that was rewritten is forked, whatever proof it shows', () => {
  proves('log-continues');
  for (const proof of [consistencyProof(rewritten, 5), consistencyProof(leaves, 5), [], null]) {
    expect(judge(note(5), note(9, rewritten), proof)).toMatchObject({ result: 'forked', code: 5 });
  }
  expect(judge(note(9), note(9, rewritten), [])).toMatchObject({
    result: 'forked',
    says: expect.stringContaining('two roots'),
  });
  expect(judge(note(5), note(9), null)).toMatchObject({ result: 'forked', code: 5 });
});

test('a log that is smaller than it was is truncated', () => {
  expect(judge(note(9), note(5), null)).toMatchObject({ result: 'truncated', code: 5 });
});

test('a present checkpoint that the log has not signed counts for nothing', () => {
  const strangers = [newNoteSigner(origin, 1), newNoteSigner(origin, 6)];
  const proof = consistencyProof(leaves, 5);
  for (const present of [note(9, leaves, strangers), note(9, leaves, actors.logs.slice(0, 1)), 'not a note']) {
    expect(judge(note(5), present, proof)).toMatchObject({ result: 'unsigned', code: 5 });
  }
});

test('an old file that is not a signed checkpoint of this log says nothing', () => {
  const present = note(9);
  const elsewhere = [newNoteSigner('deed.local/other', 1), newNoteSigner('deed.local/other', 6)];
  const bad: readonly (readonly [string, string])[] = [
    ['not-a-checkpoint', ''],
    ['not-a-checkpoint', note(5).replace(`${origin}\n5\n`, `${origin}\n05\n`)],
    ['other-log', note(5, leaves, elsewhere, 'deed.local/other')],
    ['bad-signature', note(5).replace('\n5\n', '\n6\n')],
    ['bad-signature', note(5, leaves, actors.logs.slice(1))],
    ['bad-signature', note(5, leaves, [actors.witness])],
  ];
  for (const [result, old] of bad) {
    expect(judge(old, present, consistencyProof(leaves, 5))).toMatchObject({ result, code: 2 });
  }
});

import { describe, expect, test } from 'vitest';
import { toBase64, utf8 } from '../../src/encoding.ts';
import { DeedError } from '../../src/errors.ts';
import { formatCheckpoint } from '../../src/log/checkpoint.ts';
import { signNote } from '../../src/log/cosignature.ts';
import { encodeLeaf } from '../../src/log/leaf.ts';
import { inclusionProof, leafHash, rootFromLeaves } from '../../src/log/merkle.ts';
import { formatNote } from '../../src/log/note.ts';
import { formatTlogProof, parseTlogProof, verifyTlogProof } from '../../src/log/tlog-proof.ts';
import { testKey } from './keys.ts';

const leaves = Array.from({ length: 5 }, (_, i) => leafHash(utf8(`${i}`)));
const { key, sign } = testKey('log.example/a', 1);
const text = formatCheckpoint({ origin: 'log.example/a', size: 5, root: rootFromLeaves(leaves) });
const checkpoint = formatNote({ text, signatures: [signNote(key, text, 0, sign)] });
const proof = { index: 3, proof: inclusionProof(leaves, 3), checkpoint };
const refused = (run: () => unknown) => {
  try {
    run();
    return false;
  } catch (error) {
    return error instanceof DeedError;
  }
};

describe('a tlog-proof', () => {
  test('reads back what was written and proves its leaf and no other', () => {
    const parsed = parseTlogProof(formatTlogProof(proof));
    expect(parsed.proof.map(toBase64)).toEqual(proof.proof.map(toBase64));
    expect(formatTlogProof(parsed)).toBe(formatTlogProof(proof));
    expect(verifyTlogProof(parsed, leaves[3] as Uint8Array).size).toBe(5);
    expect(refused(() => verifyTlogProof(parsed, leaves[2] as Uint8Array))).toBe(true);
    expect(refused(() => verifyTlogProof({ ...parsed, index: 2 }, leaves[3] as Uint8Array))).toBe(true);
  });

  test('is refused in any other form, and with an extra line where none is wanted', () => {
    const whole = formatTlogProof(proof);
    const withExtra = formatTlogProof({ ...proof, extra: utf8('more') });
    expect(parseTlogProof(withExtra).extra).toEqual(Buffer.from('more'));
    expect(refused(() => parseTlogProof(withExtra, { refuseExtra: true }))).toBe(true);
    for (const changed of [
      whole.replace('index 3', 'index 03'),
      whole.replace('index 3', 'index -3'),
      whole.replace('index 3\n', ''),
      whole.replace('index 3', 'index 3 '),
      whole.replace('@v1', '@v2'),
      whole.replace('=\n', '\n'),
      whole.slice(0, -1),
      `${whole}\n`,
      whole.replace('\n5\n', '\n5\n\n'),
    ]) {
      expect(changed).not.toBe(whole);
      expect(
        refused(() => parseTlogProof(changed)),
        changed,
      ).toBe(true);
    }
  });
});

describe('the leaf', () => {
  test('is the same 489 bytes for ever', () => {
    const leaf = encodeLeaf({
      digest: new Uint8Array(32).fill(1),
      signature: new Uint8Array(71).fill(2),
      spki: new Uint8Array(91).fill(3),
    });
    const [d, s, k] = [Buffer.alloc(32, 1), Buffer.alloc(71, 2), Buffer.alloc(91, 3)].map((b) => b.toString('base64'));
    expect(leaf.length).toBe(489);
    expect(Buffer.from(leaf).toString()).toBe(
      JSON.stringify({
        apiVersion: '0.0.2',
        kind: 'hashedrekord',
        spec: {
          hashedRekordV002: {
            data: { algorithm: 'SHA2_256', digest: d },
            signature: { content: s, verifier: { keyDetails: 'PKIX_ECDSA_P256_SHA_256', publicKey: { rawBytes: k } } },
          },
        },
      }),
    );
    expect(Buffer.from(leafHash(leaf)).toString('hex')).toMatchInlineSnapshot(
      `"6c885f0f53d470df51b6317e959f95d1969bade9e082f2bad58c8337b1ca984d"`,
    );
  });
});

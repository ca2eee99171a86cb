import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toHex, utf8 } from '../../src/encoding.ts';
import {
  consistencyProof,
  emptyRoot,
  inclusionProof,
  leafHash,
  nodeHash,
  rootFromLeaves,
  verifyConsistency,
  verifyInclusion,
} from '../../src/log/merkle.ts';

const leaves = (count: number) => Array.from({ length: count }, (_, i) => leafHash(utf8(`entry ${i}`)));
const flip = (hash: Uint8Array) => Uint8Array.from(hash, (byte, i) => (i === 3 ? byte ^ 1 : byte));

describe('the tree', () => {
  test('has the root that RFC 6962 gives for no entry, one entry and three entries', () => {
    expect(toHex(emptyRoot())).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
    expect(toHex(rootFromLeaves([leafHash(new Uint8Array())]))).toBe(
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    );
    const [a, b, c] = leaves(3) as [Uint8Array, Uint8Array, Uint8Array];
    expect(rootFromLeaves([a, b, c])).toEqual(nodeHash(nodeHash(a, b), c));
  });

  test('proves every leaf of every size, and no other leaf or index', () => {
    for (let size = 1; size <= 40; size++) {
      const all = leaves(size);
      const root = rootFromLeaves(all);
      all.forEach((leaf, index) => {
        const proof = inclusionProof(all, index);
        expect(verifyInclusion({ index, size, leafHash: leaf, proof, root })).toBe(true);
        expect(verifyInclusion({ index, size, leafHash: flip(leaf), proof, root })).toBe(false);
        expect(verifyInclusion({ index: index + 1, size, leafHash: leaf, proof, root })).toBe(false);
        expect(verifyInclusion({ index, size, leafHash: leaf, proof: [...proof, leaf], root })).toBe(false);
        if (proof.length > 0) {
          expect(verifyInclusion({ index, size, leafHash: leaf, proof: proof.slice(1), root })).toBe(false);
        }
      });
    }
  });

  test('proves that each smaller tree is its beginning, and refuses any changed bit', () => {
    for (let newSize = 0; newSize <= 33; newSize++) {
      const all = leaves(newSize);
      const newRoot = rootFromLeaves(all);
      for (let oldSize = 0; oldSize <= newSize; oldSize++) {
        const proof = consistencyProof(all, oldSize);
        const claim = { oldSize, newSize, oldRoot: rootFromLeaves(all.slice(0, oldSize)), newRoot, proof };
        expect(verifyConsistency(claim)).toBe(true);
        expect(verifyConsistency({ ...claim, oldRoot: flip(claim.oldRoot) })).toBe(false);
        expect(verifyConsistency({ ...claim, proof: [...proof, newRoot] })).toBe(false);
        if (oldSize > 0) expect(verifyConsistency({ ...claim, newRoot: flip(newRoot) })).toBe(false);
        proof.forEach((_, at) => {
          const changed = proof.map((hash, i) => (i === at ? flip(hash) : hash));
          expect(verifyConsistency({ ...claim, proof: changed })).toBe(false);
        });
      }
    }
  });

  test('refuses hashes that are not 32 bytes, sizes that are not sizes and an empty tree with another root', () => {
    const leaf = leafHash(utf8('x'));
    expect(verifyInclusion({ index: 0, size: 1, leafHash: new Uint8Array(), proof: [], root: new Uint8Array() })).toBe(
      false,
    );
    for (const size of [0, -1, 1.5, Number.NaN, 2 ** 53]) {
      expect(verifyInclusion({ index: 0, size, leafHash: leaf, proof: [], root: leaf })).toBe(false);
    }
    expect(verifyConsistency({ oldSize: 0, newSize: 0, oldRoot: leaf, newRoot: leaf, proof: [] })).toBe(false);
  });

  test('holds above 2^32 entries', () => {
    // A chain of single leaves to the right of one complete subtree: the last leaf's path is known by construction.
    fc.assert(
      fc.property(fc.integer({ min: 33, max: 50 }), (level) => {
        const left = leafHash(utf8(`subtree of 2^${level}`));
        const leaf = leafHash(utf8('last'));
        const size = 2 ** level + 1;
        const root = nodeHash(left, leaf);
        expect(verifyInclusion({ index: 2 ** level, size, leafHash: leaf, proof: [left], root })).toBe(true);
        expect(verifyInclusion({ index: 0, size, leafHash: leaf, proof: [left], root })).toBe(false);
        const claim = { oldSize: 2 ** level, newSize: size, oldRoot: left, newRoot: root, proof: [leaf] };
        expect(verifyConsistency(claim)).toBe(true);
        expect(verifyConsistency({ ...claim, oldSize: 2 ** level - 1 })).toBe(false);
      }),
    );
  });
});

import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { batchLeaves, batchRoot, eventsRoot } from '../../src/case/batch-tree.ts';

const hash = (...parts: readonly Uint8Array[]) => createHash('sha256').update(Buffer.concat(parts)).digest();
const name = (i: number) => hash(Buffer.from(String(i))).toString('hex');

/** RFC 6962 section 2.1, as it is written there. */
function treeHash(entries: readonly Uint8Array[]): Buffer {
  const [only] = entries;
  if (!only) return hash();
  if (entries.length === 1) return hash(Buffer.of(0), only);
  let k = 1;
  while (k * 2 < entries.length) k *= 2;
  return hash(Buffer.of(1), treeHash(entries.slice(0, k)), treeHash(entries.slice(k)));
}

describe('the tree of a batch', () => {
  it('is the RFC 6962 tree over the events, in the order of reading', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), (count) => {
        const events = Array.from({ length: count }, (_, i) => name(i));
        expect(eventsRoot(events)).toBe(treeHash(events.map((event) => Buffer.from(event, 'hex'))).toString('hex'));
      }),
    );
  });

  it('has one leaf a credential, sorted, with root and count', () => {
    const groups = [5, 1, 3].map((count) => ({
      credential: name(1000 + count),
      events: Array.from({ length: count }, (_, i) => name(i)),
    }));
    const leaves = batchLeaves(groups);
    expect(leaves.map(({ credential }) => credential)).toEqual(groups.map(({ credential }) => credential).sort());
    const encoded = leaves.map(({ credential, root, events }) => {
      const count = Buffer.alloc(8);
      count.writeBigUInt64BE(BigInt(events));
      return Buffer.concat([Buffer.from(credential, 'hex'), Buffer.from(root, 'hex'), count]);
    });
    expect(batchRoot(leaves)).toBe(treeHash(encoded).toString('hex'));
  });

  it('has another root when an event is dropped, added, changed or moved', () => {
    const events = Array.from({ length: 7 }, (_, i) => name(i));
    const others = [events.slice(1), [...events, name(9)], events.toReversed(), events.with(3, name(9))];
    for (const other of others) expect(eventsRoot(other)).not.toBe(eventsRoot(events));
  });
});

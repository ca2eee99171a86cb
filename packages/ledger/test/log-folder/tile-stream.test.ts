import { leafHash, memoryTree, rootOf, toHex } from '@deed/evidence';
import { describe, expect, test } from 'vitest';
import { firstEntries, TileStream } from '../../src/log-folder/tile-stream.ts';
import { tilePath, tileWidth } from '../../src/tile-path.ts';
import { bundleOf as encodeBundle } from '../../src/tile-tree.ts';
import { codeOf } from '../world.ts';

const entryOf = (index: number) => Buffer.from(`entry ${index} ${'x'.repeat(index % 40)}`);
const bundleOf = (first: number, width: number) =>
  Buffer.from(encodeBundle(Array.from({ length: width }, (_, i) => entryOf(first + i))));

function streamed(size: number, first = 0) {
  const tiles = new Map<string, Buffer>();
  const stream = new TileStream((name, bytes) => void tiles.set(tilePath(name), Buffer.from(bytes)), first);
  for (let at = first; at < first + size; at += tileWidth) {
    stream.append(bundleOf(at, Math.min(tileWidth, first + size - at)));
  }
  return { stream, tiles };
}

describe('a stream of bundles', () => {
  const leaves = Array.from({ length: 1_200 }, (_, index) => leafHash(entryOf(index)));
  const tree = memoryTree(leaves);

  test('gives each tile of each level and the root that the leaves give', () => {
    for (const size of [0, 1, 2, 3, 7, 255, 256, 257, 511, 512, 1_200]) {
      const { stream, tiles } = streamed(size);
      expect(toHex(stream.end()), `root of ${size}`).toBe(toHex(rootOf(tree, size)));
      let expected = 0;
      for (let level = 0, hashes = size; hashes > 0; level++, hashes = Math.floor(hashes / tileWidth)) {
        for (let index = 0; index * tileWidth < hashes; index++, expected++) {
          const width = Math.min(tileWidth, hashes - index * tileWidth);
          const row = Array.from({ length: width }, (_, i) => tree(8 * level, index * tileWidth + i));
          expect(
            tiles.get(tilePath({ level, index, width }))?.equals(Buffer.concat(row)),
            `${size}: ${level}/${index}`,
          ).toBe(true);
        }
      }
      expect(tiles.size).toBe(expected);
    }
  });

  test('goes on where the subtrees that others made end', () => {
    const tiles = new Map<string, Buffer>();
    const stream = new TileStream((name, bytes) => void tiles.set(tilePath(name), Buffer.from(bytes)));
    for (const first of [0, 256, 512]) {
      const part = streamed(256, first);
      expect([...part.tiles.keys()]).toEqual([tilePath({ level: 0, index: first / 256, width: 256 })]);
      stream.appendSubtree(1, part.stream.root());
    }
    stream.append(bundleOf(768, 44));
    expect(toHex(stream.end())).toBe(toHex(rootOf(tree, 812)));
    expect([...tiles.keys()]).toEqual(['tile/0/003.p/44', 'tile/1/000.p/3']);
  });

  test('refuses a bundle that ends in the middle of an entry', () => {
    const bundle = bundleOf(0, 3);
    expect(firstEntries(bundle, 2)).toEqual(bundleOf(0, 2));
    for (const cut of [bundle.subarray(0, -1), Buffer.concat([bundle, Buffer.of(0)]), Buffer.of(0)]) {
      expect(codeOf(thrown(() => new TileStream(() => {}).append(cut)))).toBe('damaged');
    }
    expect(codeOf(thrown(() => firstEntries(bundle, 4)))).toBe('damaged');
  });
});

function thrown(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

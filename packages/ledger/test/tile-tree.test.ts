import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { leafHash, rootFromLeaves, sha256, toHex, utf8 } from '@deed/evidence';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { leafOf, TileFolder } from '../src/index.ts';
import { TileTree } from '../src/tile-tree.ts';

const root = fs.mkdtempSync(join(tmpdir(), 'deed-tiles-'));
afterAll(() => fs.rmSync(root, { recursive: true }));
let count = 0;
const leaf = (index: number) => utf8(`entry ${index}`);

function contents(folder: string): string {
  const files = fs.readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
  const lines = files
    .filter((file) => fs.statSync(join(folder, file)).isFile())
    .map((file) => `${file} ${toHex(sha256(fs.readFileSync(join(folder, file))))}\n`);
  return lines.join('');
}

describe('the tiles', () => {
  test('are the same bytes for ever', () => {
    const folder = join(root, `${count++}`);
    const tree = new TileTree(new TileFolder(folder));
    for (let index = 0; index < 600; index++) tree.append(leaf(index));
    tree.writePartials();
    expect(toHex(tree.view().root())).toMatchInlineSnapshot(
      `"e8a804af596789ed4f53942e294cfe44d5bed4c7140c7f0f5fa52c0c122232d6"`,
    );
    expect(contents(folder)).toMatchInlineSnapshot(`
      "tile/0/000 b0f6ca2ff42508faf8c6bb4ea8bb9c74243b19d4174fdc4fd17bdad9099e605e
      tile/0/001 5b4af7f8c276af63acf25814d12ef3d04d3ed33d10431e9f8535876604e53acf
      tile/0/002.p/88 ed05608d4fe01f6be650d6782fd5c38413664ab3c7e58b2ce06d07811ef7abbe
      tile/1/000.p/2 8152514257f01fd795091dbf4b4ca2b407d81384d1a2813483012d733fdd0585
      tile/entries/000 c378282cb2167eb29f7e0c483ef2ce284728c12286469737cf8c3dc71e412ff1
      tile/entries/001 763577dddb4ea347cde84a890db17d3f534baf4de625a511bba7985b3c4217bc
      tile/entries/002.p/88 9901eeba6ce324d4ddb7e43528cc434cf76b98420bd891e2a26cc9bcbb3153f2
      "
    `);
  });

  test('have the root of the plain tree however often the log stopped and went on', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 300 }), { minLength: 1, maxLength: 6 }), (steps) => {
        const folder = join(root, `${count++}`);
        const hashes: Uint8Array[] = [];
        for (const step of steps) {
          const size = hashes.length;
          const tree = new TileTree(new TileFolder(folder));
          const begin = size - (size % 256);
          tree.resume(
            size,
            Array.from({ length: size - begin }, (_, i) => leaf(begin + i)),
          );
          for (let i = 0; i < step; i++) {
            tree.append(leaf(hashes.length));
            hashes.push(leafHash(leaf(hashes.length)));
          }
          tree.writePartials();
          expect(tree.size).toBe(hashes.length);
          expect(toHex(tree.view().root())).toBe(toHex(rootFromLeaves(hashes)));
          const middle = Math.floor(hashes.length / 2);
          expect(toHex(tree.view().rootAt(middle))).toBe(toHex(rootFromLeaves(hashes.slice(0, middle))));
        }
      }),
      { numRuns: process.env.SLOW ? 200 : 15 },
    );
  });

  test('are built on leaves that a row gives back byte for byte, by its leaf version', () => {
    const entry = {
      index: 0,
      series: 'deployment',
      n: 0,
      envelope: { payload: utf8('{"golden":true}'), keyid: 'a'.repeat(64), signature: new Uint8Array(71).fill(5) },
      spki: new Uint8Array(91).fill(6),
      leafVersion: 1,
    };
    expect(leafOf(entry).length).toBe(489);
    expect(toHex(leafHash(leafOf(entry)))).toMatchInlineSnapshot(
      `"ee2876765ee778b111d43a387f3ac4a58d2e0fab50ec24b0ddd1430acf1db49b"`,
    );
    expect(() => leafOf({ ...entry, leafVersion: 2 })).toThrow(/unknown/);
  });
});

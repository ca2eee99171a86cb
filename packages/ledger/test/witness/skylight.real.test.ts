import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { parseNote, sha256, toHex, utf8 } from '@deed/evidence';
import { describe, expect, test } from 'vitest';
import { parseTilePath, tilePath } from '../../src/index.ts';

const folder = new URL('../../../../../shared/vectors/', import.meta.url);
const present = existsSync(folder);
if (!present) console.warn('SKIPPED layouts of the Sunlight project: the vectors folder is absent');
const read = (path: string) => readFileSync(new URL(path, folder));
const files = (path: string) =>
  readdirSync(new URL(path, folder), { recursive: true, withFileTypes: true })
    .filter((item) => item.isFile())
    .map((item) => `${item.parentPath}/${item.name}`.slice(new URL(path, folder).pathname.length));

describe.skipIf(!present)('what the Sunlight project serves', () => {
  test('a witness has the checkpoint of a log under the hash of its origin', () => {
    const named = ['witness', 'witness2', 'witness/mirror'].flatMap((at) =>
      files(`sunlight-skylight/${at}/`)
        .filter((path) => /^[0-9a-f]{64}\/checkpoint$/.test(path))
        .map((path) => ({ at, path })),
    );
    expect(named.length).toBeGreaterThan(1);
    for (const { at, path } of named) {
      const { text } = parseNote(read(`sunlight-skylight/${at}/${path}`));
      expect(toHex(sha256(utf8(text.split('\n')[0] ?? ''))), path).toBe(path.slice(0, 64));
    }
  });

  test('tiles of hashes lie where we read them; what RFC 6962 logs keep otherwise is no tile of ours', () => {
    const paths = files('sunlight-skylight/tree/').filter((path) => path.startsWith('tile/'));
    const hashes = paths.filter((path) => /^tile\/[0-9]/.test(path));
    expect(hashes.sort()).toEqual(['tile/0/000', 'tile/0/001.p/44', 'tile/1/000.p/1']);
    for (const path of hashes) {
      const name = parseTilePath(path);
      expect(name && tilePath(name)).toBe(path);
    }
    for (const path of paths.filter((one) => !hashes.includes(one))) expect(parseTilePath(path), path).toBeUndefined();
  });

  test('paths that others found by fuzzing have one reading or none', () => {
    const seeds = readdirSync(new URL('azul/fuzz_parse_tile_path/', folder));
    expect(seeds.length).toBeGreaterThan(5);
    for (const seed of seeds) {
      const path = read(`azul/fuzz_parse_tile_path/${seed}`).toString('latin1');
      const name = parseTilePath(path);
      if (name) expect(tilePath(name)).toBe(path);
    }
  });
});

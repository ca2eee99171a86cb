import { globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { milestones, type PromiseId, promises, reached } from './promises.ts';

const root = resolve(import.meta.dirname, '..');
const ids = Object.keys(promises) as PromiseId[];
const cited = citations();

/** Who cites each promise: the literal calls of `proves` in all test files but this one. */
function citations(): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const file of globSync('{packages,tests,examples}/**/*.test.ts', { cwd: root, exclude: isForeign })) {
    if (file === 'tests/promises.test.ts') continue;
    for (const [, list = ''] of readFileSync(join(root, file), 'utf8').matchAll(/\bproves\(([^)]*)\)/g)) {
      for (const [, id = ''] of list.matchAll(/'([^']+)'/g)) found.set(id, [...(found.get(id) ?? []), file]);
    }
  }
  return found;
}

function isForeign(path: string): boolean {
  return path.split('/').includes('node_modules');
}

describe('promises of the product', () => {
  it('every cited promise exists', () => {
    const unknown = [...cited].filter(([id]) => !ids.includes(id as PromiseId));
    expect(unknown).toEqual([]);
  });

  it.for(ids.filter((id) => reached.includes(promises[id].since)))('%s is shown by a test', (id) => {
    expect(cited.get(id) ?? [], promises[id].sentence).not.toEqual([]);
  });

  it('every promise of a later milestone is listed in docs/known-gaps.md', () => {
    const gaps = readFileSync(join(root, 'docs', 'known-gaps.md'), 'utf8');
    const later = milestones.filter((milestone) => !reached.includes(milestone));
    const open = later.flatMap((milestone) => ids.filter((id) => promises[id].since === milestone));
    for (const id of open) console.log(`promised for "${promises[id].since}": ${id}. ${promises[id].sentence}`);
    expect(open.filter((id) => !gaps.includes(`\`${id}\``))).toEqual([]);
  });

  it('every gap has one id, and code that names a gap names one of them', () => {
    const gaps = readFileSync(join(root, 'docs', 'known-gaps.md'), 'utf8');
    const listed = [...gaps.matchAll(/^\| (G-\d{3}) \|/gm)].map(([, id]) => id);
    expect(listed.length).toBeGreaterThan(0);
    expect(new Set(listed).size).toBe(listed.length);
    const sources = globSync('{packages,examples,docs,bin}/**/*.{ts,mjs,md}', { cwd: root, exclude: isForeign });
    const named = sources.flatMap((file) => readFileSync(join(root, file), 'utf8').match(/\bG-\d{3}\b/g) ?? []);
    expect(named.filter((id) => !listed.includes(id))).toEqual([]);
  });
});

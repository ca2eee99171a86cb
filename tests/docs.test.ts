import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '..');
const read = (...path: string[]) => readFileSync(join(root, ...path), 'utf8');
const pages = globSync('{*.md,docs/**/*.md,examples/*/*.md,vectors/*.md}', { cwd: root });

describe('the documents', () => {
  it('link only to what is there', () => {
    expect(pages.length).toBeGreaterThan(20);
    const broken = pages.flatMap((page) =>
      [...read(page).matchAll(/\]\((?!https?:|#)([^)#\s]+)(?:#[^)]*)?\)/g)]
        .map(([, target = '']) => target)
        .filter((target) => !existsSync(join(root, dirname(page), target)))
        .map((target) => `${page}: ${target}`),
    );
    expect(broken).toEqual([]);
  });

  it('have each decision in the list of decisions', () => {
    const records = globSync('docs/adr/[0-9]*.md', { cwd: root }).map((path) => path.split('/').at(-1) ?? '');
    const list = read('docs', 'adr', 'README.md');
    expect(records.filter((name) => !list.includes(`(${name})`))).toEqual([]);
  });

  it('promise two lines to start, and the scripts behind them exist', () => {
    const readme = read('README.md').split('\n');
    expect(readme).toContain('npm ci && npm run demo');
    expect(readme).toContain('npm ci && npm test');
    expect(JSON.parse(read('package.json')).scripts).toMatchObject({
      demo: expect.any(String),
      test: expect.any(String),
    });
  });

  it('name for each threat that is met a test that exists', () => {
    const rows = [...read('docs', 'threats.md').matchAll(/^\| (\d+) \|[^|]*\| ([^|]*) \|[^|]*\|([^|]*)\|$/gm)];
    expect(rows.length).toBeGreaterThan(50);
    const wrong = rows.flatMap(([, number, state = '', cell = '']) =>
      cell.trim() === '' && state !== 'stopped' ? [] : named(cell).map((why) => `${number}: ${why}`),
    );
    expect(wrong).toEqual([]);
  });

  it('name for each control a test that exists', () => {
    const rows = [...read('docs', 'controls.md').matchAll(/^\| ((?!control |-)[^|]+) \|[^|]*\|[^|]*\|([^|]*)\|$/gm)];
    expect(rows.length).toBeGreaterThan(30);
    expect(rows.flatMap(([, control, cell = '']) => named(cell).map((why) => `${control}: ${why}`))).toEqual([]);
  });
});

/** What is wrong with a cell that must name a test: room, file and sentence. */
function named(cell: string): string[] {
  const [, room = '', file, sentence] = /^ ([\w-]+) `([^`]+)`: (.+) $/.exec(cell) ?? [];
  if (!file || !sentence) return ['no test is named'];
  const folder = room === 'tests' ? 'tests' : join('packages', room, 'test');
  const path = ['.test.ts', '.real.test.ts']
    .map((end) => join(folder, file + end))
    .find((one) => existsSync(join(root, one)));
  if (!path) return [`${folder}/${file} does not exist`];
  // A test may take its sentences from tables, in the folder that is named after it.
  const tables = globSync(`${join(folder, file)}/*.ts`, { cwd: root });
  return [path, ...tables].some((one) => read(one).includes(sentence)) ? [] : [`${path} has no test "${sentence}"`];
}

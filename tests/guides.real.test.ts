import { spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { readGuide } from './support/guide.ts';
import { GuideReader } from './support/guide-reader.ts';

const root = resolve(import.meta.dirname, '..');
const guides = [...globSync('docs/guides/*.md', { cwd: root }), 'docs/restore.md'].sort().filter((page) => {
  const { blocks } = readGuide(join(root, page));
  return blocks.some(({ kind }) => kind === 'console');
});
// One for each core of a small machine: what a page waits for has a generous limit.
vi.setConfig({ maxConcurrency: 2 });
const cache = mkdtempSync(join(tmpdir(), 'deed-compiled-'));
afterAll(() => rmSync(cache, { recursive: true, force: true }));

/** What pages use beside Node, git and a shell, and a machine may lack. */
const lacking = ['curl', 'openssl'].filter((name) => spawnSync(name, ['--version']).error !== undefined);
const needs = (page: string) => {
  const text = readFileSync(join(root, page), 'utf8');
  return lacking.filter((name) => text.includes(`$ ${name} `) || (name === 'openssl' && text.includes('examples/tsa')));
};
for (const page of guides)
  for (const name of needs(page)) console.warn(`SKIPPED the examples of ${page}: there is no ${name}`);

const wrong = {
  'another output than is shown': ['$ echo one; echo two', 'one'],
  'less output than is shown': ['$ echo one', 'one', 'two'],
  'another exit code than 0': ['$ false'],
  'another exit code than is named': ['$ true   # exit code 3'],
  'nothing printed of which … could be the rest': ['$ echo tsk_…'],
  'a command that does not end in order': ["$ sh -c 'echo ready; exec sleep 600'", 'ready', '^C'],
};

test.for(Object.entries(wrong))('a page is wrong that has %s', async ([what, lines]) => {
  const reader = new GuideReader(cache);
  try {
    const page = join(reader.folder, 'page.md');
    const block = (info: string, ...body: readonly string[]) => [`\`\`\`console${info}`, ...body, '```', ''];
    const terminal = lines.includes('^C') ? ' second' : '';
    writeFileSync(
      page,
      [
        ...block('', '$ X=kept; cd /srv'),
        ...block('', '$ echo $X in $PWD', 'kept in /srv'),
        ...block(terminal, ...lines),
      ].join('\n'),
    );
    await expect(reader.follow(page), what).rejects.toThrow(`${page}:11: `);
  } finally {
    expect(await reader.end()).toEqual([]);
  }
});

describe.concurrent('every example does what its page says', () => {
  test.for(guides.filter((page) => needs(page).length === 0))('%s', async (page) => {
    const reader = new GuideReader(cache);
    try {
      await reader.follow(page);
    } finally {
      expect(await reader.end(), 'what did not end as it should').toEqual([]);
    }
  });
});

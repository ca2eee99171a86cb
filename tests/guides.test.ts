import { globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { deedProgram } from '../packages/cli/src/program.ts';
import { leaves, type Named, namedIn, unknownOptions } from './support/commands.ts';
import { columns, patternOf, readGuide, readOff } from './support/guide.ts';

const root = resolve(import.meta.dirname, '..');
const program = deedProgram();
const guides = [...globSync('docs/guides/*.md', { cwd: root }), 'docs/restore.md'].sort();
/** Not the list of what is missing: it names what is not there yet. */
const pages = ['README.md', 'CONTRIBUTING.md', ...globSync('docs/**/*.md', { cwd: root })]
  .filter((page) => page !== 'docs/known-gaps.md')
  .sort();
const read = (page: string) => readFileSync(join(root, page), 'utf8');

const blocks = guides.flatMap((page) => readGuide(join(root, page)).blocks.map((block) => ({ page, ...block })));
const isRun = new Set(
  blocks.flatMap((block) =>
    block.kind === 'console'
      ? block.typed.flatMap(({ command }) => namedIn(command ?? '', program).map(({ name }) => name))
      : [],
  ),
);
const notRun = blocks.filter((block) => block.kind === 'not-run');
const notRunCommands = notRun.flatMap(({ text }) => namedIn(text, program).map(({ name }) => name));
const isDocumented = new Set([...isRun, ...notRunCommands]);

describe('the guides', () => {
  it('have an example of every command, which is run or said not to be', () => {
    const all = leaves(program);
    expect(all.length).toBeGreaterThan(50);
    expect(all.filter((name) => !isDocumented.has(name))).toEqual([]);
    expect(all.filter((name) => !isRun.has(name))).toEqual([]);
  });

  it('say of these blocks, and no others, that they are not run', () => {
    expect(notRun.map(({ page, reason }) => `${page}: ${reason}`)).toEqual([
      'docs/guides/brokers.md: it needs a database.',
      'docs/guides/erasure.md: a part of a file.',
      "docs/guides/publish-the-log.md: a part of a web server's configuration.",
      'docs/guides/publish-the-log.md: it needs a second host.',
      "docs/guides/run-a-witness.md: a part of a web server's configuration.",
      'docs/guides/run-a-witness.md: a part of a unit of systemd.',
      ...['ai', 'openai-agents'].map(
        () =>
          'docs/guides/sdk.md: it takes a model; `packages/sdk/test/adapters.test.ts` does the same with one that is scripted.',
      ),
    ]);
  });

  it('have no block that is neither run nor a file, nor said not to be run', () => {
    const other = blocks.filter(({ kind }) => kind === 'other').map(({ page, line }) => `${page}:${line}`);
    expect(other).toEqual([]);
  });

  it('stand in the list of guides', () => {
    const list = read('docs/guides/README.md');
    const missing = guides.map((page) => page.replace('docs/guides/', '').replace('docs/', '../'));
    expect(missing.filter((page) => page !== 'README.md' && !list.includes(`(${page})`))).toEqual([]);
  });
});

describe('what the documents say of commands', () => {
  it('names no command and no option that does not exist', () => {
    const named = pages.flatMap((page) => commandsOf(page).map((one) => ({ page, ...one })));
    expect(named.length).toBeGreaterThan(150);
    const wrong = named.flatMap((one) =>
      unknownOptions(one).map((option) => `${one.page}: deed ${one.name} ${option}`),
    );
    expect(wrong).toEqual([]);
  });

  it('in the README has for each command an example in the guides', () => {
    const named = new Set(commandsOf('README.md').map(({ name }) => name));
    expect(named.size).toBeGreaterThan(20);
    expect([...named].filter((name) => name !== '' && !isDocumented.has(name))).toEqual([]);
  });
});

/** The commands that a page names, in its blocks and between backquotes. */
function commandsOf(page: string): Named[] {
  const text = read(page)
    .replaceAll('node bin/deed.mjs', 'deed')
    .replaceAll(/^[$>] /gm, '');
  return [...text.matchAll(/^```[^\n]*\n(.*?)^```|`(deed [^`]+)`/gms)].flatMap(([, block, inline]) =>
    namedIn(block ?? inline ?? '', program),
  );
}

describe('the rules of the examples', () => {
  it('take … for anything within a line, and alone on a line for any lines', () => {
    const pattern = new RegExp(`^${patternOf(['a  … b', '…', 'end'])}$`);
    expect(pattern.test(columns('a      1 2 b\nend\n'))).toBe(true);
    expect(pattern.test('a  1 b\nx\ny\nend\n')).toBe(true);
    expect(pattern.test('a  1\n b\nend\n')).toBe(false);
    expect(pattern.test('a  1 b\nx\nend.\n')).toBe(false);
  });

  it('put the newest word of the output that begins so in the place of …', () => {
    const output =
      'tsk_1 opened\n--code 7f_-x --key\nClosed tsk_2.\nat http://127.0.0.1:81/log/\nat http://127.0.0.1:80\n';
    expect(readOff('deed task show tsk_…', output)).toBe('deed task show tsk_2');
    expect(readOff('enroll --code … --key k', output)).toBe('enroll --code 7f_-x --key k');
    expect(readOff('URL=http://127.0.0.1:…/', output)).toBe('URL=http://127.0.0.1:81/');
    expect(readOff('"tsk_…", http://127.0.0.1:…', output)).toBe('"tsk_2", http://127.0.0.1:80');
    expect(() => readOff('deed approve act_…', output)).toThrow('act_');
  });

  it('find the command in what is typed', () => {
    const names = (text: string) => namedIn(text, program).map(({ name }) => name);
    expect(names('deed backup /mnt/a --keys /mnt/b')).toEqual(['backup make']);
    expect(names('(cd x; deed key \\\n  rotate receipt) && deed up')).toEqual(['key rotate', 'up']);
    expect(() => names('deed task opne x')).toThrow('deed task opne');
    expect(namedIn('deed task close T --ouput f', program).flatMap(unknownOptions)).toEqual(['--ouput']);
  });
});

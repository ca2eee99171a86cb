import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isUnder, resolvePaths } from '../../src/git/paths.ts';

let root: string;
beforeAll(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'deed-paths-')));
  await mkdir(join(root, 'site', 'sub'), { recursive: true });
  await mkdir(join(root, 'payroll', 'deep'), { recursive: true });
  await writeFile(join(root, 'payroll', 'salaries.csv'), 'x');
  await symlink(join(root, 'payroll', 'deep'), join(root, 'site', 'link'));
  await symlink('../payroll/not-yet', join(root, 'site', 'dangling'));
  await symlink('loop', join(root, 'site', 'loop'));
  await writeFile(join(root, 'site', 'cafe\u0301'), 'decomposed');
});
afterAll(() => rm(root, { recursive: true, force: true }));

async function reals(args: Parameters<typeof resolvePaths>[0], home?: string): Promise<readonly string[]> {
  const options = { base: join(root, 'site'), ...(home === undefined ? {} : { home }) };
  return (await resolvePaths(args, options)).map(({ argument, real }) => `${argument}=${real.slice(root.length)}`);
}

test('path, paths, source and destination are all listed', async () => {
  expect(
    await reals({ path: 'a', source: join(root, 'payroll'), destination: 'sub/../b', content: '/etc/passwd' }),
  ).toEqual(['path=/site/a', 'source=/payroll', 'destination=/site/b']);
  expect(await reals({ paths: ['x', '../payroll/salaries.csv'] })).toEqual([
    'paths[0]=/site/x',
    'paths[1]=/payroll/salaries.csv',
  ]);
});

test('links are followed, also one to a file that does not exist yet', async () => {
  expect(await reals({ path: 'link/new/file' })).toEqual(['path=/payroll/deep/new/file']);
  expect(await reals({ path: 'dangling' })).toEqual(['path=/payroll/not-yet']);
});

test('"link/.." counts as both of its readings', async () => {
  expect(await reals({ path: 'link/../salaries.csv' })).toEqual([
    'path=/site/salaries.csv',
    'path=/payroll/salaries.csv',
  ]);
});

test('"~" counts as both of its readings', async () => {
  expect(await reals({ path: '~/salaries.csv' }, join(root, 'payroll'))).toEqual([
    'path=/site/~/salaries.csv',
    'path=/payroll/salaries.csv',
  ]);
});

test('names are compared in Unicode form C', async () => {
  expect(await reals({ path: 'caf\u00e9' })).toEqual(['path=/site/caf\u00e9']);
  expect(await reals({ path: 'cafe\u0301' })).toEqual(['path=/site/caf\u00e9']);
});

test.each([
  [{ path: 3 }],
  [{ path: '' }],
  [{ path: 'a\0b' }],
  [{ paths: 'a' }],
  [{ paths: [null] }],
  [{ path: 'loop' }],
])('refuses %j', async (args) => {
  await expect(reals(args)).rejects.toMatchObject({ code: 'arguments' });
});

test('isUnder goes by whole parts', () => {
  expect(isUnder('/srv/a', '/srv/a')).toBe(true);
  expect(isUnder('/srv/a/', '/srv/a/b')).toBe(true);
  expect(isUnder('/srv/a', '/srv/ab')).toBe(false);
  expect(isUnder('/srv/a', '/srv')).toBe(false);
  expect(isUnder('/', '/srv')).toBe(true);
  expect(isUnder('/caf\u00e9', '/cafe\u0301/x')).toBe(true);
  expect(isUnder('srv', '/srv')).toBe(false);
});

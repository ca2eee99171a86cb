import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { checkBundle } from '../../src/policy/bundle.ts';
import { defaultPolicyFolder } from '../../src/policy/default.ts';
import { readTable, tablesOf, tryExample } from '../../src/policy/tables.ts';
import { refused } from '../refused.ts';

const templates = join(defaultPolicyFolder, '..', 'templates');
const base = mkdtempSync(join(tmpdir(), 'deed-templates-'));
afterAll(() => rmSync(base, { recursive: true }));

/** The default bundle with templates laid over it, as the guide says. */
function bundleWith(...names: readonly string[]): string {
  const folder = mkdtempSync(join(base, 'bundle-'));
  cpSync(defaultPolicyFolder, folder, { recursive: true });
  for (const name of names) cpSync(join(templates, name), folder, { recursive: true });
  return folder;
}
const examplesOf = (folder: string) => tablesOf(folder).flatMap(readTable);
const names = readdirSync(templates);

test.each(names)('the template %s does what its examples say, and each of its policies decides one', (name) => {
  const folder = bundleWith(name);
  const bundle = checkBundle(folder);
  const tried = examplesOf(folder).map((example) => tryExample(bundle, example));
  expect(tried.filter(({ passed }) => !passed)).toEqual([]);
  const decided = new Set(tried.flatMap(({ evaluation }) => evaluation.reasons));
  const own = [...bundle.policies.keys()].filter((id) => !checkBundle(defaultPolicyFolder).policies.has(id));
  expect(own.length).toBeGreaterThan(3);
  expect(own.filter((id) => !decided.has(id))).toEqual([]);
});

test('all templates go together', () => {
  expect(names).toEqual(['code-deployment', 'customer-communication', 'payment', 'record-deletion']);
  const folder = bundleWith(...names);
  const bundle = checkBundle(folder);
  const examples = examplesOf(folder);
  expect(examples.length).toBeGreaterThan(30);
  expect(examples.map((example) => tryExample(bundle, example)).filter(({ passed }) => !passed)).toEqual([]);
});

test('an example that does not hold is told, by its outcome or by its reasons', () => {
  const bundle = checkBundle(bundleWith('payment'));
  const [example] = examplesOf(bundleWith('payment'));
  if (!example) return expect.fail();
  expect(tryExample(bundle, example).passed).toBe(true);
  expect(tryExample(bundle, { ...example, expect: 'record' }).passed).toBe(false);
  expect(tryExample(bundle, { ...example, because: ['payment-person'] }).passed).toBe(false);
  expect(tryExample(checkBundle(defaultPolicyFolder), example).passed).toBe(false);
});

test('tables are no part of a bundle, and one that cannot be read is refused', async () => {
  const folder = bundleWith('payment');
  const { digest } = checkBundle(folder);
  const [path = ''] = tablesOf(folder);
  for (const text of ['{', '[]', '[{"name":"x"}]', '[{"name":"x","server":"s","expect":"allow"}]']) {
    writeFileSync(path, text);
    expect(await refused(() => readTable(path)), text).toBe('policy-invalid');
  }
  expect(checkBundle(folder).digest).toBe(digest);
  expect(readFileSync(path, 'utf8')).not.toBe('');
  expect(tablesOf(defaultPolicyFolder)).toEqual([]);
});

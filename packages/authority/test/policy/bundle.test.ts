import { cpSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { proves } from '../../../../tests/promises.ts';
import { checkBundle } from '../../src/policy/bundle.ts';
import { defaultPolicyFolder } from '../../src/policy/default.ts';
import { cedarEngine } from '../../src/policy/engine.ts';
import { evaluate } from '../../src/policy/evaluate.ts';
import { policyRequests } from '../../src/policy/request.ts';

function bundleWith(policies: string, file = 'extra.cedar'): string {
  const folder = mkdtempSync(join(tmpdir(), 'deed-policy-'));
  cpSync(join(defaultPolicyFolder, 'schema.cedarschema'), join(folder, 'schema.cedarschema'));
  writeFileSync(join(folder, file), policies);
  return folder;
}
const problem = (folder: string): string => {
  try {
    checkBundle(folder);
  } catch (error) {
    expect(error).toMatchObject({ code: 'policy-invalid' });
    return (error as Error).message;
  }
  return expect.fail('the bundle was accepted');
};
const permit = (when: string, id = 'p') => `@id("${id}")\npermit (principal, action, resource) ${when};\n`;
const call = (facets: Parameters<typeof policyRequests>[0]['facets'] = []) =>
  policyRequests({
    agent: null,
    task: { implicit: true, ceiling: 'record', objective: '' },
    grant: { grade: 'E0', verdict: 'WAIVED', ceiling: 'record', unearned: true },
    method: 'tools/call',
    server: 's',
    tool: 't',
    hints: {},
    facets,
  });

test('a bundle that fails strict validation is refused with the words of Cedar and the place', () => {
  proves('policy-fail-closed');
  expect(problem(bundleWith(`// é\n${permit('when { context.amount > 5 }')}`))).toMatch(/^extra\.cedar:3:.*`amount`/);
  expect(problem(bundleWith(permit('when { context.git.forced }')))).toMatch(/extra\.cedar:2:.*`git`/);
  expect(problem(bundleWith('permit (principal, action, resource) when { tru }'))).toMatch(/^extra\.cedar:1:/);
  expect(problem(bundleWith(permit('when { resource is Deed::Agent }')))).toMatch(/impossible/);
  expect(problem(bundleWith('@id("p") permit (principal == ?principal, action, resource);'))).toMatch(/template/);
});

test('a bundle without ids, with one id twice, with an unknown tier, or with other files is refused', () => {
  expect(problem(bundleWith('permit (principal, action, resource);'))).toMatch(/@id/);
  expect(problem(bundleWith(permit('') + permit('')))).toMatch(/two policies/);
  expect(problem(bundleWith(`@tier("secret")\n${permit('')}`))).toMatch(/@tier\("secret"\)/);
  expect(problem(bundleWith('x', 'notes.txt'))).toMatch(/notes\.txt/);
  expect(problem(bundleWith('', 'empty.cedar'))).toMatch(/no policy/);
  expect(problem(mkdtempSync(join(tmpdir(), 'deed-policy-')))).toMatch(/schema/);
  expect(problem('/nowhere')).toMatch(/no policy folder/);
});

test('an error at run time denies, even where a permit applies: Cedar alone would skip the forbid', () => {
  proves('policy-fail-closed');
  // 9223372036854775807 + 1 overflows: the one kind of error that validation cannot see.
  const overflow = '@id("f") forbid (principal, action, resource) when { 9223372036854775807 + 1 > 0 };';
  const answer = evaluate(checkBundle(bundleWith(permit('') + overflow)), call());
  expect(answer.outcome).toBe('deny');
  expect(answer.errors.join()).toMatch(/^f: .*overflow/);
});

test('a request that does not fit the schema denies', () => {
  const bundle = checkBundle(bundleWith(permit('')));
  const [request] = call();
  if (!request) return expect.fail();
  expect(evaluate(bundle, [request]).outcome).toBe('allow');
  expect(evaluate(bundle, [{ ...request, principal: { type: 'Deed::Server', id: 's' } }]).outcome).toBe('deny');
  expect(evaluate(bundle, [{ ...request, action: { type: 'Deed::Action', id: 'fly' } }]).outcome).toBe('deny');
  expect(evaluate(bundle, []).outcome).toBe('deny');
});

test('a permit without a tier means record; the strictest of those that apply wins', () => {
  const observe = `@tier("observe")\n${permit('')}`;
  const tierOf = (policies: string) => evaluate(checkBundle(bundleWith(policies)), call()).tier;
  expect(tierOf(permit(''))).toBe('record');
  expect(tierOf(observe)).toBe('observe');
  expect(tierOf(`${observe}@tier("attest")\n${permit('', 'q')}`)).toBe('attest');
});

test('the digest of a bundle changes with every byte of it, and the engine is named by its program', () => {
  const [one, two] = [permit(''), `${permit('')} `].map((text) => checkBundle(bundleWith(text)).digest);
  expect(one).not.toBe(two);
  expect(cedarEngine()).toMatchObject({ name: 'cedar-wasm', version: '4.13.0' });
  expect(cedarEngine().sha256).toMatch(/^9ed10461[0-9a-f]{52}1d9a$/);
});

import { utf8 } from '@deed/evidence';
import { expect, test } from 'vitest';
import { bundleFile, bundleOf, checkBundle, readBundleFiles } from '../../src/policy/bundle.ts';
import { DecisionCache } from '../../src/policy/decision-cache.ts';
import { defaultPolicyFolder } from '../../src/policy/default.ts';
import { encodeInputs, policyRequests } from '../../src/policy/request.ts';

const bundle = checkBundle(defaultPolicyFolder);
const requests = (tool: string) =>
  policyRequests({
    agent: null,
    task: { implicit: true, ceiling: 'record', objective: '' },
    grant: { grade: 'E0', verdict: 'WAIVED', ceiling: 'record', unearned: true },
    method: 'tools/call',
    server: 'files',
    tool,
    hints: {},
    facets: [],
  });
const decide = (
  cache: DecisionCache,
  over: { tool?: string; bundle?: typeof bundle; task?: string; epoch?: number; isOpen?: boolean } = {},
) => {
  const { tool = 'write_file', task = 't', epoch = 1, isOpen = true } = over;
  const of = over.bundle ?? bundle;
  return cache.evaluate(of, requests(tool), encodeInputs(of.digest, requests(tool)), { task, epoch, isOpen });
};

test('the same bytes are decided once in a task, and again under another bundle, in another task or epoch', () => {
  const cache = new DecisionCache();
  const first = decide(cache);
  expect(decide(cache)).toBe(first);
  const other = bundleOf([
    ...readBundleFiles(defaultPolicyFolder),
    bundleFile('z.cedar', utf8('@id("z") forbid (principal, action, resource);')),
  ]);
  expect(decide(cache, { bundle: other }).outcome).toBe('deny');
  for (const over of [{ tool: 'edit_file' }, { task: 'u' }, { epoch: 2 }]) {
    expect(decide(cache, over)).toEqual(first);
    expect(decide(cache, over)).not.toBe(first);
  }
  expect(decide(cache)).toBe(first);
});

test('nothing outlives the close of its task, and nothing is remembered after it', () => {
  const cache = new DecisionCache();
  const first = decide(cache);
  cache.forget('t');
  expect(decide(cache, { isOpen: false })).not.toBe(first);
  expect(cache.sizeOf('t')).toBe(0);
  expect(decide(cache, { isOpen: false })).toEqual(first);
});

test('what had an error is not remembered, and there is an end to how much is', () => {
  const cache = new DecisionCache();
  const overflow = '@id("f") forbid (principal, action, resource) when { 9223372036854775807 + 1 > 0 };';
  const failing = bundleOf([...readBundleFiles(defaultPolicyFolder), bundleFile('z.cedar', utf8(overflow))]);
  expect(decide(cache, { bundle: failing }).errors).toHaveLength(1);
  expect(cache.sizeOf('t')).toBe(0);
  const first = decide(cache);
  for (let i = 0; i < 300; i++) decide(cache, { tool: `tool_${i}` });
  expect(cache.sizeOf('t')).toBe(256);
  expect(decide(cache)).not.toBe(first);
});

import type { Facet } from '@deed/evidence';
import { expect, test } from 'vitest';
import { proves } from '../../../../tests/promises.ts';
import { checkBundle } from '../../src/policy/bundle.ts';
import { defaultPolicyFolder } from '../../src/policy/default.ts';
import { evaluate, replayDecision } from '../../src/policy/evaluate.ts';
import { encodeInputs, type Hints, policyRequests } from '../../src/policy/request.ts';

const bundle = checkBundle(defaultPolicyFolder);
const git = { kind: 'git', remote: 'http://f', repository: 'a/b', deletes: false, forced: false, tag: false } as const;
const push = (ref: string, over: object = {}): Facet => ({ ...git, ref, ...over });
const path = (real: string): Facet => ({ kind: 'path', real });

function requests(method: string, tool: string | null, facets: readonly Facet[] = [], hints: Hints = {}) {
  return policyRequests({
    agent: { id: 'agt_1', spiffe: 'spiffe://deed.local/agent/coder' },
    task: { implicit: false, ceiling: 'approve', objective: '0'.repeat(64) },
    grant: { grade: 'E0', verdict: 'WAIVED', ceiling: 'record', unearned: true },
    method,
    server: 'files',
    tool,
    hints,
    facets,
  });
}
const decide = (...of: Parameters<typeof requests>) => {
  const { outcome, tier, errors } = evaluate(bundle, requests(...of));
  expect(errors).toEqual([]);
  return outcome === 'deny' ? 'deny' : tier;
};

test('reading is observed, writing is recorded, pushing needs a person', () => {
  for (const tool of ['read_file', 'read_text_file', 'list_directory', 'get_file_info', 'directory_tree', 'git_log'])
    expect(decide('tools/call', tool)).toBe('observe');
  for (const tool of ['write_file', 'edit_file', 'git_commit', 'git_add', 'something_new'])
    expect(decide('tools/call', tool)).toBe('record');
  expect(decide('tools/call', 'git_push', [push('refs/heads/fix')])).toBe('approve');
  expect(decide('tools/call', 'git_push')).toBe('approve');
  expect(decide('tools/call', 'read_file', [push('refs/heads/fix')])).toBe('approve');
});

test('a hint that a tool destroys raises observe to record, and no hint lowers anything', () => {
  expect(decide('tools/call', 'read_file', [], { destructive: true })).toBe('record');
  expect(decide('tools/call', 'write_file', [], { readOnly: true, destructive: false })).toBe('record');
  expect(decide('tools/call', 'git_push', [push('r')], { readOnly: true, destructive: true })).toBe('approve');
});

test('every facet must be allowed: one bad path or ref denies the whole action', () => {
  expect(decide('tools/call', 'write_file', [path('/srv/repo/a'), path('/srv/repo/.git/config')])).toBe('deny');
  expect(decide('tools/call', 'write_file', [path('/srv/repo/a'), path('/srv/repo/.github/x')])).toBe('record');
  expect(decide('tools/call', 'git_push', [push('r'), push('r2', { forced: true })])).toBe('deny');
  expect(decide('tools/call', 'git_push', [push('r', { deletes: true })])).toBe('deny');
  expect(decide('tools/call', 'git_push', [push('refs/tags/v1', { tag: true })])).toBe('deny');
});

test('tools whose arguments do not tell what they rewire are denied by name', () => {
  for (const tool of ['git_remote', 'git_clean', 'git_reset', 'git_rebase', 'git_config'])
    expect(decide('tools/call', tool)).toBe('deny');
});

test('reads of a server pass, the housekeeping of the protocol passes, an unknown method is denied', () => {
  for (const method of ['resources/read', 'prompts/get', 'completion/complete', 'tasks/get', 'tools/list', 'ping'])
    expect(decide(method, null)).toBe('observe');
  expect(decide('notifications/initialized', null)).toBe('observe');
  for (const method of ['sampling/createMessage', 'admin/shutdown', 'toString', ''])
    expect(decide(method, null)).toBe('deny');
});

test('a decision replays from its recorded inputs, with the same outcome and the same set of reasons', () => {
  proves('policy-fail-closed');
  for (const [tool, facets] of [
    ['read_file', [path('/a')]],
    ['git_push', [push('r')]],
    ['git_push', [push('r'), push('r', { forced: true })]],
    ['git_reset', []],
  ] as const) {
    const asked = requests('tools/call', tool, facets, { destructive: true });
    const decided = evaluate(bundle, asked);
    expect(replayDecision(encodeInputs(bundle.digest, asked), defaultPolicyFolder)).toEqual(decided);
  }
});

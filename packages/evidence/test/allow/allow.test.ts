import { expect, test } from 'vitest';
import { type Attempt, admittedBy, attemptOf, decodeAllow, encodeAllow, parseAllow } from '../../src/allow/allow.ts';

const path = (real: string) => ({ kind: 'path', real }) as const;
const git = (repository: string, ref: string) =>
  ({ kind: 'git', remote: 'http://forge', repository, ref, deletes: false, forced: false, tag: false }) as const;
const allow = parseAllow([
  { server: 'files', tools: ['read_file', 'write_file'], methods: ['tools/call'], paths: { under: ['/srv/repo'] } },
  { server: 'git', tools: ['git_push'], git: { repositories: ['acme/site'], refs: ['refs/heads/fix'] } },
  {
    server: 'bank',
    tools: ['pay'],
    arguments: {
      amount: { min: 1, max: 500 },
      to: { set: ['a', 'b'] },
      file: { under: ['/in'] },
      dry: { exact: false },
    },
    maxCount: 2,
  },
]);
const attempt = (over: Partial<Attempt>): Attempt => ({
  ...{ method: 'tools/call', server: 'files', tool: 'write_file', facets: [], arguments: new Map(), ...over },
});
const call = (server: string, tool: string, ...facets: Attempt['facets']) =>
  admittedBy(allow, attempt({ server, tool, facets })) !== null;
const pay = (text: string, used: readonly number[] = []) =>
  admittedBy(
    allow,
    attemptOf({
      v: 1,
      action: 'act_01KAP0VQX0DEEDDEEDDEEDDEED',
      task: 'tsk_01KAP0VQX0DEEDDEEDDEEDDEED',
      method: 'tools/call',
      server: 'bank',
      tool: 'pay',
      definition: null,
      executable: '0'.repeat(64),
      arguments: text,
      operands: { kind: 'none' },
      author: null,
    }),
    used,
  );
const good = '{"amount":500,"to":"a","file":"/in/x","dry":false}';

test('an action is allowed when one entry admits its server, method, tool and every facet', () => {
  expect(call('files', 'write_file', path('/srv/repo/a.txt'), path('/srv/repo'))).toBe(true);
  expect(call('git', 'git_push', git('acme/site', 'refs/heads/fix'))).toBe(true);
  expect(call('files', 'delete_file', path('/srv/repo/a.txt'))).toBe(false);
  expect(call('other', 'write_file', path('/srv/repo/a.txt'))).toBe(false);
  expect(call('git', 'git_push', git('acme/site', 'refs/heads/main'))).toBe(false);
  expect(call('git', 'git_push', git('acme/site', 'refs/heads/fix'), git('acme/other', 'refs/heads/fix'))).toBe(false);
  expect(admittedBy(allow, attempt({ method: 'resources/read', tool: null }))).toBe(null);
});

test('folders are compared by whole segments of resolved paths', () => {
  expect(call('files', 'write_file', path('/srv/repository/a'))).toBe(false);
  expect(call('files', 'write_file', path('/srv/repo/a'), path('/etc/passwd'))).toBe(false);
  expect(call('files', 'write_file', path('/srv/repo/../../etc/passwd'))).toBe(false);
  expect(call('files', 'write_file', path('srv/repo/a'))).toBe(false);
});

test('an entry without paths or git admits no such facet', () => {
  expect(call('git', 'git_push', path('/srv/repo/a'))).toBe(false);
  expect(call('files', 'write_file', git('acme/site', 'refs/heads/fix'))).toBe(false);
});

test('the arguments of a call are compared exactly as they were sent', () => {
  expect(pay(good)).toBe(2);
  for (const bad of [
    good.replace('500', '501'),
    good.replace('500', '0'),
    good.replace('500', '1.0'),
    good.replace('500', '1e2'),
    good.replace('500', '"500"'),
    good.replace('"a"', '"c"'),
    good.replace('/in/x', '/inx'),
    good.replace('/in/x', '/in/../x'),
    good.replace('false', '"false"'),
    good.replace('"dry":false', '"dry":false,"more":1'),
    good.replace('"dry":false', '"dry":false,"dry":true'),
    good.replace('"dry":false', '"dry":false,"DRY":true'),
    good.replace(',"dry":false', ''),
    '[]',
    'null',
    '{',
  ])
    expect(pay(bad), bad).toBe(null);
});

test('an entry admits as many actions as it says, and no more', () => {
  expect(pay(good, [0, 0, 1])).toBe(2);
  expect(pay(good, [0, 0, 2])).toBe(null);
});

test('arguments that an entry does not name are refused unless it says otherwise', () => {
  const open = parseAllow([{ server: 'bank', arguments: { amount: { max: 5 } }, otherArguments: 'allowed' }]);
  const given = new Map([
    ['amount', { value: 5, raw: '5' }],
    ['note', { value: 'x', raw: '"x"' }],
  ]);
  expect(admittedBy(open, attempt({ server: 'bank', tool: 'pay', arguments: given }))).toBe(0);
  const closed = parseAllow([{ server: 'bank', arguments: { amount: { max: 5 } } }]);
  expect(admittedBy(closed, attempt({ server: 'bank', tool: 'pay', arguments: given }))).toBe(null);
});

test('the vocabulary is closed: what it does not know is refused, not ignored', () => {
  for (const bad of [
    { server: 'x', tool: ['a'] },
    { tools: ['a'] },
    { server: 'x', paths: { under: ['a/../b'] } },
    { server: 'x', arguments: { a: { prefix: 'charge/7' } } },
    { server: 'x', arguments: { a: { pattern: '.*' } } },
    { server: 'x', arguments: { a: {} } },
    { server: 'x', arguments: { a: { min: 1.5 } } },
    { server: 'x', arguments: { a: { exact: 1, set: [2] } } },
    { server: 'x', otherArguments: 'allowed' },
    { server: 'x', maxCount: 0 },
  ])
    expect(() => parseAllow([bad]), JSON.stringify(bad)).toThrowError(expect.objectContaining({ code: 'statement' }));
  expect(decodeAllow(encodeAllow(allow))).toEqual(allow);
});

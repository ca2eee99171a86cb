import fc from 'fast-check';
import { expect, test } from 'vitest';
import { allows, decodeAllow, encodeAllow, parseAllow } from '../../src/tokens/allow.ts';
import { refused } from '../refused.ts';

const path = (real: string) => ({ kind: 'path', real }) as const;
const git = (repository: string, ref: string) =>
  ({ kind: 'git', remote: 'http://forge', repository, ref, deletes: false, forced: false, tag: false }) as const;
const allow = parseAllow([
  { server: 'files', tools: ['read_file', 'write_file'], methods: ['tools/call'], paths: { under: ['/srv/repo'] } },
  { server: 'git', tools: ['git_push'], git: { repositories: ['acme/site'], refs: ['refs/heads/fix'] } },
]);
const call = (server: string, tool: string, ...facets: (ReturnType<typeof path> | ReturnType<typeof git>)[]) =>
  allows(allow, { method: 'tools/call', server, tool, facets });

test('an action is allowed when one entry admits its server, method, tool and every facet', () => {
  expect(call('files', 'write_file', path('/srv/repo/a.txt'), path('/srv/repo'))).toBe(true);
  expect(call('git', 'git_push', git('acme/site', 'refs/heads/fix'))).toBe(true);
  expect(call('files', 'delete_file', path('/srv/repo/a.txt'))).toBe(false);
  expect(call('other', 'write_file', path('/srv/repo/a.txt'))).toBe(false);
  expect(call('git', 'git_push', git('acme/site', 'refs/heads/main'))).toBe(false);
  expect(call('git', 'git_push', git('acme/site', 'refs/heads/fix'), git('acme/other', 'refs/heads/fix'))).toBe(false);
  expect(allows(allow, { method: 'resources/read', server: 'files', tool: null, facets: [] })).toBe(false);
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

test('the vocabulary is closed: what it does not know is refused, not ignored', async () => {
  for (const bad of [
    [{ server: 'x', tool: ['a'] }],
    [{ tools: ['a'] }],
    [{ server: 'x', paths: { under: ['a/../b'] } }],
  ])
    expect(await refused(() => parseAllow(bad))).toBe('task');
  expect(decodeAllow(encodeAllow(allow))).toEqual(allow);
});

test('whatever is allowed under fewer folders is allowed under more, never the other way', () => {
  const segment = fc.constantFrom('a', 'b', 'ab', 'c');
  const folder = fc.array(segment, { maxLength: 3 }).map((parts) => `/${parts.join('/')}`);
  fc.assert(
    fc.property(fc.array(folder, { minLength: 1 }), folder, folder, (under, extra, real) => {
      const attempt = { method: 'm', server: 's', tool: null, facets: [path(real)] };
      const narrow = allows(parseAllow([{ server: 's', paths: { under } }]), attempt);
      const wide = allows(parseAllow([{ server: 's', paths: { under: [...under, extra] } }]), attempt);
      const inside = under.some((each) => each === '/' || real === each || real.startsWith(`${each}/`));
      return (!narrow || wide) && narrow === inside;
    }),
  );
});

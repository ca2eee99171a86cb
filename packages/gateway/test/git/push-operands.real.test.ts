import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { proves } from '../../../../tests/promises.ts';
import { pushArguments } from '../../src/git/push-arguments.ts';
import { type PushOperands, resolvePush } from '../../src/git/push-operands.ts';
import { renderPush } from '../../src/git/render-push.ts';
import { makeWorld, type World, zeros } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await makeWorld();
});
afterAll(() => world.end());

const main = 'refs/heads/main';

function operands(args: Record<string, string | boolean>): Promise<PushOperands> {
  const path = process.env.PATH ?? '';
  const { session } = world;
  return resolvePush({ repositoryPath: world.work, arguments: { path: world.work, ...args }, session, path });
}

/** Pushes for real what the operands say, with the command line of the same arguments. */
async function pushAsResolved(resolved: PushOperands, args: Record<string, string | boolean>) {
  const { remote, refspecs, options } = pushArguments(args);
  return world.approvedIn(resolved.repository, resolved.updates, ...options, remote, ...refspecs);
}

describe('what a git_push call would really push', () => {
  test('a plain push: remote, forge URL, full ids, commits and diff stat, the same each time', async () => {
    const old = await world.atForge(main);
    await world.commit('a.txt', 'a\n', 'add a');
    const tip = await world.commit('b.txt', 'b\n', 'add b');
    const resolved = await operands({});
    expect(resolved).toMatchObject({
      kind: 'git-push',
      remote: 'origin',
      url: `${world.forge.url}service.git`,
      repository: 'service',
      updates: [{ ref: main, old, new: tip, kind: 'forward' }],
      rejected: [],
      commits: 2,
      log: [{ id: tip, subject: 'add b' }, { subject: 'add a' }],
    });
    expect(resolved.diffstat).toContain('2 files changed, 2 insertions(+)');
    expect(JSON.stringify(await operands({ branch: 'main' }))).toBe(JSON.stringify(resolved));
    expect(JSON.stringify(resolved)).not.toContain(world.session.baseUrl);
    const text = renderPush(resolved);
    expect(text.split('\n').slice(0, 5)).toEqual([
      `git push to ${world.forge.url}service.git (remote origin)`,
      `${main} ${old}..${tip}`,
      '2 new commits',
      `  ${tip.slice(0, 12)} add b`,
      expect.stringContaining('add a'),
    ]);
    expect(text).not.toContain('!!');
    expect(await world.atForge(main)).toBe(old);
  });

  test('is what passes when it is pushed for real', async () => {
    proves('invariant-7');
    for (const args of [{}, { branch: 'main', remoteBranch: 'release' }, { remoteBranch: 'copy', tags: true }]) {
      await world.git('tag', '-f', 'v1');
      const resolved = await operands(args);
      const { report } = await pushAsResolved(resolved, args);
      expect(report.updates.map((update) => update.status)).toEqual(resolved.updates.map(() => 'ok'));
    }
    expect(await world.atForge('refs/tags/v1')).toBe(await world.head());
  });

  test('nothing to push is nothing, and so is a dry run', async () => {
    const resolved = await operands({});
    expect(resolved).toMatchObject({ updates: [], commits: 0, log: [], diffstat: '' });
    expect(renderPush(resolved)).toContain('nothing would be pushed');
    await world.commit('c.txt', 'c\n');
    expect((await operands({ dryRun: true })).updates).toEqual([]);
    expect((await operands({})).updates).toHaveLength(1);
  });

  test('a rewrite by "+main" with force false is shown as what it is', async () => {
    const pushed = await operands({});
    await pushAsResolved(pushed, {});
    const old = await world.atForge(main);
    await world.git('commit', '-q', '--amend', '-m', 'rewritten');
    const tip = await world.head();
    expect(await operands({})).toMatchObject({
      updates: [],
      rejected: [{ ref: main, reason: expect.stringContaining('non-fast-forward') }],
    });
    for (const args of [{ branch: '+main', force: false }, { force: true }, { forceWithLease: true }]) {
      const resolved = await operands(args);
      expect(resolved.updates).toEqual([{ ref: main, old, new: tip, kind: 'rewrite' }]);
      expect(renderPush(resolved)).toContain('!! REWRITES HISTORY');
    }
    const { report } = await pushAsResolved(await operands({ force: true }), { force: true });
    expect(report.updates[0]?.status).toBe('ok');
  });

  test('tags: a new one is new, a moved one is loud', async () => {
    await world.git('tag', '-f', 'v1');
    await world.git('tag', '-a', '-m', 'annotated', 'v2');
    const annotated = (await world.git('rev-parse', 'refs/tags/v2')).out;
    const resolved = await operands({ tags: true, force: true });
    expect(resolved.updates).toMatchObject([
      { ref: 'refs/tags/v1', new: await world.head(), kind: 'tag-move' },
      { ref: 'refs/tags/v2', old: zeros, new: annotated, kind: 'create' },
    ]);
    expect(renderPush(resolved)).toContain('!! MOVES A TAG');
  });

  test('a deletion', async () => {
    const old = await world.atForge('refs/heads/copy');
    const resolved = await operands({ branch: 'copy', delete: true });
    expect(resolved.updates).toEqual([{ ref: 'refs/heads/copy', old, new: zeros, kind: 'delete' }]);
    expect(renderPush(resolved)).toContain('!! DELETES');
    const { report } = await pushAsResolved(resolved, { branch: 'copy', delete: true });
    expect(report.updates[0]?.status).toBe('ok');
    expect(await world.atForge('refs/heads/copy')).toBe(zeros);
  });

  test('another remote, and one whose URL was changed, are named by where they lead', async () => {
    await world.git('remote', 'add', 'mirror', `${world.forge.url}other.git`);
    expect(await operands({ remote: 'mirror' })).toMatchObject({
      remote: 'mirror',
      url: `${world.forge.url}other.git`,
      repository: 'other',
      updates: [{ ref: main, old: zeros, kind: 'create' }],
    });
    await world.git('remote', 'set-url', 'origin', `${world.forge.url}other.git`);
    expect(await operands({})).toMatchObject({ remote: 'origin', repository: 'other' });
    await world.git('remote', 'set-url', 'origin', `${world.forge.url}service.git`);
    await world.git('remote', 'set-url', '--push', 'origin', `${world.forge.url}other.git`);
    expect(await operands({})).toMatchObject({ url: `${world.forge.url}other.git` });
    await world.git('config', '--unset-all', 'remote.origin.pushurl');
  });

  test.each([
    ['elsewhere', 'https://elsewhere.example/service.git'],
    ['a path', '/tmp/service.git'],
    ['a command', 'ext::sh -c touch% /tmp/owned'],
    ['out of the forge', '../x'],
  ])('a remote that leads %s is refused', async (_name, url) => {
    await world.git('remote', 'set-url', 'origin', url);
    await expect(operands({})).rejects.toMatchObject({ code: 'remote' });
    await world.git('remote', 'set-url', 'origin', `${world.forge.url}service.git`);
  });

  test('a remote that leads to two places, or that a repository rewrites elsewhere, is refused', async () => {
    await world.git('remote', 'set-url', '--add', '--push', 'origin', `${world.forge.url}service.git`);
    await world.git('remote', 'set-url', '--add', '--push', 'origin', `${world.forge.url}other.git`);
    await expect(operands({})).rejects.toMatchObject({ code: 'remote' });
    await world.git('config', '--unset-all', 'remote.origin.pushurl');
    await world.git('config', 'url.http://127.0.0.1:9/.pushInsteadOf', `${world.forge.url}service`);
    await expect(operands({})).rejects.toMatchObject({ code: 'remote' });
    await world.git('config', '--unset-all', 'url.http://127.0.0.1:9/.pushInsteadOf');
    await expect(operands({ remote: 'nowhere' })).rejects.toMatchObject({ code: 'remote' });
    await expect(operands({ remote: '.' })).rejects.toMatchObject({ code: 'remote' });
  });

  test('from a detached HEAD only an explicit target works', async () => {
    await world.git('checkout', '-q', '--detach');
    const tip = await world.commit('d.txt', 'd\n');
    await expect(operands({})).rejects.toMatchObject({ code: 'git' });
    expect((await operands({ remoteBranch: 'main' })).updates).toMatchObject([
      { ref: main, new: tip, kind: 'forward' },
    ]);
    await world.git('checkout', '-q', 'main');
  });

  test('text of the agent cannot pretend to be a line of ours', async () => {
    await world.commit('e.txt', 'e\n', 'nice \u202e\u001b[2K\u200bsubject');
    const text = renderPush(await operands({}));
    expect(text).toContain('nice \\u{202e}\\u{1b}[2K\\u{200b}subject');
  });
});

test.each([
  [{ branch: '--mirror' }],
  [{ branch: 'main:evil' }],
  [{ branch: ':main' }],
  [{ remote: '--receive-pack=x' }],
  [{ remote: 'http://x/' }],
  [{ force: 'yes' }],
  [{ mirror: true }],
  [{ delete: true }],
])('arguments that git_push would not take are refused: %j', (args) => {
  expect(() => pushArguments(args)).toThrow(expect.objectContaining({ code: 'arguments' }));
});

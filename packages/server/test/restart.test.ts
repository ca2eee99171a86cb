import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startForge } from '../../../examples/forge/start.ts';
import { proves } from '../../../tests/promises.ts';
import { runGit } from '../../gateway/src/git/git-process.ts';
import { GitRelay } from '../../gateway/src/index.ts';
import { refusedPushes } from '../src/mcp-attach.ts';
import { World } from './support/world.ts';

let world: World;
beforeAll(async () => {
  world = await World.begin();
});
afterAll(() => world.end());

test('implicit tasks whose session ended with an earlier run are closed at the start', async () => {
  const { authority } = world.serving.deployment;
  const task = await authority.tasks.open({
    objective: '(implicit)',
    principal: { kind: 'unknown', id: 'unknown', authenticated: 'nothing' },
    agent: null,
    allow: [],
    implicit: true,
  });
  await world.serving.close();
  world.serving = await world.serve();
  expect(world.serving.deployment.authority.tasks.get(task.id)?.state).toBe('closed');
  const last = world.statements(task.id).at(-1);
  expect(last?.body).toMatchObject({ reason: 'disconnect' });
});

test('a push that the relay refuses is a refusal in the chain of the task', async () => {
  proves('invariant-8');
  const base = mkdtempSync(join(world.base, 'push-'));
  mkdirSync(join(base, 'forge'));
  mkdirSync(join(base, 'copy'));
  const forge = await startForge(join(base, 'forge'));
  const relay = await GitRelay.start();
  try {
    await forge.createRepository('service');
    await forge.putCredential('crd_test', 'secret', ['service']);
    const { task } = await world.worker();
    const onRefused = refusedPushes(world.serving.deployment, task);
    const session = relay.open({ forgeUrl: forge.url, credential: { id: 'crd_test', secret: 'secret' }, onRefused });
    const identity = {
      GIT_AUTHOR_NAME: 'A',
      GIT_AUTHOR_EMAIL: 'a@test.invalid',
      GIT_COMMITTER_NAME: 'A',
      GIT_COMMITTER_EMAIL: 'a@test.invalid',
    };
    const env = { PATH: process.env.PATH ?? '', HOME: base, ...identity, ...session.gitEnv };
    const git = (...args: string[]) => runGit({ cwd: join(base, 'copy'), env, timeoutMs: 10_000 }, args);
    writeFileSync(join(base, 'copy', 'a.txt'), 'a');
    await git('init', '--quiet', '--initial-branch=main');
    await git('add', '.');
    await git('commit', '--quiet', '--message', 'first');
    const pushed = await git('push', `${forge.url}service.git`, 'main');
    expect(pushed.exitCode).not.toBe(0);
    await world.settled();
    const refusal = world.statements(task).find(({ predicate }) => predicate === 'refusal');
    expect(refusal?.body).toMatchObject({ reason: 'denied', method: 'git-receive-pack', authority: null });
    expect(refusal?.body).toHaveProperty(
      'detail',
      expect.stringMatching(/push to service of refs\/heads\/main 0{40}\.\.[0-9a-f]{40}: no approval/),
    );
  } finally {
    await relay.close();
    await forge.stop();
  }
});

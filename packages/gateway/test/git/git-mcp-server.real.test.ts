import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { proves } from '../../../../tests/promises.ts';
import { resolvePush } from '../../src/git/push-operands.ts';
import { makeWorld, secret, type World } from './world.ts';

let world: World;
let client: Client;
let transport: StdioClientTransport;

beforeAll(async () => {
  world = await makeWorld();
  const server = fileURLToPath(import.meta.resolve('@cyanheads/git-mcp-server'));
  transport = new StdioClientTransport({
    command: process.execPath,
    args: [server],
    cwd: world.dir,
    stderr: 'ignore',
    env: {
      PATH: process.env.PATH ?? '',
      HOME: world.dir,
      NODE_ENV: 'production',
      MCP_LOG_LEVEL: 'error',
      GIT_SIGN_COMMITS: 'false',
      GIT_BASE_DIR: world.dir,
      ...world.session.gitEnv,
    },
  });
  client = new Client({ name: 'test', version: '1' });
  await client.connect(transport);
});
afterAll(async () => {
  await client?.close();
  await world.end();
});

/** Approves what the arguments resolve to, then lets the real server act on the same arguments. */
async function approvedCall(args: Record<string, string | boolean>) {
  const { session, work } = world;
  const call = { path: work, confirmed: true, ...args };
  const operands = await resolvePush({ repositoryPath: work, arguments: call, session, path: process.env.PATH ?? '' });
  const window = session.allow(operands);
  const result = await client.callTool({ name: 'git_push', arguments: call });
  window.close();
  return { operands, result, report: await window.result };
}

test('what the real git server pushes is what its arguments resolved to', async () => {
  proves('invariant-7', 'credential-hidden');
  await world.git('tag', 'v1');
  const calls: readonly Record<string, string | boolean>[] = [
    {},
    { branch: 'main', remoteBranch: 'release', setUpstream: true },
    { remoteBranch: 'from-head', tags: true },
    { branch: '+main', remoteBranch: 'release' },
    { branch: 'main', force: true },
    { branch: 'from-head', delete: true },
  ];
  for (const [index, args] of calls.entries()) {
    await world.commit('file', String(index));
    if (index === 3) await world.git('commit', '-q', '--amend', '-m', 'rewritten');
    const { operands, result, report } = await approvedCall(args);
    expect(operands.updates.length, JSON.stringify(args)).toBeGreaterThan(0);
    expect(report.updates.map((update) => update.status)).toEqual(operands.updates.map(() => 'ok'));
    expect(result.isError ?? false).toBe(false);
    for (const update of operands.updates) expect(await world.atForge(update.ref)).toBe(update.new);
  }
  const environment = await readFile(`/proc/${transport.pid}/environ`, 'latin1').catch(() => '');
  expect(environment).not.toContain(secret);
});

test('its success without effect leaves the window unused', async () => {
  const { session } = world;
  await approvedCall({ branch: 'main' });
  const updates = [{ ref: 'refs/heads/main', old: '0'.repeat(40), new: await world.head() }];
  const window = session.allow({ repository: 'service', updates });
  const result = await client.callTool({ name: 'git_push', arguments: { path: world.work, branch: 'main' } });
  window.close();
  expect(result.isError ?? false).toBe(false);
  expect((await window.result).updates[0]?.status).toBe('not-sent');
});

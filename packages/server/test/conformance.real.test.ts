import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { ofAgents } from '../../../tests/support/agents.ts';
import { startConformanceServer } from './support/conformance-server.ts';
import { startConformanceServer2026 } from './support/conformance-server-2026.ts';
import { World } from './support/world.ts';

const suite = ofAgents('@modelcontextprotocol/conformance/dist/index.js');
/** The suite's alpha, which knows 2026-07-28. */
const alpha = ofAgents('conformance-next/dist/index.js');
const run = promisify(execFile);

let world: World;
beforeAll(async () => {
  world = await World.begin({ listen: { host: '127.0.0.1', port: 0 } });
});
afterAll(() => world.end());

/** What a suite says of a server, by scenario. */
async function judged(
  program: string | null,
  url: string,
  ...args: readonly string[]
): Promise<ReadonlyMap<string, string>> {
  const argv = [program ?? '', 'server', '--url', url, ...args];
  const { stdout } = await run(process.execPath, argv, { maxBuffer: 1 << 26, cwd: world.base }).catch(
    (error: { readonly stdout: string }) => error,
  );
  const lines = stdout.slice(stdout.indexOf('=== SUMMARY ===')).split('\n');
  return new Map(lines.flatMap((line) => (/^[✓✗] /.test(line) ? [line.slice(2).split(': ') as [string, string]] : [])));
}

/** The address of a server behind Deed. */
async function behind(name: string, url: string): Promise<string> {
  await world.post('/v1/tools', { name, kind: 'plain', url });
  const way = await world.post('/v1/mcp-keys', { server: name });
  return `${way.url}/${way.key}`;
}

const failing = (said: ReadonlyMap<string, string>) =>
  [...said].filter(([, counts]) => !counts.endsWith(' 0 failed')).map(([name]) => name);

test.skipIf(suite === null)(
  'the conformance suite says of a server behind Deed what it says of it directly',
  async () => {
    const server = await startConformanceServer();
    onTestFinished(server.close);
    const direct = await judged(suite, server.url);
    const through = await judged(suite, await behind('conformance', server.url));
    expect(direct.size).toBeGreaterThanOrEqual(30);
    expect(Object.fromEntries(through)).toEqual(Object.fromEntries(direct));
    expect(failing(through)).toEqual([]);
  },
  120_000,
);

test.skipIf(alpha === null)(
  'and so does its alpha for 2026-07-28',
  async () => {
    const server = await startConformanceServer2026();
    onTestFinished(server.close);
    const asked = ['--requirements', '2026-07-28'];
    const direct = await judged(alpha, server.url, ...asked);
    const through = await judged(alpha, await behind('conformance-2026', server.url), ...asked);
    // Of an extension that a server does not know Deed refuses the methods itself, in other words.
    const scored = (said: ReadonlyMap<string, string>) =>
      Object.fromEntries([...said].filter(([name]) => !name.startsWith('tasks-')));
    expect(Object.keys(scored(direct)).length).toBeGreaterThanOrEqual(40);
    expect(scored(through)).toEqual(scored(direct));
    expect(failing(through)).toEqual(failing(direct));
  },
  120_000,
);

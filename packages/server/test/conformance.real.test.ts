import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ofAgents } from '../../../tests/support/agents.ts';
import { startConformanceServer } from './support/conformance-server.ts';
import { World } from './support/world.ts';

const suite = ofAgents('@modelcontextprotocol/conformance/dist/index.js');
const run = promisify(execFile);

let world: World;
let server: Awaited<ReturnType<typeof startConformanceServer>>;
beforeAll(async () => {
  world = await World.begin({ listen: { host: '127.0.0.1', port: 0 } });
  server = await startConformanceServer();
});
afterAll(async () => {
  await server.close();
  await world.end();
});

/** What the suite says of a server, by scenario. */
async function judged(url: string): Promise<ReadonlyMap<string, string>> {
  const { stdout } = await run(process.execPath, [suite ?? '', 'server', '--url', url], { maxBuffer: 1 << 26 }).catch(
    (error: { readonly stdout: string }) => error,
  );
  const lines = stdout.slice(stdout.indexOf('=== SUMMARY ===')).split('\n');
  return new Map(lines.flatMap((line) => (/^[✓✗] /.test(line) ? [line.slice(2).split(': ') as [string, string]] : [])));
}

test.skipIf(suite === null)(
  'the conformance suite says of a server behind Deed what it says of it directly',
  async () => {
    await world.post('/v1/tools', { name: 'conformance', kind: 'plain', url: server.url });
    const { key, url } = await world.post('/v1/mcp-keys', { server: 'conformance' });
    const direct = await judged(server.url);
    const through = await judged(`${url}/${key}`);
    expect(direct.size).toBeGreaterThanOrEqual(30);
    expect(Object.fromEntries(through)).toEqual(Object.fromEntries(direct));
    const failing = [...through].filter(([, said]) => !said.endsWith(' 0 failed')).map(([name]) => name);
    expect(failing).toEqual([]);
  },
  120_000,
);

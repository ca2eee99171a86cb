import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { ofAgents } from '../../../../tests/support/agents.ts';
import { dialectOf, stdioOf } from '../../src/wrap/config-file.ts';

const codex = ofAgents('.bin/codex');

const folder = mkdtempSync(join(tmpdir(), 'deed-codex-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const configs = {
  tables:
    '# mine\nmodel = "m"\n[mcp_servers.a]\ncommand = "node" # here\nargs = [\n  "x", # one\n]\nstartup_timeout_sec = 20\n[mcp_servers.a.env]\nK = "v" # why\n[mcp_servers."b c"]\nurl = "https://example.com"\n',
  'dotted keys': '[mcp_servers]\na.command = "node"\na.args = ["x"]\na.env.K = "v"\na.startup_timeout_sec = 20\n',
  'inline tables':
    'mcp_servers = { a = { command = "node", args = ["x"], env = { K = "v" }, startup_timeout_sec = 20 } }\n',
};

const addresses = {
  tables:
    '[mcp_servers.a]\nurl = "https://example.com/mcp"\nbearer_token_env_var = "TOKEN"\nstartup_timeout_sec = 20\n[mcp_servers.a.http_headers]\nX-Org = "one"\n[mcp_servers.a.env_http_headers]\nX-Key = "KEY"\n[mcp_servers.b]\ncommand = "node"\n',
  'dotted keys': '[mcp_servers]\na.url = "https://example.com/mcp"\na.http_headers.X-Org = "one"\nb.command = "node"\n',
  'inline tables': 'mcp_servers = { a = { url = "https://example.com/mcp", http_headers = { X-Org = "one" } } }\n',
};

interface Listed {
  readonly name: string;
  readonly startup_timeout_sec: number | null;
  readonly transport: { readonly command?: string; readonly args?: string[]; readonly env?: object | null };
}

/** The servers as Codex reads them. */
function listed(text: string): readonly Listed[] {
  writeFileSync(join(folder, 'config.toml'), text);
  const env = { PATH: process.env.PATH, HOME: folder, CODEX_HOME: folder };
  const { stdout, stderr, status } = spawnSync(codex ?? '', ['mcp', 'list', '--json'], { env, encoding: 'utf8' });
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout);
}

describe.skipIf(codex === null)('Codex reads a configuration with', { timeout: 60_000 }, () => {
  test.each(Object.entries(configs))('%s as it was meant, wrapped and with its servers put back', (_name, text) => {
    const dialect = dialectOf('config.toml');
    const [entry] = dialect.entries(text);
    if (!entry) throw new Error('there is no server');
    const before = listed(text);
    const args = ['mcp', 'run', '--server', 'with "quotes" and \\ in it'];
    const wrapped = dialect.withStart(text, entry.at, { command: '/opt/a folder/deed', args, env: null });
    const [now, ...others] = listed(wrapped);
    expect(now).toMatchObject({
      name: 'a',
      startup_timeout_sec: 20,
      transport: { command: '/opt/a folder/deed', args },
    });
    expect(now?.transport.env ?? {}).toEqual({});
    expect(others).toEqual(before.slice(1));
    const { command, args: words = null, env = null } = stdioOf(entry);
    expect(listed(dialect.withStart(wrapped, entry.at, { command, args: words, env }))).toEqual(before);
  });

  test.each(Object.entries(addresses))('an address in %s, wrapped and put back', (_name, text) => {
    const dialect = dialectOf('config.toml');
    const [entry] = dialect.entries(text);
    if (!entry) throw new Error('there is no server');
    const before = listed(text);
    const started = dialect.withStart(text, entry.at, { command: 'deed', args: ['mcp', 'run'], env: null });
    expect(listed(started)[0]).toMatchObject({ name: 'a', transport: { command: 'deed', args: ['mcp', 'run'] } });
    expect(listed(started).slice(1)).toEqual(before.slice(1));
    expect(listed(dialect.withAddress(started, entry.at, entry.value))).toEqual(before);
  });
});

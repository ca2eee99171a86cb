import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { verify } from '@deed/evidence';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { examineFolder } from '../../server/src/index.ts';
import { Connection } from '../../server/test/support/connection.ts';
import { type Worker, World } from '../../server/test/support/world.ts';
import { writeAgentKey } from '../src/agent-key.ts';
import { Client } from '../src/client.ts';
import { deed } from './support/cli.ts';

vi.setConfig({ testTimeout: 60_000 });

const telling = fileURLToPath(new URL('fixtures/telling.mjs', import.meta.url));
const token = 'ghp_0123456789abcdefghij';

let world: World;
let folder: string;
beforeAll(async () => {
  world = await World.begin();
});
afterAll(() => world.end());

let folders = 0;
beforeEach(() => {
  folder = join(world.base, `project-${++folders}`);
  mkdirSync(folder);
});

function write(name: string, text: string, mode = 0o600): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

const wrap = async (file: string, ...more: readonly string[]) =>
  JSON.parse(await deed('mcp', 'wrap', file, '--json', '--data', world.dir, ...more));
const unwrap = async (file: string, ...more: readonly string[]) =>
  JSON.parse(await deed('mcp', 'unwrap', file, '--json', '--data', world.dir, ...more));
const list = async (what: string) => JSON.parse(await deed(what, 'list', '--json', '--data', world.dir));

function open(server: string, worker: Worker | null = null): Promise<Connection> {
  const { socket } = world.serving;
  const sign = worker?.sign ?? (async () => '-');
  return Connection.open({ socket, argv: [], server, task: worker?.task ?? null, sign });
}

/** What the telling server says of how it was started, asked as a client would. */
async function told(server: string, worker: Worker | null = null) {
  const connection = await open(server, worker);
  try {
    const { error } = await connection.request('tools/list');
    if (error) throw new Error(error.message);
    return JSON.parse((await connection.call('tell')).text);
  } finally {
    await connection.close();
  }
}

const claude = () =>
  `{
  // tools of the project
  "mcpServers": {
    "telling": { "command": "/usr/bin/env", "args": ["node", "${telling}", "--token", "${token}"],
      "env": { "API_KEY": "k-e-y", "LOG": "debug" }, "alwaysAllow": ["tell"] },
    "docs": { "type": "sse", "url": "https://example.com/mcp", "headers": { "Authorization": "Bearer ${token}" } },
  },
}
`;

test('every server of a configuration runs behind Deed, its secrets come from the broker, and unwrap restores each byte', async () => {
  const text = claude();
  const file = write('.mcp.json', text, 0o644);
  const view = await wrap(file);
  expect(view.servers).toMatchObject([{ at: ['mcpServers', 'telling'], tool: 'telling' }]);
  expect(view.left).toMatchObject([{ at: ['mcpServers', 'docs'], what: expect.stringContaining('SSE') }]);
  expect(view.secrets).toEqual([
    { at: ['mcpServers', 'telling'], what: 'argument 4', secret: 'telling.arg-token' },
    { at: ['mcpServers', 'telling'], what: 'env API_KEY', secret: 'telling.api-key' },
    { at: ['mcpServers', 'docs'], what: 'headers.Authorization', secret: null },
    { at: [], what: 'line 6, once more', secret: null },
  ]);
  const wrapped = readFileSync(file, 'utf8');
  expect(wrapped).toContain('// tools of the project');
  expect(wrapped).toContain('"alwaysAllow": ["tell"]');
  expect(wrapped).not.toContain('k-e-y');

  expect(await told('telling')).toMatchObject({
    argv: ['--token', token],
    env: { API_KEY: 'k-e-y', LOG: 'debug', HOME: process.env.HOME },
    cwd: folder,
  });
  const task = (await list('task'))[0].task;
  expect(world.of(task, 'task-opened')[0]?.body.credentials).toMatchObject([
    { broker: 'telling.arg-token', debt: 'static' },
    { broker: 'telling.api-key', debt: 'static' },
  ]);

  const exported = await new Client(world.dir).postForBytes(`/v1/tasks/${task}/case`);
  expect(verify(exported, { trust: world.made.trustFile })).toMatchObject({ verdict: 'VERIFIED', reasons: [] });

  expect(await unwrap(file)).toMatchObject({ restored: 'bytes', lost: [], kept: [] });
  expect(readFileSync(file, 'utf8')).toBe(text);
  expect((await list('tool')).tools).toEqual([]);
  expect(await list('secret')).toEqual([]);
  expect(await list('mcp')).toEqual([]);
});

test('no secret of the file rests anywhere in the clear: not in the data folder, not in what is printed', async () => {
  const file = write('.mcp.json', claude().replace(`Bearer ${token}`, 'none'));
  const printed = await deed('mcp', 'wrap', file, '--data', world.dir);
  await world.settled();
  const grep = (text: string) =>
    execFileSync('sh', ['-c', 'grep -rlaF -- "$@" || true', 'sh', text, world.dir, folder]).toString();
  expect(grep(token)).toBe('');
  expect(grep('k-e-y')).toBe('');
  for (const out of [printed, await deed('tool', 'list', '--json', '--data', world.dir)]) {
    expect(out).not.toContain(token);
    expect(out).not.toContain('k-e-y');
  }
  await unwrap(file);
});

test('a configuration of Codex is wrapped and restored as well', async () => {
  const text = `model = "m" # kept\n\n[mcp_servers.codex]\ncommand = "/usr/bin/env" # here\nargs = ["node", "${telling}"]\n\n[mcp_servers.codex.env]\nAPI_KEY = "k-e-y" # mine\n`;
  mkdirSync(join(folder, '.codex'));
  const file = write('.codex/config.toml', text);
  await wrap(file);
  expect(readFileSync(file, 'utf8')).toMatch(/^model = "m" # kept\n[\s\S]*# here\n[\s\S]*# mine\n$/);
  expect(await told('codex')).toMatchObject({ env: { API_KEY: 'k-e-y' }, cwd: folder });
  await unwrap(file);
  expect(readFileSync(file, 'utf8')).toBe(text);
});

test('two clients share a server that is the same, and name apart what differs', async () => {
  const server = (key: string) => ({ command: '/usr/bin/env', args: ['node', telling], env: { API_KEY: key } });
  const one = write('one.json', JSON.stringify({ mcpServers: { shared: server('k-1') } }));
  const two = write('two.json', JSON.stringify({ servers: { other: server('k-1'), shared: server('k-2') } }));
  expect((await wrap(one)).servers).toMatchObject([{ tool: 'shared' }]);
  expect((await wrap(two)).servers).toMatchObject([{ tool: 'shared' }, { tool: 'shared-2' }]);
  expect((await told('shared')).env.API_KEY).toBe('k-1');
  expect((await told('shared-2')).env.API_KEY).toBe('k-2');
  await unwrap(one);
  expect((await told('shared')).env.API_KEY).toBe('k-1');
  await unwrap(two);
  expect((await list('tool')).tools).toEqual([]);
});

test('a server that an operator registered by hand stays when the file is unwrapped', async () => {
  await deed(
    'tool',
    'add',
    'by-hand',
    '--data',
    world.dir,
    '--cwd',
    folder,
    '--env',
    `HOME=${process.env.HOME}`,
    '--',
    '/usr/bin/env',
    'node',
    telling,
  );
  const file = write(
    'a.json',
    JSON.stringify({ mcpServers: { a: { command: '/usr/bin/env', args: ['node', telling] } } }),
  );
  expect((await wrap(file)).servers).toMatchObject([{ tool: 'by-hand' }]);
  await unwrap(file);
  expect((await list('tool')).tools).toMatchObject([{ name: 'by-hand' }]);
  await deed('tool', 'remove', 'by-hand', '--data', world.dir);
});

test('a server that has an address is reached through the pipe, and its secret is gone from the file', async () => {
  const text =
    '{"mcpServers": {"far": {"type": "http", "url": "http://127.0.0.1:9/mcp", "headers": {"Authorization": "Bearer far-0123456789"}}}}\n';
  const file = write('address.json', text);
  expect(await wrap(file)).toMatchObject({
    servers: [{ at: ['mcpServers', 'far'], tool: 'far' }],
    secrets: [{ what: 'header Authorization', secret: 'far.header-authorization' }],
  });
  const now = readFileSync(file, 'utf8');
  expect(JSON.parse(now).mcpServers.far).toMatchObject({
    type: 'stdio',
    args: expect.arrayContaining(['--server', 'far']),
  });
  expect(now).not.toContain('far-0123456789');
  await unwrap(file);
  expect(readFileSync(file, 'utf8')).toBe(text);
});

test('a file that is wrapped is not wrapped again, and one with nothing to wrap is left as it is', async () => {
  const file = write('.mcp.json', claude());
  await wrap(file);
  const wrapped = readFileSync(file, 'utf8');
  await expect(wrap(file)).rejects.toMatchObject({
    code: 'request',
    message: expect.stringContaining('wrapped already'),
  });
  expect(readFileSync(file, 'utf8')).toBe(wrapped);
  await unwrap(file);
  const http = write('http.json', '{"mcpServers": {"a": {"url": "https://example.com"}}}');
  expect(await wrap(http)).toMatchObject({ servers: [], left: [{ at: ['mcpServers', 'a'] }] });
  expect(await list('mcp')).toEqual([]);
  await expect(wrap(write('none.json', '{}'))).rejects.toMatchObject({ code: 'request' });
  await expect(unwrap(http)).rejects.toMatchObject({ code: 'not-found' });
});

test('a file that was changed since is not put back over the change: its servers alone are, and what is gone is said', async () => {
  const text = JSON.stringify(
    {
      mcpServers: {
        a: { command: '/usr/bin/env', args: ['node', telling], env: { API_KEY: 'k' } },
        b: { command: '/usr/bin/env', args: ['-S'] },
      },
    },
    null,
    2,
  );
  const file = write('.claude.json', text);
  await wrap(file);
  const changed = JSON.parse(readFileSync(file, 'utf8'));
  delete changed.mcpServers.b;
  changed.mcpServers.new = { command: 'true' };
  const now = JSON.stringify({ startups: 7, ...changed }, null, 2);
  writeFileSync(file, now);
  await expect(unwrap(file)).rejects.toMatchObject({
    code: 'request',
    message: expect.stringContaining('--keep-changes'),
  });
  expect(readFileSync(file, 'utf8')).toBe(now);
  expect(await unwrap(file, '--keep-changes')).toMatchObject({ restored: 'servers', lost: ['mcpServers.b'] });
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({
    startups: 7,
    mcpServers: { a: JSON.parse(text).mcpServers.a, new: { command: 'true' } },
  });
});

test('a crash at any point leaves either file, and unwrap or wrap goes on from there', async () => {
  const text = claude();
  const file = write('.mcp.json', text);
  await wrap(file);
  const wrapped = readFileSync(file, 'utf8');
  // Before the new content was written, and after: what the file held is sealed already.
  writeFileSync(file, text);
  expect((await wrap(file)).servers).toMatchObject([{ tool: 'telling' }]);
  expect(readFileSync(file, 'utf8')).toBe(wrapped);
  // The old content was written back, and its record is there still.
  writeFileSync(file, text);
  expect(await unwrap(file)).toMatchObject({ restored: 'bytes' });
  expect((await list('tool')).tools).toEqual([]);
});

test('a file that cannot be written stays as it is, and nothing of it is registered', async () => {
  const file = write('.mcp.json', claude());
  const stop = vi.spyOn(process, 'umask').mockImplementationOnce(() => {
    throw Object.assign(new Error('the disk is full'), { syscall: 'write' });
  });
  await expect(wrap(file)).rejects.toThrow('the disk is full');
  stop.mockRestore();
  expect(readFileSync(file, 'utf8')).toBe(claude());
  expect((await list('tool')).tools).toEqual([]);
  expect(await list('secret')).toEqual([]);
});

test('a program that cannot be registered leaves nothing behind', async () => {
  const servers = {
    a: { command: '/usr/bin/env', env: { API_KEY: 'k' } },
    b: { command: '/usr/bin/env', args: ['x'.repeat(5000)] },
  };
  const file = write('.mcp.json', JSON.stringify({ mcpServers: servers }));
  await expect(wrap(file)).rejects.toMatchObject({ code: 'request' });
  expect(await list('mcp')).toEqual([]);
  expect((await list('tool')).tools).toEqual([]);
});

test('wrapped for a task, a server is handed its secrets in tasks alone, and so is one that was registered by hand', async () => {
  const worker = await world.worker([{ server: 'mine' }]);
  const key = join(folder, 'agent.json');
  const { agent, task } = worker;
  writeAgentKey(key, { agent: agent.id, spiffe: agent.spiffe, origin: world.made.origin, key: agent.key });
  const server = { command: '/usr/bin/env', args: ['node', telling], env: { API_KEY: 'k' } };
  const file = write('.mcp.json', JSON.stringify({ mcpServers: { mine: server } }));
  await wrap(file, '--task', task, '--key', key);
  const [entry] = Object.values(JSON.parse(readFileSync(file, 'utf8')).mcpServers) as { args: string[] }[];
  expect(entry?.args.slice(-6)).toEqual(['--task', task, '--key', key, '--server', 'mine']);
  await expect(told('mine')).rejects.toThrow('name a task of an enrolled agent');
  // The task was opened before the server was: only what it lists then is minted.
  await expect(told('mine', worker)).rejects.toThrow('opened before the tool was registered');
  const later = await world.worker([{ server: 'mine' }], agent);
  expect((await told('mine', later)).env.API_KEY).toBe('k');
  await world.closeTask(later.task);
  await unwrap(file);
});

test('a secret that an open session holds is kept and named, and a server that was opened goes on', async () => {
  const server = { command: '/usr/bin/env', args: ['node', telling], env: { API_KEY: 'k' } };
  const file = write('.mcp.json', JSON.stringify({ mcpServers: { held: server } }));
  await wrap(file);
  const connection = await open('held');
  expect((await connection.call('tell')).isError).toBe(false);
  expect(await unwrap(file)).toMatchObject({
    kept: [{ name: 'held.api-key', why: expect.stringContaining('not revoked: close their tasks') }],
  });
  expect((await connection.call('tell')).isError).toBe(false);
  await connection.close();
  await deed('secret', 'remove', 'held.api-key', '--data', world.dir);
});

test('what is kept of a wrapped file is a part of what fsck looks at', async () => {
  const file = write('.mcp.json', claude());
  await wrap(file);
  await world.settled();
  expect(examineFolder(world.dir).problems).toEqual([]);
  const db = world.serving.deployment.ledger.database;
  const set = (sealed: Uint8Array) =>
    db.transaction((tx) => tx.run('UPDATE sealed_file SET sealed = ? WHERE path = ?', sealed, file));
  const row = db.get<{ sealed: Uint8Array }>('SELECT sealed FROM sealed_file WHERE path = ?', file);
  const sealed = row?.sealed ?? new Uint8Array();
  const bent = sealed.slice();
  bent[40] = (bent[40] ?? 0) ^ 1;
  set(bent);
  expect(examineFolder(world.dir).problems).toMatchObject([{ code: 'state', where: `table sealed_file, row ${file}` }]);
  await expect(unwrap(file)).rejects.toMatchObject({ code: 'vault' });
  set(sealed);
  await unwrap(file);
});

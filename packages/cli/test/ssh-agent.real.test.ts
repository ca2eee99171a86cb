import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client as McpClient } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { verify } from '../../evidence/src/index.ts';
import { World } from '../../server/test/support/world.ts';
import { Client } from '../src/client.ts';
import { deed } from './support/cli.ts';

const bin = fileURLToPath(new URL('../../../bin/deed.mjs', import.meta.url));
const entry = createRequire(import.meta.url).resolve('@modelcontextprotocol/server-filesystem/dist/index.js');
const present = ['ssh-agent', 'ssh-keygen', 'ssh-add'].every((name) => spawnSync('which', [name]).status === 0);
if (!present) console.warn('SKIPPED: ssh-agent, ssh-keygen or ssh-add is not on this machine');

describe.skipIf(!present)('an agent whose key an ssh-agent holds', { timeout: 60_000 }, () => {
  let world: World;
  let work: string;
  let socket: string;
  let stop: () => void;
  const ssh = (...args: readonly string[]) =>
    execFileSync('ssh-add', ['-q', ...args], { env: { ...process.env, SSH_AUTH_SOCK: socket }, stdio: 'ignore' });

  /** Has a new key in the ssh-agent, and nowhere else. */
  const load = (type: string) => {
    const file = join(world.base, type);
    execFileSync('ssh-keygen', ['-q', '-t', type, '-N', '', '-f', file]);
    ssh(file);
    execFileSync('rm', [file, `${file}.pub`]);
  };

  beforeAll(async () => {
    world = await World.begin();
    work = join(world.base, 'work');
    mkdirSync(work);
    await world.tool('files', [process.execPath, entry, work], 'filesystem');
    socket = join(world.base, 'ssh-agent');
    const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'ignore'] });
    stop = () => agent.kill();
    await once(agent.stdout, 'data');
  });
  afterAll(async () => {
    stop();
    await world.end();
  });

  const key = () => `ssh-agent:${socket}`;
  const enrol = async (name: string) => {
    const { code } = JSON.parse(await deed('agent', 'enroll', name, '--data', world.dir, '--json'));
    return JSON.parse(await deed('agent', 'enroll', '--code', code, '--key', key(), '--data', world.dir, '--json'));
  };
  const taskOf = async (agent: string): Promise<string> => {
    const principal = { kind: 'person', id: 'owner', authenticated: 'a test' };
    const allow = [{ server: 'files', paths: { under: [work] } }];
    return (await world.post('/v1/tasks', { objective: 'Write', agent, principal, allow })).task;
  };
  const connect = async (task: string): Promise<McpClient> => {
    const args = [
      bin,
      'mcp',
      'run',
      '--socket',
      world.serving.socket,
      '--task',
      task,
      '--key',
      key(),
      '--server',
      'files',
    ];
    const client = new McpClient({ name: 'test', version: '1' });
    await client.connect(new StdioClientTransport({ command: process.execPath, args, stderr: 'ignore' }));
    return client;
  };

  test('acts by proofs that the ssh-agent signs, in a case that verifies, and not without it', async () => {
    load('ed25519');
    await expect(enrol('writer')).rejects.toMatchObject({ code: 'request', message: expect.stringContaining('P-256') });
    load('ecdsa');
    const { id } = await enrol('writer');
    const task = await taskOf(id);
    const client = await connect(task);
    for (let at = 0; at < 5; at++) {
      const path = join(work, `written-${at}`);
      const { isError = false } = await client.callTool({ name: 'write_file', arguments: { path, content: 'mine' } });
      expect(isError).toBe(false);
    }
    expect(readFileSync(join(work, 'written-4'), 'utf8')).toBe('mine');
    await client.close();
    expect(world.of(task, 'outcome').filter(({ body }) => body.status === 'ok')).toHaveLength(5);
    await world.closeTask(task);
    const exported = await new Client(world.dir).postForBytes(`/v1/tasks/${task}/case`);
    expect(verify(exported, { trust: world.made.trustFile })).toMatchObject({ verdict: 'VERIFIED', reasons: [] });
    ssh('-D');
    await expect(connect(await taskOf(id))).rejects.toThrow();
  });

  test('is told from others whose keys lie beside its own by the task, and its entry in a wrapped file names the socket', async () => {
    ssh('-D');
    load('ecdsa');
    const first = await enrol('first');
    load('ecdsa');
    const second = await enrol('second');
    expect(second.id).not.toBe(first.id);
    const task = await taskOf(second.id);
    const client = await connect(task);
    await client.callTool({ name: 'write_file', arguments: { path: join(work, 'second'), content: 'its own' } });
    await client.close();
    expect(readFileSync(join(work, 'second'), 'utf8')).toBe('its own');
    const file = join(world.base, '.mcp.json');
    writeFileSync(file, JSON.stringify({ mcpServers: { files: { command: process.execPath, args: [entry, work] } } }));
    await deed('mcp', 'wrap', file, '--data', world.dir, '--task', task, '--key', key());
    expect(JSON.parse(readFileSync(file, 'utf8')).mcpServers.files.args).toEqual(
      expect.arrayContaining(['--key', `ssh-agent:${socket}`]),
    );
  });
});

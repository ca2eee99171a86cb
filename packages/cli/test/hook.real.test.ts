import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { World } from '../../server/test/support/world.ts';
import { writeAgentKey } from '../src/agent-key.ts';
import { selfCommand } from '../src/process.ts';
import { deed } from './support/cli.ts';

// Each starts several processes, one after the other.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

let world: World;
beforeAll(async () => {
  world = await World.begin();
});
afterAll(() => world.end());

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs the hook as Claude Code does: in a shell, with the event on its input. */
async function shell(command: string, input: string): Promise<Ended> {
  const child = spawn('/bin/sh', ['-c', command]);
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  child.stdin.on('error', () => {}); // it ended before it read everything
  child.stdin.end(input);
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, out, err };
}

const hook = (input: string, ...more: readonly string[]) =>
  shell(
    selfCommand('hook', 'claude-code', '--data', world.dir, ...more)
      .map((word) => `'${word}'`)
      .join(' '),
    input,
  );

let calls = 0;
const event = (fields: object = {}) =>
  JSON.stringify({
    ...{ session_id: 'one', cwd: world.base, hook_event_name: 'PreToolUse', tool_name: 'Bash' },
    ...{ tool_input: { command: 'ls' }, tool_use_id: `toolu_${++calls}`, ...fields },
  });

test('a call that is allowed goes on without a word, so that the client still asks its user', async () => {
  expect(await hook(event())).toEqual({ code: 0, out: '', err: '' });
});

test('a call is blocked, with the reason, by nonsense, by a refusal, by no server, and by one that does not answer', async () => {
  const silent = join(world.base, 'silent.sock');
  const listening = createServer(() => {});
  listening.listen(silent);
  const nobody = { code: 2, out: '', err: expect.stringContaining('Deed refused this (no-server): ') };
  try {
    expect(await hook('nonsense')).toMatchObject({ code: 2, err: expect.stringContaining('(message)') });
    expect(await hook('')).toMatchObject({ code: 2 });
    expect(await hook(event({ tool_name: 'git_push' }))).toMatchObject({
      ...{ code: 2, out: '', err: expect.stringMatching(/^Deed refused this \(outside-grant\): .*ceiling/) },
    });
    expect(await hook(event(), '--socket', join(world.base, 'none.sock'))).toEqual(nobody);
    expect(await hook(event(), '--socket', silent, '--timeout', '1')).toEqual(nobody);
    expect(await hook(event(), '--task', 'tsk_x', '--key', '/nowhere')).toMatchObject({ code: 2 });
  } finally {
    listening.close();
  }
});

test('in a task the hook signs with the key of the agent; in one that is closed every call is blocked', async () => {
  const worker = await world.worker([{ server: 'hook:claude-code' }]);
  const { agent, task } = worker;
  const key = join(world.base, 'agent.json');
  writeAgentKey(key, { agent: agent.id, spiffe: agent.spiffe, origin: world.made.origin, key: agent.key });
  const settings = join(world.base, 'settings.json');
  await deed('hook', 'install', settings, '--data', world.dir, '--task', task, '--key', key);
  const { hooks } = JSON.parse(readFileSync(settings, 'utf8'));
  const run = (name: string, input: string) => shell(hooks[name][0].hooks[0].command, input);
  expect(await run('PreToolUse', event({ tool_use_id: 'toolu_a' }))).toEqual({ code: 0, out: '', err: '' });
  const after = { hook_event_name: 'PostToolUse', tool_use_id: 'toolu_a', tool_response: {} };
  expect(await run('PostToolUse', event(after))).toEqual({ code: 0, out: '', err: '' });
  expect(await run('PostToolUse', event(after))).toMatchObject({
    ...{ code: 2, err: expect.stringContaining('Deed could not record this (hook): ') },
  });
  expect(world.of(task, 'intent')).toMatchObject([{ observed: 'hook', body: { authority: { pop: 'shim' } } }]);
  expect(world.of(task, 'outcome')).toMatchObject([{ body: { status: 'ok' } }]);
  await world.closeTask(task);
  expect(await run('PreToolUse', event())).toMatchObject({ code: 2, err: expect.stringContaining('(task-closed)') });
  // A Stop that blocked would keep the agent going.
  expect(await run('Stop', JSON.stringify({ session_id: 'one', hook_event_name: 'Stop' }))).toMatchObject({ code: 1 });
  await deed('hook', 'remove', settings, '--data', world.dir);
  expect(JSON.parse(readFileSync(settings, 'utf8'))).toEqual({});
  rmSync(settings);
});

test('a server that ends while a call is under way leaves its outcome unknown', async () => {
  await hook(event({ session_id: 'two' }));
  const task = (await world.api('GET', '/v1/tasks')).body.tasks[0].task;
  await world.serving.close();
  world.serving = await world.serve();
  expect(world.of(task, 'outcome').map(({ body }) => body.status)).toEqual(['unknown']);
  expect(world.of(task, 'task-closed')).toMatchObject([{ body: { reason: 'disconnect', open: [] } }]);
});

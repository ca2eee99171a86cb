import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { proves } from './promises.ts';
import { run } from './support/processes.ts';

const root = resolve(import.meta.dirname, '..');

test('examples/two-agents: a planner passes its task on, and the case attributes each act', async () => {
  proves('invariant-6');
  const program = [process.execPath, '--conditions=deed-source', 'examples/two-agents/two-agents.ts'];
  const env = Object.fromEntries(Object.entries(process.env).filter((each): each is [string, string] => !!each[1]));
  const { code, stdout, stderr } = await run(program, { cwd: root, env });
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toContain('  planner > worker > sub-worker: ok');
  expect(stdout.trimEnd().split('\n').at(-1)).toBe('Everything is as it should be.');
});

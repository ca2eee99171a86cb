import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { proves } from '../../../../tests/promises.ts';
import { World } from '../world.ts';

test('kill -9 between the statement of an erasure and its first file: the next start completes it', async () => {
  proves('invariant-10', 'invariant-2');
  const script = new URL('./killed.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, ['--conditions=deed-source', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [said, [, signal]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  expect(signal).toBe('SIGKILL');
  const { base, init, task, payloads } = JSON.parse(said);
  const world = new World();
  Object.assign(world, { base, dir: join(base, 'data'), init });
  const keyFile = join(world.dir, 'keys', 'tasks', task);
  expect(existsSync(keyFile)).toBe(true);
  await world.open();
  expect(existsSync(keyFile)).toBe(false);
  expect(world.statements(`${task}/after`)).toMatchObject([{ predicate: 'erased', body: { payloads } }]);
  expect(payloads.some((name: string) => world.authority.vault.has(name))).toBe(false);
  expect(world.ledger.database.get('SELECT done FROM erasure')).toEqual({ done: 1 });
  await world.end();
});

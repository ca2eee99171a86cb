import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { receiver } from '../support/receiver.ts';
import { fixture, World } from '../support/world.ts';

let world: World;
const children: ChildProcess[] = [];
beforeAll(async () => {
  world = await World.begin({ scrub: null });
}, 60_000);
afterAll(async () => {
  await world.end();
});

const kills = 3;
const each = 8;
const principal = { kind: 'person', id: 'owner', authenticated: 'a test' };

async function started(): Promise<ChildProcess> {
  const stdio = ['ignore', 'pipe', 'inherit'] as const;
  const child = spawn(process.execPath, ['--conditions=deed-source', fixture('serving.ts'), world.dir], {
    stdio: [...stdio],
  });
  children.push(child);
  if (!child.stdout) throw new Error('no standard output');
  await once(createInterface(child.stdout), 'line');
  return child;
}

test('a server that is killed amid deliveries, again and again, tells of everything it committed', {
  timeout: 240_000,
}, async () => {
  let silentAfter = 3;
  let wake = () => {};
  const told = await receiver(() => {
    if (silentAfter-- > 0) return 200;
    wake(); // this one is under way, and never answered
    return null;
  });
  const { id: agent } = await world.enrol();
  await world.serving.close();
  try {
    const tasks = new Set<string>();
    for (let kill = 0; kill < kills; kill++) {
      const child = await started();
      const hit = new Promise<void>((resolve) => {
        wake = resolve;
      });
      silentAfter = 3;
      if (kill === 0) {
        const callback = { name: 'all', url: told.url, network: 'private', topics: ['task'] };
        await world.post('/v1/callbacks', callback);
      }
      const opened = Array.from({ length: each }, () =>
        world.post('/v1/tasks', { objective: 'o', principal, agent, allow: [{ server: 'fixture' }] }),
      );
      for (const { task } of await Promise.all(opened)) tasks.add(task);
      await hit;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    silentAfter = Number.POSITIVE_INFINITY;
    await started();
    await vi.waitFor(
      async () => {
        const [{ waiting, dead }] = (await world.api('GET', '/v1/callbacks')).body.callbacks;
        expect({ waiting, dead }).toEqual({ waiting: 0, dead: 0 });
        const subjects = new Set(told.got.map(({ body }) => JSON.parse(body).subject));
        expect([...tasks].filter((task) => !subjects.has(task))).toEqual([]);
      },
      { timeout: 120_000, interval: 200 },
    );
    expect(tasks.size).toBe(kills * each);
    // Attempts of one event are the same bytes under the same id.
    expect(new Set(told.ids()).size).toBe(new Set(told.got.map(({ body }) => body)).size);
    expect(told.got.length).toBeGreaterThan(new Set(told.ids()).size);
  } finally {
    told.stop();
    for (const child of children.splice(0)) {
      const over = child.exitCode !== null || child.signalCode !== null;
      child.kill('SIGKILL');
      if (!over) await once(child, 'exit');
    }
    world.serving = await world.serve({ scrub: null });
  }
});

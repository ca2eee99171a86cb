import * as fs from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { World } from './support/world.ts';

let world: World;
beforeAll(async () => {
  world = await World.begin({ scrub: { everyMs: 50, share: 1 } });
  await world.worker();
}, 120_000);
afterAll(() => world.end());

const health = async () => (await world.api('GET', '/v1/status')).body.health;

test('a running server checks its whole folder in the background, and says what it found', async () => {
  await vi.waitUntil(async () => (await health()).lastPass !== null, { timeout: 100_000, interval: 100 });
  const sound = await health();
  expect(sound).toMatchObject({ ok: true, problems: [], failed: null });
  expect(sound.entries).toBeGreaterThan(5);
  const said: string[] = [];
  const spy = vi.spyOn(process.stderr, 'write').mockImplementation((text) => said.push(String(text)) > 0);
  const [bundle = ''] = fs.readdirSync(join(world.dir, 'policy'));
  const [file = ''] = fs.readdirSync(join(world.dir, 'policy', bundle));
  fs.appendFileSync(join(world.dir, 'policy', bundle, file), ' ');
  await vi.waitUntil(async () => (await health()).ok === false, { timeout: 100_000, interval: 100 });
  spy.mockRestore();
  expect((await health()).problems).toMatchObject([{ code: 'file', where: `policy/${bundle}/${file}` }]);
  expect(said.join('')).toContain('DAMAGE');
}, 240_000);

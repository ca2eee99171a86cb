import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { verify } from '@deed/evidence';
import { makeReadingCopy } from '@deed/reading-copy';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { World } from '../../server/test/support/world.ts';

const bin = fileURLToPath(new URL('../../../bin/deed.mjs', import.meta.url));

let world: World;
beforeAll(async () => {
  world = await World.begin();
});
afterAll(() => world.end());

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function deed(...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [bin, ...args], { cwd: world.base }, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode, stdout, stderr }),
    );
  });
}

test('case export --html writes the case and a page that holds it; case page makes the same page, and writes over nothing', {
  timeout: 120_000,
}, async () => {
  const { task } = await world.worker();
  await world.closeTask(task);
  const file = join(world.base, `${task}.deed`);
  const html = join(world.base, `${task}.html`);
  const told = await deed('case', 'export', task, '--html', '--json', '--data', world.dir);
  expect(told).toMatchObject({ code: 0, stderr: '' });
  expect(JSON.parse(told.stdout)).toEqual({ case: file, sizeBytes: readFileSync(file).length, page: html });
  const bytes = readFileSync(file);
  expect(verify(bytes, { trust: world.made.trustFile }).verdict).toBe('VERIFIED');
  expect(Buffer.from(await makeReadingCopy(bytes, `${task}.deed`)).equals(readFileSync(html))).toBe(true);

  expect(await deed('case', 'page', `${task}.deed`)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('[EEXIST]'),
  });
  const again = await deed('case', 'page', `${task}.deed`, '-o', 'again.html');
  expect(again.stdout).toContain(`deed verify ${task}.deed --trust TRUST`);
  expect(readFileSync(join(world.base, 'again.html')).equals(readFileSync(html))).toBe(true);
});

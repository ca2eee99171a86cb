import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { World } from '../../server/test/support/world.ts';

/** The commands as a user types them, against a served deployment and then without it. */
const deedProgram = resolve(import.meta.dirname, '../../../bin/deed.mjs');

interface Ran {
  readonly code: number;
  readonly text: string;
}

let world: World;
let task: string;
const at = (name: string) => join(world.base, name);

/** Runs deed in the world's folder. */
function deed(...args: readonly string[]): Promise<Ran> {
  return new Promise((done) => {
    const env = { ...process.env, DEED_DATA: world.dir };
    execFile(process.execPath, [deedProgram, ...args], { cwd: world.base, env }, (error, stdout, stderr) => {
      done({ code: typeof error?.code === 'number' ? error.code : 0, text: stdout + stderr });
    });
  });
}

beforeAll(async () => {
  world = await World.begin();
  writeFileSync(at('trust.txt'), world.made.trustFile);
  writeFileSync(at('report.txt'), 'What was delivered.\n');
  writeFileSync(at('other.txt'), 'Something else.\n');
  ({ task } = await world.worker());
});
afterAll(() => world.end());

test('a checkpoint is kept, then a task is closed with the file that it delivered', async () => {
  writeFileSync(at('old.checkpoint'), (await deed('log', 'checkpoint')).text);
  expect(await deed('task', 'receipt', task)).toMatchObject({
    code: 1,
    text: expect.stringContaining('is open; close it first'),
  });
  expect(await deed('task', 'close', task, '--output', 'report.txt')).toMatchObject({ code: 0 });
});

test('its receipt recognises the file and no other, offline', async () => {
  expect(await deed('task', 'receipt', task, '-o', 'task.deed-receipt')).toMatchObject({ code: 0 });
  const verify = (...more: readonly string[]) => deed('verify', 'task.deed-receipt', ...more);
  expect(await verify('--trust', 'trust.txt', '--artifact', 'report.txt')).toMatchObject({
    code: 0,
    text: expect.stringMatching(/compared +file:report\.txt.*VERIFIED/s),
  });
  expect(await verify('--trust', 'trust.txt', '--artifact', 'other.txt')).toMatchObject({ code: 5 });
  expect(await verify()).toMatchObject({ code: 3 });
  expect(await verify('--leaf', 'report.txt')).toMatchObject({
    code: 1,
    text: expect.stringContaining('go with a tlog-proof'),
  });
  writeFileSync(
    at('bent.deed-receipt'),
    readFileSync(at('task.deed-receipt'), 'utf8').replace('"index":0', '"index":1'),
  );
  expect(await deed('verify', 'bent.deed-receipt', '--trust', 'trust.txt')).toMatchObject({ code: 5 });
});

test('an entry is proven in a file that verifies with its leaf', async () => {
  const files = ['-o', 'entry.tlog-proof', '--leaf', 'entry.leaf', '--statement', 'entry.json'];
  expect(await deed('log', 'proof', '3', ...files)).toMatchObject({
    code: 0,
    text: expect.stringContaining('witnessed'),
  });
  const given = ['--trust', 'trust.txt', '--leaf', 'entry.leaf', '--statement', 'entry.json'];
  expect(await deed('verify', 'entry.tlog-proof', ...given)).toMatchObject({
    code: 0,
    text: expect.stringContaining('key-event of keys'),
  });
  expect(await deed('verify', 'entry.tlog-proof', '--trust', 'trust.txt')).toMatchObject({ code: 4 });
  expect(await deed('log', 'proof', '3', ...files)).toMatchObject({ code: 1, text: expect.stringContaining('EEXIST') });
});

test('the log goes on from the checkpoint that was kept, and not from one that was bent', async () => {
  const { code, text } = await deed('log', 'consistency', 'old.checkpoint', '--trust', 'trust.txt', '--json');
  expect({ code, ...JSON.parse(text) }).toMatchObject({ code: 0, result: 'continuation', proof: expect.any(Array) });
  const old = readFileSync(at('old.checkpoint'), 'utf8');
  writeFileSync(
    at('bent.checkpoint'),
    old.replace(/\n(\d+)\n/, (_, size) => `\n${Number(size) - 1}\n`),
  );
  expect(await deed('log', 'consistency', 'bent.checkpoint')).toMatchObject({
    code: 2,
    text: expect.stringContaining('no valid signature'),
  });
  expect(await deed('log', 'consistency', 'report.txt')).toMatchObject({ code: 2 });
});

test('a bundle and a trusted root are made; of a forged case none is', async () => {
  expect(await deed('case', 'export', task, '-o', 'task.deed')).toMatchObject({ code: 0 });
  expect(await deed('trust', 'sigstore', '--trust', 'trust.txt')).toMatchObject({ code: 0 });
  expect(JSON.parse(readFileSync(at('trusted_root.json'), 'utf8')).tlogs).toHaveLength(1);
  expect(await deed('case', 'bundle', 'task.deed', '-o', 'bundle.json', '--key', 'key.pem')).toMatchObject({ code: 0 });
  expect(readFileSync(at('key.pem'), 'utf8')).toMatch(/^-----BEGIN PUBLIC KEY-----/);
  expect(JSON.parse(readFileSync(at('bundle.json'), 'utf8')).mediaType).toMatch(/bundle\.v0\.3/);
  const bent = readFileSync(at('task.deed'));
  bent.writeUInt8(bent.readUInt8(200) ^ 1, 200);
  writeFileSync(at('bent.deed'), bent);
  expect(await deed('case', 'bundle', 'bent.deed', '-o', 'bent.json')).toMatchObject({ code: 1 });
  expect(existsSync(at('bent.json'))).toBe(false);
});

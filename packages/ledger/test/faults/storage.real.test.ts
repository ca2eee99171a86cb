import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { openReadOnly } from '@deed/store';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { proves } from '../../../../tests/promises.ts';
import { readEntries } from '../../src/index.ts';
import { World } from '../world.ts';
import type { AppenderConfig } from './appender.ts';
import { aftermath, History } from './history.ts';
import { Appender } from './process.ts';
import { attach, mayTrace } from './strace.ts';

const traces = mayTrace();
if (!traces) console.warn('SKIPPED slow and failing disks: strace is absent or may not attach to processes here');
const mounts = mayMount();
if (!mounts) console.warn('SKIPPED full and read-only disks: this process may not mount a file system');

function mayMount(): boolean {
  const world = new World();
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'deed-test', world.root]).status === 0;
  if (mounted) execFileSync('umount', [world.root]);
  fs.rmSync(world.root, { recursive: true });
  return mounted;
}

let world: World;
let history: History;
let started: Appender[];
beforeEach(() => {
  world = new World();
  history = new History();
  started = [];
});
afterEach(async () => {
  for (const { child, ended } of started) {
    child.kill('SIGKILL');
    await ended;
  }
  await world.tidy();
});

/** A process that appends for as long as it can. */
function appender(config: Partial<AppenderConfig> = {}): Appender {
  const made = new Appender(world, history, { writers: 8, ...config });
  started.push(made);
  made.go();
  return made;
}

async function acknowledges(process: Appender, more: number): Promise<void> {
  const wanted = process.acknowledged + more;
  await process.until(() => process.acknowledged >= wanted);
}

async function afterwards(folder: string, what: string): Promise<void> {
  const { logKeys, signerPem } = world;
  await aftermath({ folder, logKeys, signerPem, witnesses: [] }, history, what);
}

describe('two writers on one folder', () => {
  test('the second is refused, also while the first is stopped, and the first never notices', async () => {
    proves('one-writer');
    const first = appender();
    await acknowledges(first, 50);
    const refused = async () => {
      const second = appender();
      expect(await second.ended).toEqual({ code: 1, signal: null });
      expect(second.stderr).toContain(`is in use by process ${first.child.pid}`);
      expect(second.acknowledged).toBe(0);
    };
    await refused();
    first.child.kill('SIGSTOP');
    await refused();
    first.child.kill('SIGCONT');
    await acknowledges(first, 50);
    first.child.kill('SIGSTOP');
    first.child.kill('SIGKILL');
    expect(await first.ended).toEqual({ code: null, signal: 'SIGKILL' });
    const third = appender({ entries: 10 });
    expect(await third.ended).toEqual({ code: 0, signal: null });
    await afterwards(world.folder, 'after two writers');
  });
});

describe.skipIf(!mounts)('a disk', () => {
  const mountpoint = () => join(world.root, 'mount');
  const mount = (...options: readonly string[]) =>
    execFileSync('mount', ['-t', 'tmpfs', '-o', options.join(), 'deed-test', mountpoint()]);
  const remount = (options: string) => execFileSync('mount', ['-o', `remount,${options}`, mountpoint()]);
  beforeEach(() => fs.mkdirSync(mountpoint()));
  afterEach(() => spawnSync('umount', [mountpoint()]));

  const threads = [
    { of: 'one thread', ownThreadFrom: Number.MAX_SAFE_INTEGER },
    { of: 'two', ownThreadFrom: 0 },
  ];
  test.each(threads)(
    'that is full ends the process ($of) and loses nothing; with room again the next start goes on',
    async ({ ownThreadFrom }) => {
      mount('size=3m');
      const folder = join(mountpoint(), 'data');
      const first = appender({ folder, writers: 40, ownThreadFrom });
      expect(await first.ended).toEqual({ code: 70, signal: null });
      expect(first.acknowledged).toBeGreaterThan(0);
      expect(first.stderr).toMatch(/full|ENOSPC/);
      // Still full: it may refuse to start or stop again, and must not lose or promise anything.
      const second = appender({ folder });
      const { code } = await second.ended;
      expect([1, 70]).toContain(code);
      remount('size=64m');
      await afterwards(folder, 'after a full disk');
    },
  );

  test('that is read-only is not written to: the start is refused, and later goes on', async () => {
    mount('size=64m');
    const folder = join(mountpoint(), 'data');
    expect(await appender({ folder, entries: 20 }).ended).toEqual({ code: 0, signal: null });
    remount('ro');
    const refused = appender({ folder });
    expect(await refused.ended).toEqual({ code: 1, signal: null });
    expect(refused.acknowledged).toBe(0);
    remount('rw');
    await afterwards(folder, 'after a read-only disk');
  });
});

describe.skipIf(!traces)('a disk under a running log', () => {
  test('that becomes read-only stops the process at its next write', async () => {
    const running = appender();
    await acknowledges(running, 50);
    await attach(running.child.pid, [
      '-e',
      'trace=pwrite64,link,rename,openat,unlink',
      '-e',
      'inject=pwrite64,link,rename,openat,unlink:error=EROFS',
    ]);
    expect(await running.ended).toEqual({ code: 70, signal: null });
    await afterwards(world.folder, 'after it became read-only');
  });

  test('that is slow makes every promise late and breaks none', async () => {
    const delayMs = 300;
    const entries = 5;
    const slow = appender({ writers: 1, entries: 400 });
    await acknowledges(slow, 10);
    const release = await attach(slow.child.pid, [
      '-e',
      'trace=fsync,fdatasync',
      '-e',
      `inject=fsync,fdatasync:delay_exit=${delayMs * 1000}`,
    ]);
    const from = performance.now();
    await acknowledges(slow, entries + 1);
    // The first of them may have been on its way already.
    expect(performance.now() - from).toBeGreaterThan(entries * delayMs);
    await release();
    expect(await slow.ended).toEqual({ code: 0, signal: null });
    await afterwards(world.folder, 'after a slow disk');
  });
});

describe('a clock', () => {
  test('that steps back by an hour while the log runs puts no statement before an earlier one', async () => {
    const running = appender({ writers: 4, entries: 40, clockStepMs: -3_600_000 });
    expect(await running.ended).toEqual({ code: 0, signal: null });
    const database = openReadOnly(world.folder);
    const times = readEntries(database, 0, 160).map(({ envelope }) => {
      const { predicate } = JSON.parse(Buffer.from(envelope.payload).toString('utf8'));
      return String(predicate.time);
    });
    database.close();
    expect(times.length).toBe(160);
    expect(times).toEqual([...times].sort());
    await afterwards(world.folder, 'after a step of the clock');
  });
});

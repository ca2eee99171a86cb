import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { judgeCheckpoint, parseTrust } from '@deed/evidence';
import { afterAll, beforeAll, expect, test } from 'vitest';

const deed = fileURLToPath(new URL('../../../bin/deed.mjs', import.meta.url));
const base = realpathSync(mkdtempSync(join(tmpdir(), 'deed-cli-witness-')));
const data = join(base, 'data');
const acme = join(base, 'acme');
const env = { ...process.env, XDG_RUNTIME_DIR: join(base, 'run') };
const children = new Set<ChildProcess>();

interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function run(...args: string[]): Promise<Said> {
  return new Promise((resolve) =>
    execFile(process.execPath, [deed, ...args], { env }, (error, out, err) =>
      resolve({ code: error ? Number(error.code) : 0, out, err }),
    ),
  );
}

async function json(...args: string[]) {
  const { code, out, err } = await run(...args, '--json');
  if (code !== 0) throw new Error(err);
  return JSON.parse(out);
}

/** Starts a command that goes on running; gives its first line of JSON, and what it says of errors. */
async function start(...args: string[]) {
  const child = spawn(process.execPath, [deed, ...args, '--with-parent', '--json'], { env });
  children.add(child);
  let err = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  const first = once(createInterface(child.stdout), 'line').then(([line]) => JSON.parse(line));
  return { child, first, err: () => err };
}

async function stop(child: ChildProcess): Promise<void> {
  children.delete(child);
  if (child.exitCode !== null) return;
  child.stdin?.end();
  await once(child, 'exit');
}

async function listed() {
  return json('log', 'witness', 'list', '--data', data);
}

async function until<T>(look: () => Promise<T>, holds: (value: T) => unknown): Promise<T> {
  for (;;) {
    const value = await look();
    if (holds(value)) return value;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

beforeAll(async () => {
  mkdirSync(env.XDG_RUNTIME_DIR, { mode: 0o700 });
  writeFileSync(join(base, 'passphrase'), 'test');
  const keys = ['--keys', join(base, 'keys'), '--witness', join(base, 'witness')];
  await json('init', '--data', data, ...keys, '--passphrase-file', join(base, 'passphrase'));
}, 120_000);
afterAll(async () => {
  await Promise.all([...children].map(stop));
  rmSync(base, { recursive: true });
}, 60_000);

test('a second operator’s witness is made, told of the log, added, asked, and named in the trust file', async () => {
  const { vkeys } = await json('log', 'witness', 'init', '--state', acme, '--name', 'acme.example/w1', '--ml-dsa-only');
  await json('log', 'witness', 'trust', '--state', acme, join(base, 'keys', 'trust.txt'));
  const witness = await start('log', 'witness', '--state', acme);
  const { url } = await witness.first;
  const added = await run('log', 'witness', 'add', 'acme', vkeys[0], url, '--data', data);
  expect(added).toMatchObject({ code: 0, out: expect.stringContaining('from the next start of deed up') });
  expect(await json('log', 'witness', 'quorum', 'all', '--data', data)).toMatchObject({ quorum: 'all of local, acme' });

  const up = await start('up', '--data', data);
  await up.first;
  const both = await until(listed, ({ witnesses }) => witnesses.every((one: Health) => one.health?.cosigned));
  expect(both).toMatchObject({ quorum: 'all of local, acme', inForce: { quorum: 'all of local, acme' } });
  const { trust } = await json('trust', 'show', '--data', data);
  const { note } = await json('log', 'checkpoint', '--data', data);
  const judged = judgeCheckpoint(note, parseTrust(trust));
  expect(judged).toMatchObject({ logKeysOk: true, quorumMet: true });
  expect(judged.witnesses.map(({ name }) => name).sort()).toEqual(['acme', 'local']);
  const accepted = await json('log', 'witness', 'trust', '--state', acme);
  expect(accepted.logs).toMatchObject([
    { origin: judged.checkpoint.origin, cosigned: { size: judged.checkpoint.size } },
  ]);

  // The rule changes at the next start, and the running server keeps the file.
  const refused = await run('log', 'witness', 'remove', 'acme', '--data', data);
  expect(refused).toMatchObject({ code: 1, err: expect.stringContaining('the quorum needs acme') });
  expect(await json('log', 'witness', 'quorum', 'local', '--data', data)).toMatchObject({
    quorum: 'local',
    inForce: { quorum: 'all of local, acme' },
  });
  await json('log', 'witness', 'quorum', 'all', '--data', data);

  // The local witness dies, and is there again.
  const pid = Number(readFileSync(join(base, 'witness', 'lock.pid'), 'utf8'));
  process.kill(pid, 'SIGKILL');
  await until(
    async () => readFileSync(join(base, 'witness', 'lock.pid'), 'utf8'),
    (text) => Number(text) !== pid,
  );
  expect(up.err()).toContain('the local witness ended (SIGKILL); it is started again');
  await stop(up.child);
  await stop(witness.child);
});

interface Health {
  readonly health: { readonly cosigned: unknown } | null;
}

test('with a witness of the quorum away deed up waits and says for whom, and the rule is changed when it is stopped', async () => {
  const up = await start('up', '--data', data);
  await until(
    async () => up.err(),
    (text) => text.includes('witness acme gives no usable answer'),
  );
  const locked = await run('log', 'witness', 'quorum', 'local', '--data', data);
  expect(locked).toMatchObject({ code: 1, err: expect.stringContaining('[not-ready]') });
  const ended = once(up.child, 'exit');
  process.kill(Number(readFileSync(join(data, 'lock.pid'), 'utf8')), 'SIGTERM');
  await ended;
  children.delete(up.child);
  await json('log', 'witness', 'quorum', 'local', '--data', data);
  const again = await start('up', '--data', data);
  await again.first;
  const { witnesses } = await until(listed, (now) => now.witnesses[1].health?.failed);
  expect(witnesses).toMatchObject([{ health: { answers: true } }, { name: 'acme', health: { answers: false } }]);
  await stop(again.child);
});

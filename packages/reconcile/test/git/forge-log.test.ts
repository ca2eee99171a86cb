import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFile, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RunningForge, startForge } from '../../../../examples/forge/start.ts';
import { type ForgeBatch, type ForgePosition, readForgeLog, startOfForgeLog } from '../../src/git/forge-log.ts';

const run = promisify(execFile);
const env = {
  PATH: process.env.PATH ?? '',
  HOME: '/nonexistent',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_TERMINAL_PROMPT: '0',
  GIT_AUTHOR_NAME: 'a',
  GIT_AUTHOR_EMAIL: 'a@b.invalid',
  GIT_COMMITTER_NAME: 'somebody_else',
  GIT_COMMITTER_EMAIL: 'a@b.invalid',
};

let root: string;
let dir: string;
let work: string;
let forge: RunningForge;
let at: ForgePosition = startOfForgeLog;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'deed-forge-log-'));
  dir = join(root, 'forge');
  work = join(root, 'work');
  forge = await startForge(dir);
  await forge.createRepository('service');
  await forge.putCredential('task_1', 'secret', ['service']);
  await run('git', ['init', '-q', '-b', 'main', '--template=', work], { env });
});
afterAll(async () => {
  await forge.stop();
  await rm(root, { recursive: true, force: true });
});

async function git(...args: string[]): Promise<string> {
  return (await run('git', args, { cwd: work, env })).stdout.trim();
}

async function commit(text: string): Promise<string> {
  await writeFile(join(work, 'a'), text);
  await git('add', 'a');
  await git('commit', '-q', '-m', text);
  return git('rev-parse', 'HEAD');
}

const as = (user: string, secret: string, repository = 'service') =>
  `${forge.url.replace('//', `//${user}:${secret}@`)}${repository}.git`;

/** Reads on from the last batch. An answered request may be noted a moment after its answer: read until `settled`. */
async function next(settled: (batch: ForgeBatch) => boolean = () => true): Promise<ForgeBatch> {
  for (;;) {
    const batch = await readForgeLog(dir, at);
    if (settled(batch)) {
      at = batch.to;
      return batch;
    }
    await forge.putCredential('unused', 'x', []);
  }
}

const events = (count: number) => (batch: ForgeBatch) => batch.events.length >= count;

test('a push is an event of the authenticated credential, and git own reflog agrees', async () => {
  const id = await commit('one');
  await git('push', '-q', as('task_1', 'secret'), 'main', 'main:copy');
  const batch = await next(events(2));
  expect(batch.problems).toEqual([]);
  expect(batch.events).toHaveLength(2);
  expect(batch.events[0]).toMatchObject({
    kind: 'push',
    credential: 'task_1',
    authenticated: true,
    repository: 'service',
    ref: 'refs/heads/main',
    old: '0'.repeat(40),
    new: id,
    status: 'ok',
    reflog: 'agrees',
    record: 'pushes',
  });
  expect(batch.events[0]?.requestId).toBe(batch.events[1]?.requestId);
  const line = (await readFile(join(dir, 'pushes.jsonl'))).subarray(0, batch.events[0]?.raw.length);
  expect(Buffer.from(batch.events[0]?.raw ?? []).equals(line)).toBe(true);
  const sha256 = createHash('sha256').update(line).digest('hex');
  expect(batch.events[0]).toMatchObject({ rawSha256: sha256, sourceEventId: `pushes:0:${sha256.slice(0, 16)}` });
  expect(batch.coverage).toContain('pushes');
});

test('reading on yields only what is new, and reading again the same ids', async () => {
  const before = at;
  expect((await next()).events).toEqual([]);
  const id = await commit('two');
  await git('push', '-q', as('task_1', 'secret'), 'main');
  const batch = await next(events(1));
  expect(batch.events).toMatchObject([{ ref: 'refs/heads/main', new: id, reflog: 'agrees' }]);
  const again = await readForgeLog(dir, before);
  expect(again.events.map((event) => event.sourceEventId)).toEqual(batch.events.map((event) => event.sourceEventId));
  const all = await readForgeLog(dir);
  expect(all.events).toHaveLength(3);
  expect(JSON.parse(JSON.stringify(batch.to))).toEqual(batch.to);
});

test('refusals carry the claimed credential; an anonymous probe is no event', async () => {
  await forge.putCredential('task_2', 'secret', []);
  const push = (url: string) => git('push', url, 'main').catch((error: Error) => error.message);
  await push(as('nobody', 'x'));
  await push(as('task_1', 'guess'));
  await push(as('task_2', 'secret'));
  await forge.revokeCredential('task_2');
  await push(as('task_2', 'secret'));
  expect((await fetch(`${forge.url}service.git/info/refs?service=git-receive-pack`)).status).toBe(401);
  const batch = await next(events(4));
  expect(
    batch.events.map(({ kind, credential, authenticated, reason, status }) => [
      kind,
      credential,
      authenticated,
      reason,
      status,
    ]),
  ).toEqual([
    ['refused-access', 'nobody', false, 'unknown', 'refused'],
    ['refused-access', 'task_1', false, 'wrong-secret', 'refused'],
    ['refused-access', 'task_2', true, 'repository', 'refused'],
    ['refused-access', 'task_2', false, 'revoked', 'refused'],
  ]);
});

test('a push that bypassed the hook is found in the reflog, once the watermark has passed it', async () => {
  const id = await commit('three');
  const bare = join(dir, 'repositories', 'service.git');
  await run('git', ['-C', bare, 'fetch', '-q', work, 'main'], { env });
  await run('git', ['-C', bare, 'update-ref', '-m', 'push', 'refs/heads/main', id], { env });
  const early = await readForgeLog(dir, at);
  expect(early.events).toEqual([]);
  // The forge's clock moves on with its requests: this one waits for no time but for the watermark to pass a second.
  const batch = await next(events(1));
  expect(batch.events).toMatchObject([{ record: 'reflog', kind: 'push', credential: null, new: id, requestId: null }]);
  expect((batch.watermark ?? '') > (batch.events[0]?.time ?? '')).toBe(true);
  expect((await next()).events).toEqual([]);
});

test('a hook record that git does not confirm says so, and a deleted ref takes its reflog along', async () => {
  const line = {
    time: '2026-01-01T00:00:00Z',
    requestId: 'r',
    user: 'task_1',
    repository: 'service',
    ref: 'refs/heads/main',
  };
  await appendFile(
    join(dir, 'pushes.jsonl'),
    `${JSON.stringify({ ...line, old: '1'.repeat(40), new: '2'.repeat(40) })}\n`,
  );
  expect((await next(events(1))).events).toMatchObject([{ reflog: 'absent', time: '2026-01-01T00:00:00.000Z' }]);
  await git('push', '-q', as('task_1', 'secret'), ':copy');
  const batch = await next(events(1));
  expect(batch.events).toMatchObject([{ ref: 'refs/heads/copy', new: '0'.repeat(40), reflog: 'absent' }]);
  expect(batch.problems).toEqual([]);
});

test('the watermark stays before a request that is still under way', async () => {
  const folder = join(root, 'by-hand');
  await run('mkdir', [folder]);
  const access = { requestId: 'r', repository: null, claimed: null, user: null, reason: null, status: 200 };
  const lines = [
    { time: '2026-01-01T00:00:01.000Z', open: null, ...access },
    { time: '2026-01-01T00:00:09.000Z', open: '2026-01-01T00:00:05.000Z', ...access },
  ];
  await writeFile(join(folder, 'access.jsonl'), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  expect((await readForgeLog(folder)).watermark).toBe('2026-01-01T00:00:05.000Z');
  expect((await readForgeLog(join(root, 'nothing'))).watermark).toBe(null);
});

test('an unfinished line waits, a line that is no record is a problem and not the end', async () => {
  const path = join(dir, 'pushes.jsonl');
  await appendFile(path, 'not json\n{"time":"2026-01-01T00:00:00Z","requestId":null,"user":null,');
  const first = await next();
  expect(first.events).toEqual([]);
  expect(first.problems).toEqual([
    expect.stringMatching(/^pushes.jsonl ends inside a line/),
    expect.stringMatching(/^pushes.jsonl at byte \d+: /),
  ]);
  await appendFile(
    path,
    `"repository":"service","ref":"refs/heads/x","old":"${'1'.repeat(40)}","new":"${'2'.repeat(40)}"}\n`,
  );
  const second = await next();
  expect(second.events).toMatchObject([{ ref: 'refs/heads/x', credential: null, authenticated: false }]);
  expect(second.problems).toEqual([]);
});

test('a log that shrank, or whose past was changed, is a problem each time and yields nothing', async () => {
  const path = join(dir, 'pushes.jsonl');
  const whole = await readFile(path);
  await writeFile(path, Buffer.from(whole.toString('latin1').replace('task_1', 'task_9'), 'latin1'));
  for (let i = 0; i < 2; i++) {
    const batch = await next();
    expect(batch.problems).toEqual([expect.stringContaining('pushes.jsonl shrank or its past was changed')]);
    expect(batch.events.filter((event) => event.record === 'pushes')).toEqual([]);
  }
  await truncate(path, 10);
  expect((await next()).problems).toHaveLength(1);
  await writeFile(path, whole);
  expect((await next()).problems).toEqual([]);
});

import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RunningForge, startForge } from './start.ts';

const run = promisify(execFile);
const env = {
  PATH: process.env.PATH ?? '',
  HOME: '/nonexistent',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_TERMINAL_PROMPT: '0',
  GIT_AUTHOR_NAME: 'a',
  GIT_AUTHOR_EMAIL: 'a@b.invalid',
  GIT_COMMITTER_NAME: 'a',
  GIT_COMMITTER_EMAIL: 'a@b.invalid',
};
const secret = 'the-secret-of-task-1';
const basic = `Basic ${Buffer.from(`task_1:${secret}`).toString('base64')}`;

let root: string;
let dir: string;
let work: string;
let forge: RunningForge;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'deed-forge-'));
  dir = join(root, 'forge');
  work = join(root, 'work');
  forge = await startForge(dir);
  await forge.createRepository('service');
  await forge.putCredential('task_1', secret, ['service']);
  await run('git', ['init', '-q', '-b', 'main', '--template=', work], { env });
  await writeFile(join(work, 'a'), 'a\n');
  await git('add', 'a');
  await git('commit', '-q', '-m', 'one');
});
afterAll(async () => {
  await forge.stop();
  await rm(root, { recursive: true, force: true });
});

async function git(...args: string[]): Promise<string> {
  return (await run('git', args, { cwd: work, env })).stdout.trim();
}

function post(
  body: Uint8Array,
  headers: Record<string, string>,
): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const url = `${forge.url}service.git/git-receive-pack`;
    const type = 'application/x-git-receive-pack-request';
    const out = request(
      url,
      { method: 'POST', agent: false, headers: { 'content-type': type, ...headers } },
      async (answer) => {
        let text = '';
        for await (const chunk of answer) text += String(chunk);
        resolve({ status: answer.statusCode ?? 0, text });
      },
    );
    out.on('error', reject);
    for (let at = 0; at < body.length; at += 50) out.write(body.subarray(at, at + 50));
    out.end();
  });
}

test('a gzip body in chunks is a push like any other', async () => {
  const tip = await git('rev-parse', 'HEAD');
  const command = `${'0'.repeat(40)} ${tip} refs/heads/zipped\0report-status`;
  const { stdout: pack } = await run(
    'sh',
    ['-c', 'git rev-list --objects HEAD | cut -d" " -f1 | git pack-objects -q --stdout'],
    {
      cwd: work,
      env,
      encoding: 'buffer',
    },
  );
  const head = `${(command.length + 4).toString(16).padStart(4, '0')}${command}0000`;
  const body = gzipSync(Buffer.concat([Buffer.from(head), pack]));
  const answer = await post(body, { authorization: basic, 'content-encoding': 'gzip' });
  expect(answer.status).toBe(200);
  expect(answer.text).toContain('ok refs/heads/zipped');
  expect(await readFile(join(dir, 'pushes.jsonl'), 'utf8')).toContain(`"ref":"refs/heads/zipped"`);
});

test('bytes that are no push end in an answer, not in a dead server', async () => {
  const answer = await post(Buffer.from('this is not git'), { authorization: basic });
  expect(answer.text).not.toContain('ok ');
  expect((await post(Buffer.from('0000'), { authorization: basic })).status).toBe(200);
  expect((await post(Buffer.from('0000'), {})).status).toBe(401);
});

test('a ref whose name would need escaping in the log is refused', async () => {
  const url = forge.url.replace('//', `//task_1:${secret}@`);
  const error = await git('push', `${url}service.git`, 'main:refs/heads/a"b').catch((cause: Error) => cause.message);
  expect(error).toContain('pre-receive hook declined');
});

test('the admin interface needs its token, takes plain names only, and no secret is ever logged', async () => {
  const create = (token: string) =>
    fetch(`${forge.url}admin/repositories`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      body: '{"name":"stolen"}',
    });
  expect((await create('guess')).status).toBe(401);
  await expect(forge.createRepository('service')).rejects.toThrow('409');
  await expect(forge.createRepository('../service')).rejects.toThrow('400');
  await expect(forge.putCredential('a%2fb', 'x', [])).rejects.toThrow('400');
  await expect(forge.revokeCredential('nobody')).rejects.toThrow('404');
  const log = await readFile(join(dir, 'access.jsonl'), 'utf8');
  expect(log).toContain('"status":409');
  for (const hidden of [secret, basic.slice(6), 'Bearer']) expect(log).not.toContain(hidden);
});

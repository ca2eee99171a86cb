import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { proves } from '../../../../tests/promises.ts';
import { pkt, post, rawGet } from './wire.ts';
import { makeWorld, type World, zeros } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await makeWorld();
});
afterAll(() => world.end());

const main = 'refs/heads/main';

describe('a push through the relay', () => {
  test('passes when it is exactly what was approved, and reports the forge own words', async () => {
    const old = await world.atForge(main);
    const next = await world.commit('a.txt', 'a\n');
    const { git, report } = await world.approved([{ ref: main, old, new: next }], 'origin', 'main');
    expect(git.code).toBe(0);
    expect(report).toMatchObject({
      repository: 'service',
      unpack: 'ok',
      httpStatus: 200,
      updates: [{ ref: main, old, new: next, status: 'ok' }],
    });
    expect(await world.atForge(main)).toBe(next);
    const pushes = await world.forgeLog('pushes');
    expect(pushes.at(-1)).toMatchObject({ requestId: report.requestId, user: 'task_1', ref: main, old, new: next });
  });

  test('is refused without an approval, and nothing arrives', async () => {
    const old = await world.atForge(main);
    const tip = await world.commit('b.txt', 'b\n');
    const git = await world.git('push', 'origin', 'main');
    expect(git.code).not.toBe(0);
    expect(git.err).toContain('403');
    expect(await world.atForge(main)).toBe(old);
    const why = 'no approval is open for it';
    expect(world.refused.at(-1)).toEqual({ repository: 'service', updates: [{ ref: main, old, new: tip }], why });
  });

  test('is refused when the commit was swapped after the approval', async () => {
    proves('invariant-7');
    const old = await world.atForge(main);
    const shown = await world.head();
    await world.commit('swapped.txt', 'evil\n');
    const { git, report } = await world.approved([{ ref: main, old, new: shown }], 'origin', 'main');
    expect(git.err).toContain('403');
    expect(report.updates[0]).toMatchObject({ status: 'not-sent', message: expect.stringContaining('moves to') });
    expect(await world.atForge(main)).toBe(old);
  });

  test('is refused when another ref, one more or one less is pushed, or another repository', async () => {
    proves('invariant-7');
    const old = await world.atForge(main);
    const tip = await world.head();
    const other = { ref: 'refs/heads/other', old: zeros, new: tip };
    const allowed = { ref: main, old, new: tip };
    const more = await world.approved([allowed], 'origin', 'main', 'main:other');
    const less = await world.approved([allowed, other], 'origin', 'main');
    const wrong = await world.approved([other], 'origin', 'main');
    const elsewhere = await world.approved([{ ...allowed, old: zeros }], `${world.forge.url}other.git`, 'main');
    for (const { git, report } of [more, less, wrong, elsewhere]) {
      expect(git.code).not.toBe(0);
      expect(report.updates.every((update) => update.status === 'not-sent')).toBe(true);
    }
    expect(elsewhere.report.updates[0]?.message).toContain('repository other');
    expect(await world.atForge(main)).toBe(old);
    expect(await world.atForge('refs/heads/other')).toBe(zeros);
    expect(await world.atForge(main, 'other')).toBe(zeros);
  });

  test('uses its approval up, also when it differed', async () => {
    proves('invariant-7');
    const old = await world.atForge(main);
    const tip = await world.head();
    const window = world.session.allow({ repository: 'service', updates: [{ ref: main, old, new: tip }] });
    expect((await world.git('push', 'origin', 'main:elsewhere')).code).not.toBe(0);
    expect((await world.git('push', 'origin', 'main')).code).not.toBe(0);
    expect((await window.result).updates[0]?.status).toBe('not-sent');

    const again = await world.approved([{ ref: main, old, new: tip }], 'origin', 'main');
    expect(again.report.updates[0]?.status).toBe('ok');
    await world.commit('second.txt', '2\n');
    expect((await world.git('push', 'origin', 'main')).err).toContain('403');
    expect(await world.atForge(main)).toBe(tip);
  });

  test('cannot rewrite history by "+main" under an approval of a fast-forward', async () => {
    proves('invariant-7');
    const old = await world.atForge(main);
    const forward = await world.head();
    await world.git('commit', '-q', '--amend', '-m', 'rewritten');
    await world.git('reset', '-q', '--hard', `${old}~1`);
    await world.commit('rewrite.txt', 'r\n');
    const { git, report } = await world.approved([{ ref: main, old, new: forward }], 'origin', '+main');
    expect(git.err).toContain('403');
    expect(report.updates[0]?.status).toBe('not-sent');
    expect(await world.atForge(main)).toBe(old);
    await world.git('reset', '-q', '--hard', forward);
  });

  test('that the forge rejects is reported with its reason', async () => {
    const tip = await world.head();
    const ref = "refs/heads/odd'name";
    const { git, report } = await world.approved([{ ref, old: zeros, new: tip }], 'origin', `main:${ref}`);
    expect(git.code).not.toBe(0);
    expect(report).toMatchObject({
      unpack: 'ok',
      updates: [{ status: 'rejected', message: 'pre-receive hook declined' }],
    });
  });

  test('larger than a post buffer goes chunked, after a probe that uses nothing up', async () => {
    const old = await world.atForge(main);
    await writeFile(join(world.work, 'big.bin'), randomBytes(4_000_000));
    await world.git('add', 'big.bin');
    await world.git('commit', '-q', '-m', 'big');
    const tip = await world.head();
    const { git, report } = await world.approved([{ ref: main, old, new: tip }], 'origin', 'main');
    expect(git.code).toBe(0);
    expect(report.updates[0]?.status).toBe('ok');
    expect(await world.atForge(main)).toBe(tip);
  });

  test('two windows cannot be open at once, and an aborted one allows nothing', async () => {
    const old = await world.atForge(main);
    const tip = await world.commit('late.txt', 'late\n');
    const abort = new AbortController();
    const push = { repository: 'service', updates: [{ ref: main, old, new: tip }] };
    const window = world.session.allow(push, abort.signal);
    expect(() => world.session.allow(push)).toThrow(expect.objectContaining({ code: 'window' }));
    abort.abort();
    expect((await window.result).updates[0]?.status).toBe('not-sent');
    expect((await world.git('push', 'origin', 'main')).err).toContain('403');
    expect(await world.atForge(main)).toBe(old);
  });
});

describe('reads', () => {
  test('pass: fetch, clone and a gzip request', async () => {
    expect((await world.git('fetch', 'origin')).code).toBe(0);
    const clone = join(world.dir, 'clone');
    expect((await world.git('clone', '-q', `${world.forge.url}service.git`, clone)).code).toBe(0);
    expect(await readFile(join(clone, 'README'), 'utf8')).toBe('one\n');
    const tip = await world.atForge(main);
    const body = gzipSync(`${pkt(`want ${tip} no-progress\n`)}0000${pkt('done\n')}`);
    const answer = await post(`${world.session.baseUrl}service.git/git-upload-pack`, body, {
      'content-type': 'application/x-git-upload-pack-request',
      'content-encoding': 'gzip',
    });
    expect(answer.status).toBe(200);
    expect(answer.text).toContain('PACK');
  });

  test('other paths, methods and unguessed sessions are not served', async () => {
    const { baseUrl } = world.session;
    const guess = new URL(`/${'A'.repeat(43)}/service.git/git-upload-pack`, baseUrl).href;
    expect((await post(guess, new Uint8Array())).status).toBe(404);
    const get = (path: string) => rawGet(baseUrl, new URL(baseUrl).pathname + path);
    expect(await get('service.git/info/refs?service=git-upload-pack')).toBe(200);
    expect(await get('service.git/HEAD')).toBe(404);
    expect(await get('service.git/info/refs')).toBe(404);
    expect(await get('x/../service.git/info/refs?service=git-upload-pack')).toBe(404);
    expect(await get('x/%2e%2e/service.git/info/refs?service=git-upload-pack')).toBe(404);
    expect(await get('admin/repositories')).toBe(404);
    expect(await get('service.git/git-receive-pack')).toBe(405);
  });
});

describe('hostile bytes', () => {
  const malformed: readonly (readonly [name: string, body: string])[] = [
    ['no length', 'hello'],
    ['a length of 3', '0003'],
    ['an end inside the commands', pkt(`${zeros} ${'1'.repeat(40)} refs/heads/x\0report-status`)],
    ['a command that is none', `${pkt('delete everything')}0000`],
    ['a shallow line', `${pkt(`shallow ${'1'.repeat(40)}`)}0000`],
    ['bytes after an empty command list', '0000PACK'],
    [
      'one ref twice',
      `${pkt(`${zeros} ${'1'.repeat(40)} refs/heads/x\0x`)}${pkt(`${zeros} ${'2'.repeat(40)} refs/heads/x`)}0000`,
    ],
  ];
  test.each(malformed)('%s is refused and never reaches the forge', async (_name, body) => {
    const pushes = async () =>
      (await world.forgeLog('access')).filter((line) => line.service === 'git-receive-pack').length;
    const before = await pushes();
    const answer = await post(`${world.session.baseUrl}service.git/git-receive-pack`, Buffer.from(body));
    expect(answer.status).toBe(400);
    expect(await pushes()).toBe(before);
  });

  test('an encoded push is refused, because it could not be compared', async () => {
    const body = gzipSync('0000');
    const answer = await post(`${world.session.baseUrl}service.git/git-receive-pack`, body, {
      'content-encoding': 'gzip',
    });
    expect(answer.status).toBe(415);
  });
});

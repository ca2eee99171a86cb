import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { proves } from '../../../../tests/promises.ts';
import { GitRelay } from '../../src/git/relay.ts';
import { makeWorld, secret, type World, zeros } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await makeWorld();
});
afterAll(() => world.end());

const main = 'refs/heads/main';

interface Answer {
  readonly status: number;
  readonly text: string;
}

function post(url: string, body: Uint8Array, headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const out = httpRequest(url, { method: 'POST', headers, agent: false }, async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
      resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() });
    });
    out.on('error', reject).end(body);
  });
}

/** Whether the slot is free again: it is, as soon as a push has taken the window. */
function windowTaken(old: string, tip: string): boolean {
  try {
    world.session.allow({ repository: 'service', updates: [{ ref: main, old, new: tip }] }).close();
    return true;
  } catch {
    return false;
  }
}

/** The status of a GET whose path is sent as it is: URL would tidy it up first. */
function rawGet(baseUrl: string, path: string): Promise<number> {
  const { hostname, port } = new URL(baseUrl);
  return new Promise((resolve, reject) => {
    const out = httpRequest({ hostname, port, path, agent: false }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0));
    });
    out.on('error', reject).end();
  });
}

function pkt(text: string): string {
  return (text.length + 4).toString(16).padStart(4, '0') + text;
}

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

describe('the credential', () => {
  test('is nowhere in what a tool process and what git starts can see', async () => {
    proves('credential-hidden');
    const spy = join(world.dir, 'spy');
    const seen = join(world.dir, 'seen');
    // Runs as the agent's code would: a filter and a hook that print their environment and that of their ancestors.
    await writeFile(
      spy,
      `#!/bin/sh\n{ env; p=$$; while [ "$p" -gt 1 ] && [ "$p" != ${process.pid} ]; do cat /proc/$p/environ /proc/$p/cmdline; ` +
        `p=$(sed 's/.*) . \\([0-9]*\\) .*/\\1/' /proc/$p/stat); done; git config --list; echo END; } >>${seen} 2>/dev/null\ncat\n`,
    );
    await chmod(spy, 0o755);
    await world.git('config', 'filter.spy.clean', spy);
    await world.git('config', 'core.hooksPath', world.dir);
    await writeFile(join(world.dir, 'pre-push'), `#!/bin/sh\n${spy} </dev/null\necho HOOK >>${seen}\n`);
    await chmod(join(world.dir, 'pre-push'), 0o755);
    await writeFile(join(world.work, '.gitattributes'), '*.secret filter=spy\n');
    const old = await world.atForge(main);
    const tip = await world.commit('x.secret', 'x\n');
    const { report } = await world.approved([{ ref: main, old, new: tip }], 'origin', 'main');
    expect(report.updates[0]?.status).toBe('ok');
    const text = await readFile(seen, 'latin1');
    expect(text).toContain('END');
    expect(text).not.toContain('HOOK');
    for (const form of [secret, Buffer.from(`task_1:${secret}`).toString('base64'), digest(secret)]) {
      expect(text).not.toContain(form);
      expect(JSON.stringify(world.session)).not.toContain(form);
    }
  });

  test('does not reach a proxy, a redirect or another server of the repository own configuration', async () => {
    proves('credential-hidden');
    const requests: unknown[] = [];
    const proxy = createServer((request, response) => {
      requests.push(request.headers);
      response.writeHead(502).end();
    });
    await once(proxy.listen(0, '127.0.0.1'), 'listening');
    const at = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}/`;
    await world.git('config', 'http.proxy', at);
    await world.git('config', `http.${world.session.baseUrl}service.git.proxy`, at);
    expect((await world.git('fetch', 'origin')).code).toBe(0);
    expect(requests).toEqual([]);
    await world.git('config', `url.${at}.insteadOf`, `${world.forge.url}service.git`);
    expect((await world.git('fetch', 'origin')).code).not.toBe(0);
    expect(JSON.stringify(requests)).not.toMatch(/authorization/i);
    await world.git('config', '--unset-all', `url.${at}.insteadOf`);
    await world.git('config', '--unset-all', 'http.proxy');
    proxy.close();
  });

  test('no other protocol leads around the relay', async () => {
    const bare = join(world.dir, 'forge', 'repositories', 'service.git');
    const git = await world.git('push', bare, 'main:around');
    expect(git.err).toContain("transport 'file' not allowed");
    expect(await world.atForge('refs/heads/around')).toBe(zeros);
  });

  test('once revoked opens nothing, and the forge notes who tried', async () => {
    await world.forge.putCredential('task_2', 'short-lived', ['service']);
    const session = world.relay.open({
      forgeUrl: world.forge.url,
      credential: { id: 'task_2', secret: 'short-lived' },
    });
    expect((await session.refs('service')).size).toBeGreaterThan(0);
    await world.forge.revokeCredential('task_2');
    const old = await world.atForge(main);
    const tip = await world.head();
    const window = session.allow({ repository: 'service', updates: [{ ref: main, old: zeros, new: tip }] });
    const body = Buffer.from(`${pkt(`${zeros} ${tip} ${main}\0report-status`)}0000PACK`);
    const answer = await post(`${session.baseUrl}service.git/git-receive-pack`, body);
    expect(answer).toMatchObject({ status: 403, text: expect.stringContaining('refused the credential') });
    const report = await window.result;
    expect(report).toMatchObject({ httpStatus: 401, updates: [{ status: 'rejected' }] });
    await expect(session.refs('service')).rejects.toMatchObject({ code: 'git' });
    // The forge notes a request when it has completely ended, which may be a moment after its answer.
    const noted = async () => (await world.forgeLog('access')).filter((line) => line.requestId === report.requestId);
    await expect.poll(noted).toMatchObject([{ claimed: 'task_2', user: null, reason: 'revoked', status: 401 }]);
    expect(await world.atForge(main)).toBe(old);
    session.close();
    expect((await post(`${session.baseUrl}service.git/git-receive-pack`, body)).status).toBe(404);
    expect(() => session.allow({ repository: 'service', updates: [] })).toThrow(
      expect.objectContaining({ code: 'session' }),
    );
  });

  test('does not leave this machine in clear', () => {
    const open = (forgeUrl: string) => () => world.relay.open({ forgeUrl, credential: { id: 'a', secret } });
    expect(open('http://forge.example/')).toThrow(expect.objectContaining({ code: 'session' }));
    expect(open('http://user:pass@127.0.0.1/')).toThrow(expect.objectContaining({ code: 'session' }));
    expect(open('ftp://127.0.0.1/')).toThrow(expect.objectContaining({ code: 'session' }));
  });
});

describe('a forge that dies or misbehaves', () => {
  test('in the middle of a push leaves every ref unknown', async () => {
    proves('unknown-outcome');
    const mine = await makeWorld();
    const fifo = (name: string) => join(mine.dir, name);
    execFileSync('mkfifo', [fifo('in'), fifo('go')]);
    const hook = join(mine.dir, 'forge', 'repositories', 'service.git', 'hooks', 'pre-receive');
    await writeFile(hook, `#!/bin/sh\necho in >${fifo('in')}\ncat ${fifo('go')} >/dev/null\nexit 1\n`);
    const old = await mine.atForge(main);
    const tip = await mine.commit('c.txt', 'c\n');
    const pushing = mine.approved([{ ref: main, old, new: tip }], 'origin', 'main');
    await readFile(fifo('in'));
    await mine.forge.stop('SIGKILL');
    const { git, report } = await pushing;
    await writeFile(fifo('go'), '');
    expect(git.code).not.toBe(0);
    expect(report).toMatchObject({ unpack: null, updates: [{ ref: main, status: 'unknown' }] });
    await mine.end();
  });

  test('is not hidden by a tool that goes away in the middle of its push', async () => {
    const old = await world.atForge(main);
    const tip = await world.commit('gone.txt', 'gone\n');
    const window = world.session.allow({ repository: 'service', updates: [{ ref: main, old, new: tip }] });
    const out = httpRequest(`${world.session.baseUrl}service.git/git-receive-pack`, {
      method: 'POST',
      agent: false,
      headers: { 'content-type': 'application/x-git-receive-pack-request' },
    });
    out.on('error', () => {});
    out.write(`${pkt(`${old} ${tip} ${main}\0report-status`)}0000PACK`);
    // The window is taken once the commands were read, and only then does the tool vanish.
    await expect.poll(() => windowTaken(old, tip)).toBe(true);
    out.destroy();
    expect((await window.result).updates[0]?.status).toBe('unknown');
    expect(await world.atForge(main)).toBe(old);
  });

  test('a relay that closes settles its open window', async () => {
    const relay = await GitRelay.start();
    const session = relay.open({ forgeUrl: world.forge.url, credential: { id: 'task_1', secret } });
    const updates = [{ ref: main, old: zeros, new: '1'.repeat(40) }];
    const window = session.allow({ repository: 'service', updates });
    await relay.close();
    expect((await window.result).updates[0]?.status).toBe('not-sent');
    await expect(session.refs('service')).rejects.toMatchObject({ code: 'session' });
  });

  test('with a redirect is not followed, and a false or cut report is unknown', async () => {
    const tip = '1'.repeat(40);
    const inner = `${pkt('unpack ok\n')}${pkt(`ok ${main}\n`)}${pkt(`option new-oid ${'2'.repeat(40)}\n`)}0000`;
    const answers: readonly (readonly [status: number, body: string])[] = [
      [302, ''],
      [200, pkt('unpack ok\n')],
      [200, inner],
      [200, `${pkt('unpack ok\n')}${pkt('ok refs/heads/else\n')}0000`],
      [500, ''],
    ];
    let turn = 0;
    const requests: string[] = [];
    const forge = createServer((request, response) => {
      requests.push(request.url ?? '');
      const [status, body] = answers[turn++] ?? [500, ''];
      request.resume().on('end', () => response.writeHead(status, { location: '/elsewhere' }).end(body));
    });
    await once(forge.listen(0, '127.0.0.1'), 'listening');
    const relay = await GitRelay.start();
    const forgeUrl = `http://127.0.0.1:${(forge.address() as AddressInfo).port}/`;
    const session = relay.open({ forgeUrl, credential: { id: 'a', secret } });
    const body = Buffer.from(`${pkt(`${zeros} ${tip} ${main}\0report-status-v2`)}0000PACK`);
    for (const _ of answers) {
      const window = session.allow({ repository: 'r', updates: [{ ref: main, old: zeros, new: tip }] });
      const answer = await post(`${session.baseUrl}r.git/git-receive-pack`, body);
      expect([200, 500, 502]).toContain(answer.status);
      expect((await window.result).updates[0]?.status).toBe('unknown');
    }
    expect(new Set(requests)).toEqual(new Set(['/r.git/git-receive-pack']));
    await relay.close();
    forge.close();
  });
});

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

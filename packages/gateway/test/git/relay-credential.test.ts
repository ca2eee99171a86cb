import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { proves } from '../../../../tests/promises.ts';
import { pkt, post } from './wire.ts';
import { makeWorld, secret, type World, zeros } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await makeWorld();
});
afterAll(() => world.end());

const main = 'refs/heads/main';

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

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { proves } from '../../../../tests/promises.ts';
import { GitRelay } from '../../src/git/relay.ts';
import { pkt, post } from './wire.ts';
import { makeWorld, secret, type World, zeros } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await makeWorld();
});
afterAll(() => world.end());

const main = 'refs/heads/main';

/** Whether the slot is free again: it is, as soon as a push has taken the window. */
function windowTaken(old: string, tip: string): boolean {
  try {
    world.session.allow({ repository: 'service', updates: [{ ref: main, old, new: tip }] }).close();
    return true;
  } catch {
    return false;
  }
}

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

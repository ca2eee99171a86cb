import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { proves } from '../../../tests/promises.ts';
import { type Ledger, leafOf } from '../src/index.ts';
import { walkLog } from './tile-client.ts';
import { draft, World } from './world.ts';

let world: World;
let ledger: Ledger;
beforeAll(async () => {
  world = new World();
  ledger = await world.ledger();
});
afterAll(() => world.tidy());

/** A web server that knows nothing of logs: it sends the file of that path, or 404. */
async function plainHost(folder: string): Promise<string> {
  const server = createServer((request, response) => {
    const path = join(folder, decodeURIComponent(request.url ?? ''));
    if (!statSync(path, { throwIfNoEntry: false })?.isFile()) return response.writeHead(404).end();
    createReadStream(path).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  world.closing({ close: () => new Promise((resolve) => server.close(() => resolve()).closeAllConnections()) });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('the folder of the log is a whole log on any static host, at every size that was published', async () => {
  proves('log-is-static');
  const keys = world.logKeys.signers.map(({ key }) => key);
  const host = await plainHost(ledger.logFolder);
  const published: number[] = [];
  let n = 0;
  for (const step of [1, 1, 5, 248, 1, 1, 3]) {
    await Promise.all(Array.from({ length: step }, () => ledger.record(draft('deployment', n++)).durable));
    published.push((await ledger.published(n - 1)).size);
    const walked = await walkLog(host, keys);
    expect(walked.checkpoint.size).toBe(n);
    expect(walked.entries.map((entry) => Buffer.from(entry).toString('hex'))).toEqual(
      Array.from({ length: n }, (_, i) => entryHex(i)),
    );
  }
  expect(published).toEqual([1, 2, 7, 255, 256, 257, 260]);
  expect((await walkLog(host, keys)).paths).toEqual([
    'checkpoint',
    'tile/entries/000',
    'tile/entries/001.p/4',
    'tile/0/000',
    'tile/0/001.p/4',
    'tile/1/000.p/1',
  ]);
  // What a client with an earlier checkpoint needs is there until its tile is full.
  const status = async (path: string) => (await fetch(`${host}/${path}`)).status;
  for (const path of ['tile/0/001.p/1', 'tile/entries/001.p/1', 'tile/0/001.p/4', 'tile/1/000.p/1']) {
    expect(await status(path), path).toBe(200);
  }
  for (const path of ['tile/0/000.p/255', 'tile/0/001', 'tile/2/000.p/1', 'tile/0/001.p/5']) {
    expect(await status(path), path).toBe(404);
  }
});

function entryHex(index: number): string {
  const entry = ledger.entry(index);
  if (!entry) throw new Error(`no entry ${index}`);
  return Buffer.from(leafOf(entry)).toString('hex');
}

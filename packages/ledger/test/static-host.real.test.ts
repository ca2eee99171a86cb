import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TileFolder } from '../src/index.ts';
import { TileTree } from '../src/tile-tree.ts';
import { walkLog } from './tile-client.ts';
import { draft, World } from './world.ts';

const nginx = ['nginx', '/usr/sbin/nginx'].find((program) => spawnSync(program, ['-v']).status === 0);
if (!nginx) console.warn('SKIPPED the log served by nginx: nginx is not installed');

let world: World;
beforeAll(() => {
  world = new World();
});
afterAll(() => world.tidy());

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

test.skipIf(!nginx)('nginx serves the folder of the log as it stands', async () => {
  const ledger = await world.ledger();
  await Promise.all(Array.from({ length: 300 }, (_, n) => ledger.record(draft('deployment', n)).durable));
  await ledger.published(299);
  const base = join(world.root, 'nginx');
  mkdirSync(base);
  const port = await freePort();
  const config = join(base, 'nginx.conf');
  // The server block is the one of docs/guides/publish-the-log.md.
  writeFileSync(
    config,
    `daemon off; pid ${base}/pid; error_log stderr;
${process.getuid?.() === 0 ? 'user root;' : ''}
events {}
http {
  access_log off;
  client_body_temp_path ${base}/body; proxy_temp_path ${base}/proxy; fastcgi_temp_path ${base}/fastcgi;
  uwsgi_temp_path ${base}/uwsgi; scgi_temp_path ${base}/scgi;
  server {
    listen 127.0.0.1:${port};
    location = /log/checkpoint {
      alias ${ledger.logFolder}/checkpoint;
      default_type "text/plain; charset=utf-8";
      add_header Cache-Control no-cache;
    }
    location /log/tile/ {
      alias ${ledger.logFolder}/tile/;
      default_type application/octet-stream;
      disable_symlinks on;
      add_header Cache-Control "public, max-age=604800, immutable";
    }
  }
}
`,
  );
  const server = spawn(nginx ?? '', ['-c', config, '-p', base, '-e', 'stderr'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  world.closing({
    async close() {
      if (server.exitCode !== null) return;
      server.kill();
      await once(server, 'exit');
    },
  });
  const prefix = `http://127.0.0.1:${port}/log`;
  for (;;) {
    if (server.exitCode !== null) throw new Error('nginx ended');
    if (await fetch(prefix).catch(() => undefined)) break;
  }
  const walked = await walkLog(
    prefix,
    world.logKeys.signers.map(({ key }) => key),
  );
  expect(walked.checkpoint.size).toBe(300);
  const tile = await fetch(`${prefix}/tile/0/000`);
  expect(tile.headers.get('content-type')).toBe('application/octet-stream');
  expect(tile.headers.get('cache-control')).toContain('immutable');
  const checkpoint = await fetch(`${prefix}/checkpoint`);
  expect(checkpoint.headers.get('content-type')).toBe('text/plain; charset=utf-8');
  for (const path of ['tile/0/001', 'tile/0/../../../deed.db', 'lock.db']) {
    expect((await fetch(`${prefix}/${path}`)).status, path).toBe(404);
  }
});

test('a tree above 65,536 entries has tiles of level 2', () => {
  const folder = new TileFolder(join(world.root, 'large'));
  const tree = new TileTree(folder);
  const entry = Buffer.from('x');
  for (let i = 0; i < 65_536 + 257; i++) tree.append(entry);
  tree.writePartials();
  const hashes = (path: string) => (folder.read(path)?.length ?? 0) / 32;
  expect(hashes('tile/2/000.p/1')).toBe(1);
  expect(hashes('tile/1/000')).toBe(256);
  expect(hashes('tile/1/001.p/1')).toBe(1);
  expect(hashes('tile/0/256')).toBe(256);
  expect(hashes('tile/0/257.p/1')).toBe(1);
  expect(folder.read('tile/3/000.p/1')).toBeUndefined();
  // Equal entries: the only hash of level 2 is the root of the full tile below it.
  const again = new TileTree(folder);
  again.resume(tree.size, [entry]);
  expect(Buffer.from(again.view().root()).equals(tree.view().root())).toBe(true);
  expect(Buffer.from(tree.view().rootAt(65_536)).equals(folder.read('tile/2/000.p/1') ?? Buffer.alloc(0))).toBe(true);
});

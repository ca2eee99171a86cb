import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { parseTilePath, tilePath } from '../src/index.ts';
import { draft, World } from './world.ts';

const world = new World();
afterAll(() => world.tidy());

describe('the path of a tile', () => {
  test('has one spelling, for every level, index and width', () => {
    expect(tilePath({ level: 0, index: 1234067, width: 256 })).toBe('tile/0/x001/x234/067');
    expect(tilePath({ level: 'entries', index: 0, width: 1 })).toBe('tile/entries/000.p/1');
    fc.assert(
      fc.property(
        fc.oneof(fc.constant('entries' as const), fc.integer({ min: 0, max: 63 })),
        fc.nat({ max: Number.MAX_SAFE_INTEGER }),
        fc.integer({ min: 1, max: 256 }),
        (level, index, width) => {
          expect(parseTilePath(tilePath({ level, index, width }))).toEqual({ level, index, width });
        },
      ),
    );
  });

  test('is refused in every other spelling', () => {
    for (const path of [
      'tile/00/000',
      'tile/64/000',
      'tile/0/00',
      'tile/0/0000',
      'tile/0/x000/001',
      'tile/0/001/002',
      'tile/0/000.p/0',
      'tile/0/000.p/01',
      'tile/0/000.p/256',
      'tile/0/000.p',
      'tile/data/000',
      'tile/0/../0/000',
      'tile/0/000/',
      '/tile/0/000',
    ]) {
      expect(parseTilePath(path), path).toBeUndefined();
    }
  });
});

describe('the log over HTTP', () => {
  test('serves the checkpoint and tiles with their types and cache rules, and nothing else', async () => {
    const ledger = await world.ledger();
    await Promise.all(Array.from({ length: 260 }, (_, n) => ledger.record(draft('deployment', n)).durable));
    const { note } = await ledger.published(259);
    const get = (path: string, method = 'GET') => ledger.logResponse(method, path);
    const checkpoint = get('/log/checkpoint');
    expect(Buffer.from(checkpoint.body).toString()).toBe(note);
    expect(checkpoint.headers).toMatchObject({
      'content-type': 'text/plain; charset=utf-8',
      'cache-control': 'no-cache',
    });
    const tile = get('/log/tile/0/000');
    expect(tile).toMatchObject({ status: 200, headers: { 'content-type': 'application/octet-stream' } });
    expect(tile.headers['cache-control']).toContain('immutable');
    expect(tile.body.length).toBe(8192);
    expect(get('/log/tile/0/001.p/4').body.length).toBe(128);
    expect(get('/log/tile/0/000', 'HEAD').body.length).toBe(0);
    expect(get('/log/tile/0/000', 'POST').status).toBe(405);
    for (const path of [
      '/log/',
      '/log',
      '/log/tile/0/002',
      '/log/../deed.db',
      '/log/tile/0/001.p',
      '/log/tile',
      '/x',
    ]) {
      expect(get(path).status, path).toBe(404);
    }
  });

  test('has one path for each file: no other spelling, no query, no link, nothing beside it', async () => {
    const own = new World();
    const ledger = await own.ledger();
    await Promise.all(Array.from({ length: 257 }, (_, n) => ledger.record(draft('deployment', n)).durable));
    await ledger.published(256);
    const status = (path: string) => ledger.logResponse('GET', path).status;
    for (const path of ['/log/checkpoint', '/log/tile/0/000', '/log/tile/entries/001.p/1', '/log/tile/1/000.p/1']) {
      expect(status(path), path).toBe(200);
      for (const other of [
        `${path}?`,
        `${path}?a=b`,
        `${path}#a`,
        `${path}/`,
        `${path}%00`,
        `${path}\0`,
        `${path}.gz`,
        path.replace('/log/', '/log//'),
        path.replace('/log/', '/log/./'),
        path.replace('/log/', '/log/tile/../'),
        path.replace('/log/', '/log/%2e%2e/log/'),
        path.replace('/log/', '/LOG/'),
        path.replace('/log/', '//log/'),
        `http://localhost${path}`,
        path.replaceAll('/', '\\'),
        path.replace('c', '%63').replace('t', '%74'),
      ]) {
        expect(status(other), other).toBe(404);
      }
    }
    for (const path of [
      'tile/0/x000/000',
      'tile/0/0',
      'tile/00/000',
      'tile/0/001.p/0',
      'tile/0/001.p/256',
      'tile/0/001.p/01',
    ])
      expect(status(`/log/${path}`), path).toBe(404);

    // Whoever can write into the folder cannot have other files served by a link.
    const secret = join(own.root, 'secret');
    writeFileSync(secret, 'secret');
    const link = (path: string, target: string) => {
      rmSync(join(ledger.logFolder, path), { recursive: true, force: true });
      symlinkSync(target, join(ledger.logFolder, path));
    };
    link('tile/0/002', secret);
    link('tile/9', own.root);
    mkdirSync(join(own.root, '000.p'));
    writeFileSync(join(own.root, '000.p', '1'), 'secret');
    for (const path of ['tile/0/002', 'tile/9/000.p/1']) expect(status(`/log/${path}`), path).toBe(404);
    mkdirSync(join(ledger.logFolder, 'tile/0/003'));
    expect(status('/log/tile/0/003')).toBe(404);
    await own.tidy();
  });
});

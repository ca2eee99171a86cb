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
});

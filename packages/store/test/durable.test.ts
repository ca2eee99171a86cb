import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { createNew, makeFolder, openObjects, remove, replace, StoreError, shred, sweepTemps } from '../src/index.ts';

const root = fs.mkdtempSync(join(tmpdir(), 'deed-durable-'));
afterAll(() => fs.rmSync(root, { recursive: true }));
const code = (run: () => unknown) => {
  try {
    run();
  } catch (error) {
    return error instanceof StoreError ? error.code : error;
  }
  return 'nothing thrown';
};

describe('a durable write', () => {
  test('creates once, accepts the same bytes again, and never overwrites others', () => {
    const path = join(root, 'once');
    expect(createNew(path, Buffer.from('a'))).toBe('created');
    expect(createNew(path, Buffer.from('a'))).toBe('present');
    expect(code(() => createNew(path, Buffer.from('b')))).toBe('conflict');
    expect(fs.readFileSync(path, 'utf8')).toBe('a');
    expect(fs.statSync(path).mode & 0o777).toBe(0o600);
  });

  test('replaces whole files and leaves no temp behind', () => {
    const folder = join(root, 'replaced');
    makeFolder(folder);
    replace(join(folder, 'x'), Buffer.from('old'));
    replace(join(folder, 'x'), Buffer.from('new'), { mode: 0o644 });
    expect(fs.readFileSync(join(folder, 'x'), 'utf8')).toBe('new');
    expect(fs.readdirSync(folder)).toEqual(['x']);
    expect(remove(join(folder, 'x'))).toBe(true);
    expect(remove(join(folder, 'x'))).toBe(false);
  });

  test('shreds: what the file held is zero before its name goes, also under another name of it', () => {
    const path = join(root, 'secret');
    createNew(path, Buffer.from('a key'));
    fs.linkSync(path, join(root, 'other'));
    expect(shred(path)).toBe(true);
    expect(shred(path)).toBe(false);
    expect(fs.existsSync(path)).toBe(false);
    expect(fs.readFileSync(join(root, 'other'))).toEqual(Buffer.alloc(5));
  });

  test('makes folders with their parents for the owner alone, and sweeps temps that a crash left', () => {
    const deep = join(root, 'a', 'b', 'c');
    makeFolder(deep);
    expect(fs.statSync(deep).mode & 0o777).toBe(0o700);
    fs.writeFileSync(join(deep, '.deed-tmp-0011223344556677'), 'half');
    fs.writeFileSync(join(deep, 'kept'), 'whole');
    expect(sweepTemps(join(root, 'a'))).toBe(1);
    expect(fs.readdirSync(deep)).toEqual(['kept']);
  });
});

describe('an object', () => {
  test('is kept under its digest, once, and can be erased', () => {
    const objects = openObjects(join(root, 'objects'));
    const name = 'ab'.repeat(32);
    objects.put(name, Buffer.from('payload'));
    objects.put(name, Buffer.from('payload'));
    expect(Buffer.from(objects.get(name) ?? []).toString()).toBe('payload');
    expect(code(() => objects.put(name, Buffer.from('other')))).toBe('conflict');
    expect(objects.delete(name)).toBe(true);
    expect(objects.has(name)).toBe(false);
    expect(objects.get(name)).toBeUndefined();
  });

  test('has no other name than a lower-case hex digest', () => {
    const objects = openObjects(join(root, 'objects'));
    for (const name of ['', '../../etc/passwd', 'AB'.repeat(32), 'ab'.repeat(4), `${'ab'.repeat(32)}/x`]) {
      expect(code(() => objects.put(name, Buffer.from('x')))).toBe('name');
    }
  });
});

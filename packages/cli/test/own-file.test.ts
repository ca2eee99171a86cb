import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readOwnFile, replaceOwnFile } from '../src/own-file.ts';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'deed-own-')));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, content = '{}', mode = 0o600): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

const refusal = (words: string) =>
  expect.objectContaining({ code: 'request', message: expect.stringContaining(words) });

describe('a configuration file is not touched that', () => {
  it('is a symbolic link: the file it leads to is named', () => {
    symlinkSync(file('target'), join(folder, 'link'));
    expect(() => readOwnFile(join(folder, 'link'))).toThrow(refusal(join(folder, 'target')));
  });

  it('has a second name', () => {
    linkSync(file('one'), join(folder, 'two'));
    expect(() => readOwnFile(join(folder, 'one'))).toThrow(refusal('hard link'));
  });

  it('others can write', () => {
    expect(() => readOwnFile(file('open', '{}', 0o622))).toThrow(refusal('chmod go-w'));
  });

  it('belongs to somebody else', () => {
    // Who is root gives a file away; whoever is not has files of root at hand.
    const theirs = process.getuid?.() === 0 ? file('theirs') : '/etc/passwd';
    if (process.getuid?.() === 0) chownSync(theirs, 12_345, 12_345);
    expect(() => readOwnFile(theirs)).toThrow(refusal('somebody else'));
  });

  it('is a folder, no UTF-8, or not there', () => {
    mkdirSync(join(folder, 'folder'));
    expect(() => readOwnFile(join(folder, 'folder'))).toThrow(refusal('no plain file'));
    writeFileSync(join(folder, 'latin'), Buffer.from([0xe4]));
    expect(() => readOwnFile(join(folder, 'latin'))).toThrow(refusal('UTF-8'));
    expect(() => readOwnFile(join(folder, 'absent'))).toThrow(expect.objectContaining({ code: 'ENOENT' }));
  });

  it('was changed since it was read', () => {
    const read = readOwnFile(file('racing'));
    writeFileSync(read.path, '{"new": 1}');
    expect(() => replaceOwnFile(read, 'x')).toThrow(refusal('changed meanwhile'));
    expect(readFileSync(read.path, 'utf8')).toBe('{"new": 1}');
  });
});

describe('a configuration file', () => {
  it('is replaced in one step, with its permissions, and nothing is left beside it', () => {
    const umask = process.umask(0o077);
    try {
      const path = file('shared', '{}', 0o644);
      const inode = statSync(path).ino;
      replaceOwnFile(readOwnFile(path), 'new');
      expect(readFileSync(path, 'utf8')).toBe('new');
      expect(statSync(path).mode & 0o777).toBe(0o644);
      expect(statSync(path).ino).not.toBe(inode);
      expect(readdirSync(folder).filter((name) => name.startsWith('.deed-tmp'))).toEqual([]);
    } finally {
      process.umask(umask);
    }
  });

  it('that is to be made is made, for its owner alone', () => {
    const read = readOwnFile(join(folder, 'made'), { missing: '{}' });
    expect(existsSync(read.path)).toBe(false);
    replaceOwnFile(read, '{"a": 1}');
    expect(statSync(read.path).mode & 0o777).toBe(0o600);
  });
});

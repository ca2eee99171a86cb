import { chmodSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ActionRecord, Operands } from '@deed/evidence';
import { beforeEach, describe, expect, it } from 'vitest';
import { isSameState, readState } from '../src/resource-state.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'deed-state-'));
});

function record(args: object, ...paths: readonly string[]): ActionRecord {
  const operands: Operands = { kind: 'paths', paths: paths.map((real) => ({ argument: 'path', given: real, real })) };
  return {
    ...{ v: 1, action: 'act_01KAP0VQX0DEEDDEEDDEEDDEED', task: 'tsk_01KAP0VQX0DEEDDEEDDEEDDEED' },
    ...{ method: 'tools/call', server: 'files', tool: 'write_file', definition: null, executable: '0'.repeat(64) },
    ...{ arguments: JSON.stringify(args), operands, author: null },
  };
}
const file = (name: string, text: string | Uint8Array) => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

describe('what an action touches, as it is before it', () => {
  it('is told with the digest of what a file holds, and what would change where the tool says what it writes', async () => {
    const path = file('a.txt', 'one\ntwo\nthree\n');
    const state = await readState(record({ path, content: 'one\n2\nthree\n' }, path));
    expect(state.files).toEqual([expect.stringMatching(/^a file of 14 bytes, sha256 [0-9a-f]{64}$/)]);
    expect(state.change).toEqual(expect.arrayContaining(['-two', '+2', ' one', ' three']));
  });

  it('is nothing, a folder, no regular file, not text, or not readable', async () => {
    const dir = join(folder, 'dir');
    mkdirSync(dir);
    const link = join(folder, 'link');
    symlinkSync(file('target', 'x'), link);
    const binary = file('b.bin', Uint8Array.of(0xff, 0xfe));
    const state = await readState(record({ content: 'x' }, join(folder, 'none'), dir, link, '/dev/null'));
    expect(state.files).toEqual(['nothing', 'a folder', 'not readable (ELOOP)', 'no regular file']);
    expect(state.change).toEqual([]); // which of them would hold it nobody can tell
    expect((await readState(record({ content: 'x' }, binary))).change).toEqual(['(what is there now is not text)']);
    expect((await readState(record({ content: 'x\n' }, join(folder, 'none')))).change).toContain('+x');
  });

  it('of a large file is its size and its time, and of a long change the beginning', async () => {
    const large = file('large', new Uint8Array(1024 * 1024 + 1));
    expect((await readState(record({}, large))).files[0]).toMatch(/^a file of 1048577 bytes, changed last /);
    const long = file('long', '');
    const { change } = await readState(record({ content: 'line\n'.repeat(1000) }, long));
    expect(change.length).toBe(401);
    expect(change.at(-1)).toMatch(/lines more: see the arguments/);
  });

  it('shows hidden characters of both sides as escapes', async () => {
    const path = file('a.txt', 'a\u202eb\n');
    const { change } = await readState(record({ content: 'a\u200bb\n' }, path));
    expect(change).toEqual(expect.arrayContaining(['-a\\u{202E}b', '+a\\u{200B}b']));
  });

  it('is another as soon as anybody changes it', async () => {
    const path = file('a.txt', 'one');
    const before = await readState(record({}, path));
    expect(isSameState(before, await readState(record({}, path)))).toBe(true);
    writeFileSync(path, 'two');
    expect(isSameState(before, await readState(record({}, path)))).toBe(false);
    chmodSync(path, 0o600);
    writeFileSync(path, 'one');
    expect(isSameState(before, await readState(record({}, path)))).toBe(true);
  });
});

import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { parseTrust } from '@deed/evidence';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { verifyLogFolder } from '../../src/index.ts';
import { draft, World } from '../world.ts';

let world: World;
let log: string;
let trust: string;
beforeAll(async () => {
  world = new World();
  const { witness, endpoint } = await world.witness();
  const ledger = await world.ledger({ witnesses: [endpoint] });
  for (let n = 0; n < 299; n++) ledger.record(draft('deployment', n));
  await ledger.record(draft('deployment', 299)).witnessed();
  await world.close(ledger);
  log = join(world.root, 'copy');
  fs.cpSync(join(world.folder, 'log'), log, { recursive: true });
  // What smaller sizes left behind, and what they would leave of the full ones, which this server drops.
  for (const [path, bytes] of [
    ['tile/0/001.p/7', read('tile/0/001.p/44').subarray(0, 7 * 32)],
    ['tile/0/000.p/9', read('tile/0/000').subarray(0, 9 * 32)],
    ['tile/entries/000.p/1', read('tile/entries/000').subarray(0, 2 + read('tile/entries/000').readUInt16BE(0))],
  ] as const) {
    fs.mkdirSync(dirname(join(log, path)), { recursive: true });
    fs.writeFileSync(join(log, path), bytes);
  }
  trust = [
    ...world.logKeys.vkeys.map((vkey) => `log ${vkey}`),
    ...witness.vkeys.slice(-1).map((vkey) => `witness local ${vkey}`),
    'quorum local',
  ].join('\n');
});
afterAll(() => world.tidy());

const read = (path: string) => fs.readFileSync(join(log, path));
const verified = (folder = log, text = trust) =>
  verifyLogFolder(folder, { trust: parseTrust(text), nowMs: Date.now(), threads: 1 });
/** What is said of the copy while one file has other bytes, or is gone. */
async function verifiedWith(file: string, bytes: Uint8Array | undefined) {
  const before = read(file);
  try {
    if (bytes) fs.writeFileSync(join(log, file), bytes);
    else fs.rmSync(join(log, file));
    return await verified();
  } finally {
    fs.writeFileSync(join(log, file), before);
  }
}
const flip = (bytes: Uint8Array, at: number) => Buffer.from(bytes.map((byte, i) => (i === at ? byte ^ 4 : byte)));
const files = () =>
  fs
    .readdirSync(log, { recursive: true, encoding: 'utf8' })
    .filter((file) => fs.statSync(join(log, file)).isFile())
    .sort();

describe('a copy of a log', () => {
  test('is verified by its files alone', async () => {
    expect(await verified()).toMatchObject({
      verdict: 'VERIFIED',
      code: 0,
      checkpoint: { size: 300 },
      entries: 300,
      witnesses: [{ name: 'local' }],
      reasons: [],
      strays: [],
    });
    expect((await verified()).files, 'every file but the checkpoint is compared').toBe(files().length - 1);
  });

  test('in which any byte of any file was changed, cut off or added is FORGED, by the name of that file', async () => {
    const names = files();
    expect(names).toEqual([
      'checkpoint',
      'tile/0/000',
      'tile/0/000.p/9',
      'tile/0/001.p/44',
      'tile/0/001.p/7',
      'tile/1/000.p/1',
      'tile/entries/000',
      'tile/entries/000.p/1',
      'tile/entries/001.p/44',
    ]);
    for (const file of names) {
      const bytes = read(file);
      const flips = [0, 1, 2, Math.floor(bytes.length / 2), bytes.length - 2];
      const changed: readonly Buffer[] = [
        ...flips.map((at) => flip(bytes, at)),
        bytes.subarray(0, -1),
        Buffer.concat([bytes, Buffer.of(0)]),
        Buffer.alloc(0),
      ];
      for (const [i, other] of changed.entries()) {
        const { verdict, reasons } = await verifiedWith(file, other);
        const what = `${file}, change ${i}`;
        expect(file === 'checkpoint' ? ['FORGED', 'unusable', 'UNANCHORED'] : ['FORGED'], what).toContain(verdict);
        if (file === 'checkpoint')
          expect(
            reasons.map(({ check }) => check),
            what,
          ).toContain('checkpoint');
        else
          expect(
            reasons.map(({ message }) => message.split(/[ :]/)[0]),
            what,
          ).toContain(file);
      }
    }
    expect((await verified()).verdict).toBe('VERIFIED');
  });

  test('says of a bent tile that it is the tile, and of a bent entry which one it is', async () => {
    const change = async (file: string, at: number) =>
      (await verifiedWith(file, flip(read(file), at))).reasons.map(({ message }) => message);
    expect(await change('tile/0/000', 40)).toEqual(['tile/0/000: differs from what the entries give']);
    expect(await change('tile/1/000.p/1', 0)).toEqual(['tile/1/000.p/1: differs from what the entries give']);
    const second = 2 + read('tile/entries/000').readUInt16BE(0);
    expect(await change('tile/entries/000', second + 100)).toEqual([
      'checkpoint: the entries give another root',
      'tile/entries/000: entry 1 is not the one that tile/0/000 has',
    ]);
  });

  test('that lacks a file is INCOMPLETE, by the name of that file', async () => {
    for (const file of files().filter((name) => !/checkpoint|p\/[179]$/.test(name) || name === 'tile/1/000.p/1')) {
      const { verdict, reasons } = await verifiedWith(file, undefined);
      expect(verdict, file).toBe('INCOMPLETE');
      expect(reasons.map(({ message }) => message)).toContain(`${file}: absent`);
    }
    const empty = join(world.root, 'empty');
    fs.mkdirSync(empty);
    expect(await verified(empty)).toMatchObject({ verdict: 'unusable', code: 2 });
  });

  test('with files that belong to no log is verified, and names them', async () => {
    fs.writeFileSync(join(log, 'index.html'), 'x');
    fs.symlinkSync('/dev/zero', join(log, 'tile/0/zero'));
    expect(await verified()).toMatchObject({ verdict: 'VERIFIED', strays: ['index.html', 'tile/0/zero'] });
    fs.rmSync(join(log, 'index.html'));
    fs.rmSync(join(log, 'tile/0/zero'));
  });

  test('is believed as far as the trust file goes', async () => {
    const other = new World();
    const foreign = other.logKeys.vkeys.map((vkey) => `log ${vkey}\n`).join('');
    expect(await verified(log, `${foreign}quorum none\n`)).toMatchObject({ verdict: 'FORGED', code: 5, witnesses: [] });
    const own = world.logKeys.vkeys.map((vkey) => `log ${vkey}\n`).join('');
    expect(await verified(log, `${own}quorum none\n`)).toMatchObject({ verdict: 'UNANCHORED', code: 3 });
    await other.tidy();
  });

  test('under a checkpoint that claims more entries than can be is found out at once', async () => {
    const forged = read('checkpoint')
      .toString()
      .replace('\n300\n', `\n${2 ** 52}\n`);
    const { verdict, entries, reasons } = await verifiedWith('checkpoint', Buffer.from(forged));
    expect({ verdict, entries }).toEqual({ verdict: 'FORGED', entries: 256 });
    expect(reasons.length).toBeLessThan(110);
  });

  test('that is newer than its checkpoint is verified up to that', async () => {
    const later = join(world.root, 'later');
    const ledger = await world.ledger();
    for (let n = 300; n < 599; n++) ledger.record(draft('deployment', n));
    await ledger.record(draft('deployment', 599)).published();
    await world.close(ledger);
    fs.cpSync(join(world.folder, 'log'), later, { recursive: true });
    fs.copyFileSync(join(log, 'checkpoint'), join(later, 'checkpoint'));
    expect(fs.existsSync(join(later, 'tile/0/001')), 'the incomplete tile was replaced by the full one').toBe(true);
    const { verdict, entries, reasons, limits } = await verified(later);
    expect({ verdict, entries, reasons }).toEqual({ verdict: 'VERIFIED', entries: 300, reasons: [] });
    expect(limits.join()).toMatch(/[1-9] files of entries newer than the checkpoint/);
  });
});

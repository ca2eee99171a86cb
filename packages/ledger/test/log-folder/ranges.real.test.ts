import * as fs from 'node:fs';
import { join } from 'node:path';
import { formatCheckpoint, formatNote, parseTrust } from '@deed/evidence';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { verifyLogFolder } from '../../src/index.ts';
import { rangeEntries } from '../../src/log-folder/ranges.ts';
import { TileFolder } from '../../src/tile-folder.ts';
import { TileTree } from '../../src/tile-tree.ts';
import { origin, World } from '../world.ts';

let world: World;
let log: string;
const size = 2 * rangeEntries + 300;
beforeAll(() => {
  world = new World();
  log = join(world.root, 'log');
  const folder = new TileFolder(log);
  const tree = new TileTree(folder);
  for (let index = 0; index < size; index++) tree.append(Buffer.from(`entry ${index}`));
  tree.writePartials();
  const text = formatCheckpoint({ origin, size, root: tree.view().root() });
  const signatures = world.logKeys.signers.map((signer) => signer.sign(text, 1_700_000_000));
  folder.writeCheckpoint(formatNote({ text, signatures }));
}, 120_000);
afterAll(() => world.tidy());

/** With threads, after it was held to be the same as without. */
async function verified() {
  const trust = parseTrust(`${world.logKeys.vkeys.map((vkey) => `log ${vkey}\n`).join('')}quorum none\n`);
  const [onThreads, alone] = [
    await verifyLogFolder(log, { trust, nowMs: Date.now(), threads: 2 }),
    await verifyLogFolder(log, { trust, nowMs: Date.now(), threads: 1 }),
  ];
  expect(onThreads).toEqual(alone);
  const { verdict, entries, reasons } = onThreads;
  return { verdict, entries, reasons: reasons.filter(({ check }) => check === 'files').map(({ message }) => message) };
}

async function verifiedWith(file: string, change: (bytes: Buffer) => Buffer | undefined) {
  const path = join(log, file);
  const before = fs.readFileSync(path);
  const after = change(Buffer.from(before));
  if (after) fs.writeFileSync(path, after);
  else fs.rmSync(path);
  try {
    return await verified();
  } finally {
    fs.writeFileSync(path, before);
  }
}

const bend = (bytes: Buffer) => {
  bytes[45] = (bytes[45] ?? 0) ^ 1; // in no entry's length
  return bytes;
};

test('a log whose ranges were shared out among threads is verified whole', async () => {
  // No witness was asked for: nothing is better than UNANCHORED.
  expect(await verified()).toEqual({ verdict: 'UNANCHORED', entries: size, reasons: [] });
});

test('each kind of file that was bent is named, whichever thread met it', async () => {
  for (const file of ['tile/0/001', 'tile/0/256', 'tile/1/001', 'tile/2/000.p/2', 'tile/0/512', 'tile/0/513.p/44']) {
    expect(await verifiedWith(file, bend), file).toEqual({
      ...{ verdict: 'FORGED', entries: size },
      reasons: [`${file}: differs from what the entries give`],
    });
  }
  for (const [index, entry] of [
    [300, 76_803],
    [512, 131_075],
  ] as const) {
    expect(await verifiedWith(`tile/entries/${index}`, bend)).toEqual({
      ...{ verdict: 'FORGED', entries: size },
      reasons: [
        'checkpoint: the entries give another root',
        `tile/entries/${index}: entry ${entry} is not the one that tile/0/${index} has`,
      ],
    });
  }
});

test('a bundle that is gone is named, and the other ranges are compared all the same', async () => {
  const gone = await verifiedWith('tile/entries/300', () => undefined);
  expect(gone).toEqual({
    ...{ verdict: 'INCOMPLETE', entries: rangeEntries + 44 * 256 },
    reasons: [
      'tile/entries/300: absent',
      `the root could not be made: ${rangeEntries + 44 * 256} of ${size} entries were hashed`,
    ],
  });
  const first = await verifiedWith('tile/entries/256', () => undefined);
  expect(first.reasons).toContain('tile/entries/256: absent');
  expect(first.verdict).toBe('INCOMPLETE');
});

test('many files that are gone do not hide the one that was forged', async () => {
  const [here, away] = [join(log, 'tile/0'), join(world.root, 'away')];
  fs.mkdirSync(away);
  const moved = Array.from({ length: 120 }, (_, i) => String(i).padStart(3, '0'));
  for (const name of moved) fs.renameSync(join(here, name), join(away, name));
  const { verdict, reasons } = await verifiedWith('tile/0/300', bend);
  for (const name of moved) fs.renameSync(join(away, name), join(here, name));
  expect(verdict).toBe('FORGED');
  expect(reasons).toContain('tile/0/000: absent');
  expect((await verified()).reasons).toEqual([]);
});

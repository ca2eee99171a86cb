import * as fs from 'node:fs';
import { join } from 'node:path';
import { toHex } from '@deed/evidence';
import { afterEach, describe, expect, test } from 'vitest';
import { codeOf, draft, until, World } from './world.ts';

let world: World;
afterEach(() => world.tidy());

function tiles(folder: string): ReadonlyMap<string, string> {
  const log = join(folder, 'log');
  const files = fs.readdirSync(join(log, 'tile'), { recursive: true, encoding: 'utf8' });
  const isFile = (name: string) => fs.statSync(join(log, 'tile', name)).isFile();
  return new Map(files.filter(isFile).map((name) => [name, toHex(fs.readFileSync(join(log, 'tile', name)))]));
}

describe('a thread of its own', () => {
  test('takes over under load, goes on with the same tree and serves its proofs', async () => {
    world = new World();
    const ledger = await world.ledger({ ownThreadFrom: 200 });
    const write = async (count: number) => {
      const written = Array.from({ length: count }, (_, n) => ledger.record(draft('deployment', n)));
      await Promise.all(written.map((one) => one.published()));
    };
    await write(100);
    const before = ledger.latestPublished()?.size ?? 0;
    await write(500);
    await write(3);
    expect(ledger.latestPublished()?.size).toBe(603);
    expect(ledger.consistencyProof(before, 603).length).toBeGreaterThan(0);
    const note = ledger.latestPublished()?.note ?? '';
    for (const index of [0, 99, 255, 256, 602]) expect(ledger.tlogProof(index, note)).toContain(note);
    await world.close(ledger);

    // What one thread makes of the same rows.
    const made = tiles(world.folder);
    fs.rmSync(join(world.folder, 'log', 'tile'), { recursive: true });
    await world.close(await world.ledger());
    const again = tiles(world.folder);
    expect(again.size).toBeGreaterThan(5);
    for (const [name, bytes] of again) expect(made.get(name), name).toBe(bytes);
  });

  test('stops the ledger when it finds a tile that differs, and names it', async () => {
    world = new World();
    const ledger = await world.ledger({ ownThreadFrom: 0 });
    fs.mkdirSync(join(world.folder, 'log', 'tile', '0'), { recursive: true });
    fs.writeFileSync(join(world.folder, 'log', 'tile', '0', '000'), 'not ours');
    const written = Array.from({ length: 300 }, (_, n) => ledger.record(draft('deployment', n)));
    await Promise.allSettled(written.map((one) => one.published()));
    await until(() => world.fatal.length > 0);
    expect(world.fatal.map(codeOf)).toEqual(['damaged']);
    expect(world.fatal[0]?.message).toContain('tile/0/000');
    expect(() => ledger.record(draft('deployment'))).toThrow(/stopped/);
  });
});

import * as fs from 'node:fs';
import { join } from 'node:path';
import { judgeCheckpoint, parseTrust } from '@deed/evidence';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { proves } from '../../../tests/promises.ts';
import { fsck, type Ledger, startWitness } from '../src/index.ts';
import { draft, until, World } from './world.ts';

let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(() => world.tidy());

/** Resolves when the published note has changed so many times, and gives the last. */
async function changes(ledger: Ledger, count: number): Promise<string> {
  let note = ledger.latestPublished()?.note;
  for (let seen = 0; seen < count; seen++) {
    await until(() => ledger.latestPublished()?.note !== note);
    note = ledger.latestPublished()?.note;
  }
  return note ?? '';
}

test('an idle log has its newest checkpoint cosigned again and again, and grows by nothing', async () => {
  proves('idle-log');
  let now = Date.now();
  const clock = () => now;
  const { endpoint, witness } = await world.witness('local', { clock });
  const ledger = await world.ledger({ witnesses: [endpoint], clock, recosignMs: 1 });
  await ledger.record(draft('deployment')).witnessed();
  const trust = parseTrust(
    `${ledger.vkeys.map((vkey) => `log ${vkey}`).join('\n')}\nwitness local ${witness.vkeys[0]}\nquorum local\n`,
  );
  const files = () => fs.readdirSync(ledger.logFolder, { recursive: true }).sort();
  const before = files();
  const rows = () => ledger.database.get<{ count: number }>('SELECT count(*) AS count FROM checkpoint')?.count;
  for (let hour = 0; hour < 5; hour++) {
    now += 3_600_000;
    const judged = judgeCheckpoint(await changes(ledger, 1), trust);
    expect(judged).toMatchObject({ quorumMet: true, checkpoint: { size: 1 } });
    expect(judged.witnessedTime).toBe(Math.floor(now / 1000));
    expect(fs.readFileSync(join(ledger.logFolder, 'checkpoint'), 'utf8')).toBe(ledger.latestPublished()?.note);
  }
  expect(ledger.size).toBe(1);
  expect(files()).toEqual(before);
  expect(rows()).toBe(1);
  expect(fsck(world.folder).problems).toEqual([]);
});

test('an idle log whose witness is away asks again, and its old cosignature stays until then', async () => {
  let now = Date.now();
  const clock = () => now;
  const { endpoint, witness } = await world.witness('local', { clock });
  const ledger = await world.ledger({ witnesses: [endpoint], clock, recosignMs: 1 });
  await ledger.record(draft('deployment')).witnessed();
  await world.close(witness);
  await until(() => ledger.witnessHealth()[0]?.answers === false);
  expect(ledger.latestPublished()?.witnessed).toBe(true);
  now += 3_600_000;
  const changed = changes(ledger, 1);
  const port = Number(new URL(witness.url).port);
  world.closing(await startWitness({ stateFolder: world.stateFolder, port, clock }));
  expect(await changed).toContain('— witness.example/local');
  expect(ledger.witnessHealth()[0]?.cosigned).toEqual({
    size: 1,
    time: new Date(Math.floor(now / 1000) * 1000).toISOString(),
  });
});

test('a new entry is published at once, also while a witness that is away is left alone for long', async () => {
  const { endpoint, witness } = await world.witness();
  const ledger = await world.ledger({ witnesses: [endpoint] });
  await ledger.record(draft('deployment')).witnessed();
  await world.close(witness);
  // Each failure doubles the pause before the next try, up to 30 s. Whoever waits for a cosignature shortens it.
  for (let n = 0; n < 9; n++) {
    const { failed } = ledger.witnessHealth()[0] ?? {};
    const gone = new AbortController();
    const waiting = ledger.record(draft('deployment', n)).witnessed(gone.signal);
    await until(() => ledger.witnessHealth()[0]?.failed !== failed);
    gone.abort();
    await expect(waiting).rejects.toThrow();
  }
  const recorded = ledger.record(draft('deployment'));
  expect(await recorded.published(AbortSignal.timeout(10_000))).toMatchObject({ witnessed: false });
});

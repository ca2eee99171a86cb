import { judgeCheckpoint, parseTrust } from '@deed/evidence';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { proves } from '../../../../tests/promises.ts';
import { draft, until } from '../world.ts';
import { twoOfThree, WitnessedWorld } from './three-witnesses.ts';

let world: WitnessedWorld;
beforeEach(async () => {
  world = await WitnessedWorld.begin();
});
afterEach(() => world.tidy());

describe('a quorum', () => {
  test('is what the trust file says: as many as it asks for, of either kind of key', async () => {
    proves('witness-quorum');
    await world.without(2);
    const ledger = await world.ledger({ witnesses: world.witnesses, quorum: twoOfThree });
    const { note } = await ledger.record(draft('deployment')).witnessed();
    const trust = parseTrust(
      [
        ...ledger.vkeys.map((vkey) => `log ${vkey}`),
        ...world.witnesses.map(({ name, vkey }) => `witness ${name} ${vkey}`),
        'group two 2 local acme beta',
        'quorum two',
      ].join('\n'),
    );
    const judged = judgeCheckpoint(note, trust);
    expect(judged).toMatchObject({ logKeysOk: true, quorumMet: true });
    expect(judged.witnesses.map(({ name }) => name).sort()).toEqual(['acme', 'local']);
  });

  test('that is not met leaves the log published and unwitnessed, until the missing one is back', async () => {
    const ledger = await world.ledger({ witnesses: world.witnesses, quorum: twoOfThree });
    await world.without(1, 2);
    const recorded = ledger.record(draft('deployment'));
    expect(await recorded.published()).toMatchObject({ size: 1, witnessed: false });
    const impatient = recorded.witnessed(AbortSignal.timeout(100));
    await expect(impatient).rejects.toMatchObject({ name: 'TimeoutError' });
    expect(ledger.latestWitnessed()).toBeUndefined();
    const waiting = recorded.witnessed();
    await world.back(2);
    expect(await waiting).toMatchObject({ size: 1, witnessed: true });
  });

  test('that cannot be had from the witnesses is refused at the start', async () => {
    const quorum = { groups: [], quorum: 'nobody' };
    await expect(world.ledger({ witnesses: world.witnesses, quorum })).rejects.toMatchObject({ code: 'witness' });
  });

  test('gives one note of a size to all who ask, for ever, whatever is cosigned later', async () => {
    const quorum = { groups: [], quorum: 'local' };
    await world.without(1);
    const first = await world.ledger({ witnesses: world.witnesses, quorum, recosignMs: 5 });
    const given = await first.record(draft('deployment')).witnessed();
    await world.back(1);
    await until(() => first.latestPublished()?.note.includes('witness.example/acme'));
    expect(first.checkpointAt(1)?.note).toBe(given.note);
    expect((await first.witnessed(0)).note).toBe(given.note);
    await first.record(draft('deployment')).witnessed();
    expect(first.checkpointAt(1)?.note).toBe(given.note);
  });
});

describe('at the start, of several witnesses', () => {
  test('one that knows a larger tree stops an old copy, with the others away', async () => {
    await world.grown(2);
    world.backup();
    await world.grown(3);
    world.restore();
    await world.without(0, 2);
    expect(await world.opens()).toMatch(
      /witness acme has signed a checkpoint of 5 entries and this folder holds 2: it is an old copy/,
    );
  });

  test('one that knows another tree stops a copy that grew elsewhere, with the others away', async () => {
    await world.grown(2);
    world.backup();
    await world.grown(1);
    world.restore();
    const alone = await world.ledger();
    await Promise.all([1, 2, 3].map((n) => alone.record(draft('deployment', n)).durable));
    await world.close(alone);
    await world.without(0, 1);
    expect(await world.opens()).toMatch(/witness beta has signed another tree of 3 entries than this folder holds/);
  });
});

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { codeOf, draft } from '../world.ts';
import { twoOfThree, WitnessedWorld } from './three-witnesses.ts';

let world: WitnessedWorld;
beforeEach(async () => {
  world = await WitnessedWorld.begin();
});
afterEach(() => world.tidy());

describe('a quorum', () => {
  test('of another day counts no more: what was witnessed by less is witnessed again', async () => {
    const lax = { groups: [], quorum: 'local' };
    await world.without(1, 2);
    const first = await world.ledger({ witnesses: world.witnesses, quorum: lax });
    await first.record(draft('deployment')).witnessed();
    await world.close(first);
    await world.back(1);
    await world.back(2);
    const second = await world.ledger({ witnesses: world.witnesses, quorum: twoOfThree });
    const { note } = await second.witnessed(0);
    expect(note).toContain('— witness.example/acme');
  });
});

describe('at the start, of several witnesses', () => {
  test('one that is away is not missed, if no quorum was possible without those who answer', async () => {
    await world.grown(1);
    await world.without(2);
    expect(await world.opens()).toBe(true);
  });

  test('two that are away are: they alone might have signed more', async () => {
    await world.grown(1);
    await world.without(1, 2);
    const ledger = await world.ledger({ witnesses: world.witnesses, quorum: twoOfThree });
    expect(ledger.isReady).toBe(false);
    expect(() => ledger.record(draft('deployment'))).toThrow(/not yet confirmed/);
    expect(ledger.logResponse('GET', '/log/checkpoint').status).toBe(200);
    await world.back(1);
    await ledger.ready;
    await ledger.record(draft('deployment')).witnessed();
  });

  test('each has to answer where each must sign', async () => {
    const all = { groups: [{ name: 'each', threshold: 3, members: ['local', 'acme', 'beta'] }], quorum: 'each' };
    await world.grown(1, all);
    await world.without(2);
    const ledger = await world.ledger({ witnesses: world.witnesses, quorum: all });
    expect(ledger.isReady).toBe(false);
    await world.back(2);
    await ledger.ready;
  });

  test('one that comes back with a larger tree stops the one that waited for it', async () => {
    await world.grown(2);
    world.backup();
    await world.grown(1);
    world.restore();
    await world.without(0, 1, 2);
    const waiting = await world.ledger({ witnesses: world.witnesses, quorum: twoOfThree });
    expect(waiting.isReady).toBe(false);
    await world.back(0);
    await expect(waiting.ready).rejects.toMatchObject({ code: 'stopped' });
    expect(world.fatal.map(codeOf)).toEqual(['forked']);
  });
});

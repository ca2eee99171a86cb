import * as fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Ledger, startWitness, type Witness, type WitnessEndpoint } from '../../src/index.ts';
import { codeOf, draft, until, World } from '../world.ts';

let world: World;
let witnesses: WitnessEndpoint[];
let running: Witness[];
const twoOfThree = { groups: [{ name: 'two', threshold: 2, members: ['local', 'acme', 'beta'] }], quorum: 'two' };

beforeEach(async () => {
  world = new World();
  const made = [
    await world.witness(),
    await world.witness('acme', { keys: ['ed25519', 'ml-dsa-44'] }),
    await world.witness('beta'),
  ];
  witnesses = made.map(({ endpoint }) => endpoint);
  running = made.map(({ witness }) => witness);
});
afterEach(() => world.tidy());

const without = (...away: readonly number[]) => Promise.all(away.map((at) => world.close(running[at] as Witness)));
const opening = (promise: Promise<Ledger>) =>
  promise.then(
    (ledger) => ledger.isReady,
    (error: Error) => error.message,
  );

async function back(at: number): Promise<void> {
  const port = Number(new URL(running[at]?.url ?? '').port);
  const stateFolder = at === 0 ? world.stateFolder : join(world.root, witnesses[at]?.name ?? '');
  running[at] = await startWitness({ stateFolder, port });
  world.closing(running[at]);
}

describe('a quorum', () => {
  test('of another day counts no more: what was witnessed by less is witnessed again', async () => {
    const lax = { groups: [], quorum: 'local' };
    await without(1, 2);
    const first = await world.ledger({ witnesses, quorum: lax });
    await first.record(draft('deployment')).witnessed();
    await world.close(first);
    await back(1);
    await back(2);
    const second = await world.ledger({ witnesses, quorum: twoOfThree });
    const { note } = await second.witnessed(0);
    expect(note).toContain('— witness.example/acme');
  });
});

describe('at the start, of several witnesses', () => {
  const grown = async (count: number, quorum = twoOfThree) => {
    const ledger = await world.ledger({ witnesses, quorum });
    for (let n = 0; n < count; n++) await ledger.record(draft('deployment', n)).witnessed();
    await until(() => ledger.witnessHealth().every(({ cosigned }) => cosigned?.size === ledger.size));
    await world.close(ledger);
  };
  const backup = () => fs.cpSync(world.folder, join(world.root, 'backup'), { recursive: true });
  const restore = () => {
    fs.rmSync(world.folder, { recursive: true });
    fs.cpSync(join(world.root, 'backup'), world.folder, { recursive: true });
  };

  test('one that is away is not missed, if no quorum was possible without those who answer', async () => {
    await grown(1);
    await without(2);
    expect(await opening(world.ledger({ witnesses, quorum: twoOfThree }))).toBe(true);
  });

  test('two that are away are: they alone might have signed more', async () => {
    await grown(1);
    await without(1, 2);
    const ledger = await world.ledger({ witnesses, quorum: twoOfThree });
    expect(ledger.isReady).toBe(false);
    expect(() => ledger.record(draft('deployment'))).toThrow(/not yet confirmed/);
    expect(ledger.logResponse('GET', '/log/checkpoint').status).toBe(200);
    await back(1);
    await ledger.ready;
    await ledger.record(draft('deployment')).witnessed();
  });

  test('each has to answer where each must sign', async () => {
    const all = { groups: [{ name: 'each', threshold: 3, members: ['local', 'acme', 'beta'] }], quorum: 'each' };
    await grown(1, all);
    await without(2);
    const ledger = await world.ledger({ witnesses, quorum: all });
    expect(ledger.isReady).toBe(false);
    await back(2);
    await ledger.ready;
  });

  test('one that comes back with a larger tree stops the one that waited for it', async () => {
    await grown(2);
    backup();
    await grown(1);
    restore();
    await without(0, 1, 2);
    const waiting = await world.ledger({ witnesses, quorum: twoOfThree });
    expect(waiting.isReady).toBe(false);
    await back(0);
    await expect(waiting.ready).rejects.toMatchObject({ code: 'stopped' });
    expect(world.fatal.map(codeOf)).toEqual(['forked']);
  });
});

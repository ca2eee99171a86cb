import * as fs from 'node:fs';
import { join } from 'node:path';
import { judgeCheckpoint, parseTrust } from '@deed/evidence';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { proves } from '../../../../tests/promises.ts';
import { type Ledger, startWitness, type Witness, type WitnessEndpoint } from '../../src/index.ts';
import { draft, until, World } from '../world.ts';

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
  test('is what the trust file says: as many as it asks for, of either kind of key', async () => {
    proves('witness-quorum');
    await without(2);
    const ledger = await world.ledger({ witnesses, quorum: twoOfThree });
    const { note } = await ledger.record(draft('deployment')).witnessed();
    const trust = parseTrust(
      [
        ...ledger.vkeys.map((vkey) => `log ${vkey}`),
        ...witnesses.map(({ name, vkey }) => `witness ${name} ${vkey}`),
        'group two 2 local acme beta',
        'quorum two',
      ].join('\n'),
    );
    const judged = judgeCheckpoint(note, trust);
    expect(judged).toMatchObject({ logKeysOk: true, quorumMet: true });
    expect(judged.witnesses.map(({ name }) => name).sort()).toEqual(['acme', 'local']);
  });

  test('that is not met leaves the log published and unwitnessed, until the missing one is back', async () => {
    const ledger = await world.ledger({ witnesses, quorum: twoOfThree });
    await without(1, 2);
    const recorded = ledger.record(draft('deployment'));
    expect(await recorded.published()).toMatchObject({ size: 1, witnessed: false });
    const impatient = recorded.witnessed(AbortSignal.timeout(100));
    await expect(impatient).rejects.toMatchObject({ name: 'TimeoutError' });
    expect(ledger.latestWitnessed()).toBeUndefined();
    const waiting = recorded.witnessed();
    await back(2);
    expect(await waiting).toMatchObject({ size: 1, witnessed: true });
  });

  test('that cannot be had from the witnesses is refused at the start', async () => {
    const quorum = { groups: [], quorum: 'nobody' };
    await expect(world.ledger({ witnesses, quorum })).rejects.toMatchObject({ code: 'witness' });
  });

  test('gives one note of a size to all who ask, for ever, whatever is cosigned later', async () => {
    const quorum = { groups: [], quorum: 'local' };
    await without(1);
    const first = await world.ledger({ witnesses, quorum, recosignMs: 5 });
    const given = await first.record(draft('deployment')).witnessed();
    await back(1);
    await until(() => first.latestPublished()?.note.includes('witness.example/acme'));
    expect(first.checkpointAt(1)?.note).toBe(given.note);
    expect((await first.witnessed(0)).note).toBe(given.note);
    await first.record(draft('deployment')).witnessed();
    expect(first.checkpointAt(1)?.note).toBe(given.note);
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

  test('one that knows a larger tree stops an old copy, with the others away', async () => {
    await grown(2);
    backup();
    await grown(3);
    restore();
    await without(0, 2);
    expect(await opening(world.ledger({ witnesses, quorum: twoOfThree }))).toMatch(
      /witness acme has signed a checkpoint of 5 entries and this folder holds 2: it is an old copy/,
    );
  });

  test('one that knows another tree stops a copy that grew elsewhere, with the others away', async () => {
    await grown(2);
    backup();
    await grown(1);
    restore();
    const alone = await world.ledger();
    await Promise.all([1, 2, 3].map((n) => alone.record(draft('deployment', n)).durable));
    await world.close(alone);
    await without(0, 1);
    expect(await opening(world.ledger({ witnesses, quorum: twoOfThree }))).toMatch(
      /witness beta has signed another tree of 3 entries than this folder holds/,
    );
  });
});

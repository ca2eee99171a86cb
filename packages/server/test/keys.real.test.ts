import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { prepareKey, readLogKeys, readServerKeys, recordRotation, type ServerKeyName } from '@deed/authority';
import { parseTrust, verify } from '@deed/evidence';
import { fsck, openLedger } from '@deed/ledger';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { proves } from '../../../tests/promises.ts';
import { Client } from '../../cli/src/client.ts';
import { migrations } from '../src/deployment.ts';
import { type FileSigner, keySigner, listKeys, readSealedKey, rotateKey, setSealed } from '../src/index.ts';
import { World } from './support/world.ts';

let world: World;
let root: FileSigner;
beforeEach(async () => {
  world = await World.begin();
  root = keySigner(await readSealedKey(join(world.base, 'root.json'), 'test'));
});
afterEach(() => world.end());

const file = (name: string) => join(world.dir, 'keys', `${name}.pem`);
const rotated = (key: ServerKeyName, compromisedFrom: number | null = null) =>
  rotateKey({ dir: world.dir, key, root, compromisedFrom, witnessCommand: () => ['/bin/false'] });

/** Stops the server, does something to its folder, and starts it again. */
async function between<T>(act: () => Promise<T>): Promise<T> {
  await world.serving.close();
  try {
    return await act();
  } finally {
    world.serving = await world.serve();
  }
}

/** The case of a task that was opened and closed now. */
async function aCase(): Promise<Uint8Array> {
  const { task } = await world.worker();
  await world.closeTask(task);
  return new Client(world.dir).postForBytes(`/v1/tasks/${task}/case`);
}

/** A rotation that a crash ends after its statements are published and before the new key is in its place. */
async function begunRotation(key: ServerKeyName): Promise<void> {
  const ledger = await openLedger({
    folder: world.dir,
    logKeys: readLogKeys(world.dir, world.made.origin),
    signer: readServerKeys(world.dir).receipt,
    migrations,
  });
  await prepareKey(world.dir, key);
  await recordRotation(world.dir, key, { ledger, root });
  await ledger.close();
}

describe('a key of a deployment', () => {
  test('is exchanged, each in turn; cases from before and after verify with the trust files of before and after', async () => {
    proves('key-rotation');
    const before = { file: await aCase(), trust: world.made.trustFile };
    await between(async () => {
      for (const key of ['receipt', 'log-ed25519', 'token', 'log-ml-dsa-44', 'registrar'] as const) await rotated(key);
    });
    const after = { file: await aCase(), trust: world.serving.deployment.trustFile() };
    expect(parseTrust(after.trust).logs).toHaveLength(4);
    for (const made of [before, after]) {
      for (const { trust } of [before, after]) {
        expect(verify(made.file, { trust })).toMatchObject({ verdict: 'VERIFIED', reasons: [] });
      }
    }
    expect(fsck(world.dir).problems).toEqual([]);
    expect(listKeys(world.dir).filter(({ until }) => until < Number.POSITIVE_INFINITY)).toHaveLength(5);
  });

  test('that was compromised takes what it signed since then with it', async () => {
    proves('key-rotation');
    const before = await aCase();
    const { size } = world.serving.deployment.ledger;
    const within = await aCase();
    const { disbelieved, trustFile } = await between(() => rotated('receipt', size));
    expect(disbelieved).toMatchObject({ 'task-opened': 1, 'task-closed': 1, 'case-exported': 1 });
    expect(verify(before, { trust: trustFile })).toMatchObject({ verdict: 'VERIFIED' });
    expect(verify(within, { trust: world.made.trustFile })).toMatchObject({ verdict: 'VERIFIED' });
    expect(verify(within, { trust: trustFile })).toMatchObject({ verdict: 'FORGED' });
    expect(verify(await aCase(), { trust: trustFile })).toMatchObject({ verdict: 'VERIFIED' });
  });

  test('is exchanged by the root of this deployment alone, and only while no server runs', async () => {
    await expect(rotated('receipt')).rejects.toMatchObject({ code: 'locked' });
    await between(async () => {
      const old = readFileSync(file('receipt'));
      const stranger = keySigner(await readSealedKey(join(world.base, 'person.json'), 'test'));
      const options = { dir: world.dir, compromisedFrom: null, witnessCommand: () => ['/bin/false'] };
      await expect(rotateKey({ ...options, key: 'receipt', root: stranger })).rejects.toMatchObject({ code: 'key' });
      await expect(rotated('receipt', 1_000_000)).rejects.toMatchObject({ code: 'key' });
      expect(readFileSync(file('receipt'))).toEqual(old);
    });
    expect(listKeys(world.dir)).toHaveLength(6);
  });

  test('that was ended starts no server', async () => {
    await world.serving.close();
    const old = join(world.base, 'old.pem');
    const now = join(world.base, 'now.pem');
    copyFileSync(file('receipt'), old);
    await rotated('receipt');
    copyFileSync(file('receipt'), now);
    copyFileSync(old, file('receipt'));
    await expect(world.serve()).rejects.toMatchObject({ code: 'key' });
    copyFileSync(now, file('receipt'));
    world.serving = await world.serve();
  });
});

test('sealed keys start a server with their passphrase alone, and are rotated sealed', async () => {
  await world.serving.close();
  const pems = () => readdirSync(join(world.dir, 'keys')).filter((name) => name.endsWith('.pem'));
  await setSealed(world.dir, true, { passphrase: 'a long one', scryptCost: 2 ** 10 });
  expect(pems()).toEqual([]);
  await expect(world.serve()).rejects.toMatchObject({ code: 'passphrase' });
  await expect(world.serve({ keyPassphrase: 'another' })).rejects.toMatchObject({ code: 'passphrase' });
  const options = { dir: world.dir, root, compromisedFrom: null, witnessCommand: () => ['/bin/false'] };
  for (const key of ['receipt', 'log-ml-dsa-44'] as const) {
    await rotateKey({ ...options, key, keyPassphrase: 'a long one' });
  }
  expect(pems()).toEqual([]);
  world.serving = await world.serve({ keyPassphrase: 'a long one' });
  expect(verify(await aCase(), { trust: world.made.trustFile })).toMatchObject({ verdict: 'VERIFIED' });
  await world.serving.close();
  await setSealed(world.dir, false, { passphrase: 'a long one' });
  expect(pems()).toHaveLength(6); // of the server, of the log, and what seals static secrets
  world.serving = await world.serve();
});

describe('a rotation that a crash interrupts', () => {
  test('before the log knows the new key leaves the old one', async () => {
    const old = readFileSync(file('receipt'));
    await between(() => prepareKey(world.dir, 'receipt'));
    expect(existsSync(file('receipt.next'))).toBe(false);
    expect(readFileSync(file('receipt'))).toEqual(old);
  });

  for (const key of ['receipt', 'log-ed25519', 'log-ml-dsa-44'] as const) {
    test(`after the log knows the new ${key} key is brought to its end by the next start`, async () => {
      const next = await between(async () => {
        await begunRotation(key);
        return readFileSync(file(`${key}.next`));
      });
      expect(existsSync(file(`${key}.next`))).toBe(false);
      expect(readFileSync(file(key))).toEqual(next);
      const trust = world.made.trustFile;
      expect(verify(await aCase(), { trust })).toMatchObject({ verdict: 'VERIFIED' });
    });
  }

  test('before the old log key signed its last checkpoint lets it sign that first', async () => {
    await between(async () => {
      await begunRotation('log-ed25519');
      const database = new DatabaseSync(join(world.dir, 'deed.db'));
      database.exec('DELETE FROM checkpoint');
      database.close();
      rmSync(join(world.dir, 'log/checkpoint'));
    });
    expect(existsSync(file('log-ed25519.next'))).toBe(true);
    const trust = world.made.trustFile;
    expect(verify(await aCase(), { trust })).toMatchObject({ verdict: 'VERIFIED' });
    await between(async () => {});
    expect(existsSync(file('log-ed25519.next'))).toBe(false);
    expect(verify(await aCase(), { trust })).toMatchObject({ verdict: 'VERIFIED' });
    expect(fsck(world.dir).problems).toEqual([]);
  });
});

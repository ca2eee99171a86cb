import { mkdtempSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromUtf8, utf8 } from '@deed/evidence';
import { expect, test } from 'vitest';
import { newP256, spkiOf } from '../../src/keys/p256.ts';
import {
  defaultScryptCost,
  readSealedKey,
  sealedPublicKey,
  sealKey,
  unsealKey,
  writeSealedKey,
} from '../../src/keys/sealed-key.ts';
import { refused } from '../refused.ts';

const cheap = { scryptCost: 2 ** 10 };

test('a sealed key opens with its passphrase and with no other', async () => {
  const key = newP256();
  const sealed = await sealKey(key, 'correct horse', cheap);
  expect((await unsealKey(sealed, 'correct horse')).equals(key)).toBe(true);
  expect(await refused(() => unsealKey(sealed, 'wrong horse'))).toBe('passphrase');
});

test('the public half is readable without the passphrase and cannot be exchanged', async () => {
  const [key, other] = [newP256(), newP256()];
  const sealed = await sealKey(key, 'p', cheap);
  expect(Buffer.from(sealedPublicKey(sealed))).toEqual(spkiOf(key));
  const forged = fromUtf8(sealed).replace(
    Buffer.from(spkiOf(key)).toString('base64'),
    Buffer.from(spkiOf(other)).toString('base64'),
  );
  expect(await refused(() => unsealKey(utf8(forged), 'p'))).toBe('passphrase');
});

test('a sealed key file is readable by its owner alone and is never replaced', async () => {
  const file = join(mkdtempSync(join(tmpdir(), 'deed-')), 'root.json');
  const key = newP256();
  await writeSealedKey(file, key, 'p', cheap);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect((await readSealedKey(file, 'p')).equals(key)).toBe(true);
  expect(await refused(() => writeSealedKey(file, newP256(), 'p', cheap))).toBe('folder');
});

test('sealing costs scrypt N=2^17 unless a test says otherwise, and an empty passphrase is refused', async () => {
  const sealed = fromUtf8(await sealKey(newP256(), 'p'));
  expect(JSON.parse(sealed).kdf).toMatchObject({ name: 'scrypt', n: defaultScryptCost, r: 8, p: 1 });
  expect(defaultScryptCost).toBe(131_072);
  expect(await refused(() => sealKey(newP256(), '', cheap))).toBe('passphrase');
});

test('a file that is not a sealed key, or asks for absurd work, is refused as one', async () => {
  const sealed = fromUtf8(await sealKey(newP256(), 'p', cheap));
  for (const bad of ['', '{}', sealed.replace('"n": 1024', '"n": 1099511627776'), `${sealed}x`]) {
    expect(await refused(() => unsealKey(utf8(bad), 'p'))).toBe('key');
  }
});

import { cpSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeActivation } from '@deed/evidence';
import { openObjects } from '@deed/store';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { proves } from '../../../../tests/promises.ts';
import { openAuthority } from '../../src/authority.ts';
import { objectFolder } from '../../src/init.ts';
import { checkBundle } from '../../src/policy/bundle.ts';
import { defaultPolicyFolder } from '../../src/policy/default.ts';
import { refused } from '../refused.ts';
import { World } from '../world.ts';

let world: World;
let folder: string;
beforeAll(async () => {
  world = await World.begin();
  folder = mkdtempSync(join(tmpdir(), 'deed-policy-'));
  cpSync(defaultPolicyFolder, folder, { recursive: true });
  writeFileSync(join(folder, 'own.cedar'), '@id("none") forbid (principal, action, resource);\n');
});
afterAll(() => world.end());

const word = (over: Partial<Parameters<typeof encodeActivation>[0]> = {}, signer = world.person) =>
  signer.word(
    'deed-activation-v1',
    encodeActivation({
      origin: world.init.origin,
      bundle: checkBundle(folder).digest,
      version: world.authority.policy.nextVersion(),
      person: world.init.person,
      time: new Date(world.clock.now()).toISOString(),
      ...over,
    }),
  );

test('a policy comes into force only by the word of an operator over exactly this bundle and the next version', async () => {
  const { policy } = world.authority;
  const { id, signer: approver } = await world.letIn(['approver']);
  const code = async (over: Parameters<typeof word>[0], signer = world.person) =>
    refused(async () => policy.activate(folder, await word(over, signer)));
  expect(await code({ version: 1 })).toBe('activation');
  expect(await code({ version: 3 })).toBe('activation');
  expect(await code({ bundle: '0'.repeat(64) })).toBe('activation');
  expect(await code({ origin: 'deed.local/other' })).toBe('activation');
  expect(await code({ person: id }, approver)).toBe('not-approver');
  expect(await code({}, approver)).toBe('word');
  expect(policy.current().version).toBe(1);
});

test('an activated policy decides from then on, is archived, and an older one cannot come back', async () => {
  proves('policy-fail-closed');
  const { policy } = world.authority;
  const first = await word();
  const active = await policy.activate(folder, first);
  expect(active).toMatchObject({ version: 2, bundle: { digest: checkBundle(folder).digest } });
  expect(checkBundle(policy.folderOf(active.bundle.digest)).digest).toBe(active.bundle.digest);
  expect(await refused(() => policy.activate(folder, first))).toBe('activation');
  await world.restart();
  expect(world.authority.policy.current()).toMatchObject({ version: 2, activated: active.activated });
  expect(world.statements('policy').at(-1)).toMatchObject({ subject: { sha256: active.bundle.digest } });
});

test('a database that names an older policy than the log activated last, or another bundle, does not start', async () => {
  const db = world.ledger.database;
  const rows = db.all<{ digest: string; version: number; bundle: string }>('SELECT * FROM policies ORDER BY version');
  const [first, second] = rows;
  if (!first || !second) return expect.fail();
  const wrongs = [
    () => db.transaction((tx) => tx.run('DELETE FROM policies WHERE version = 2')),
    () => db.transaction((tx) => tx.run('DELETE FROM policies')),
    () => db.transaction((tx) => tx.run('UPDATE policies SET bundle = ? WHERE version = 2', first.bundle)),
    () => db.transaction((tx) => tx.run('UPDATE policies SET version = 3 WHERE version = 1')),
  ];
  for (const wrong of wrongs) {
    wrong();
    expect(
      await refused(() =>
        openAuthority({
          dir: world.dir,
          ledger: world.ledger,
          clock: world.clock,
          objects: openObjects(objectFolder(world.dir)),
        }),
      ),
    ).toBe('policy-downgrade');
    db.transaction((tx) => {
      tx.run('DELETE FROM policies');
      for (const { digest, version, bundle } of rows)
        tx.run('INSERT INTO policies (digest, version, bundle) VALUES (?, ?, ?)', digest, version, bundle);
    });
  }
  await world.restart();
  expect(world.authority.policy.current().version).toBe(2);
});

test('a bundle that does not validate is not activated', async () => {
  proves('policy-fail-closed');
  const signed = await word();
  writeFileSync(join(folder, 'own.cedar'), '@id("none") forbid (principal, action, resource) when { context.no };\n');
  expect(await refused(() => world.authority.policy.activate(folder, signed))).toBe('policy-invalid');
  expect(world.authority.policy.current().version).toBe(2);
});

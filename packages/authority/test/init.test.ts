import { mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromBase64, keyId, parseStatement, signerRole, verifyEnvelope } from '@deed/evidence';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { proves } from '../../../tests/promises.ts';
import { initDeployment, readDeployment } from '../src/init.ts';
import { readServerKeys } from '../src/keys/key-folder.ts';
import { spkiOf } from '../src/keys/p256.ts';
import { readSealedKey } from '../src/keys/sealed-key.ts';
import { refused } from './refused.ts';
import { World } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await World.begin();
});
afterAll(() => world.end());

test('a fresh deployment has a root, one key a role, a first person, an active policy and a waiver', async () => {
  const roles = world.statements('keys').map(({ predicate, body }) => predicate === 'key-event' && body.key.role);
  expect(roles).toEqual(['root', 'receipt', 'registrar', 'token', 'log', 'log']);
  expect(world.statements('people')).toHaveLength(1);
  expect(world.statements('policy')).toHaveLength(1);
  expect(world.authority.people.list()).toMatchObject([{ id: world.init.person, roles: ['operator', 'approver'] }]);
  expect(world.authority.policy.current()).toMatchObject({ version: 1, bundle: { digest: world.init.policy } });
  expect(world.authority.grants.current(null)).toMatchObject({ verdict: 'WAIVED', grade: 'E0', ceiling: 'record' });
  expect(readDeployment(world.dir).origin).toBe(world.init.origin);
  const root = await readSealedKey(join(world.base, 'root.json'), 'p');
  expect(keyId(spkiOf(root))).toBe(world.init.root);
});

test('every statement is signed by the one role that may, and no two roles share a key', () => {
  proves('invariant-4');
  const keys = new Map<string, string>();
  for (const entry of world.ledger.series('keys')) {
    const statement = parseStatement(entry.envelope.payload);
    if (statement.predicate !== 'key-event') continue;
    expect(keys.has(statement.body.key.keyid)).toBe(false);
    keys.set(statement.body.key.keyid, statement.body.key.role);
    if (statement.position.n === 0) expect(fromBase64(statement.body.key.spki)).toEqual(Buffer.from(entry.spki));
  }
  for (let index = 0; index < world.ledger.size; index++) {
    const entry = world.ledger.entry(index);
    if (!entry) return expect.fail();
    const { predicate } = parseStatement(entry.envelope.payload);
    expect(keys.get(entry.envelope.keyid)).toBe(signerRole(predicate));
    expect(verifyEnvelope(entry.envelope, entry.spki)).toBe(true);
  }
});

test('the root key is nowhere in the data folder, and every key in it is readable by its owner alone', () => {
  const files = readdirSync(world.dir, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
  const keys = files.filter(({ parentPath }) => parentPath.startsWith(join(world.dir, 'keys')));
  expect(keys.map(({ name }) => name)).toEqual(expect.arrayContaining(['receipt.pem', 'registrar.pem', 'token.pem']));
  for (const { parentPath, name } of keys) expect(statSync(join(parentPath, name)).mode & 0o777).toBe(0o600);
  const ids = Object.values(readServerKeys(world.dir)).map(({ keyid }) => keyid);
  expect(ids).not.toContain(world.init.root);
  expect(readFileSync(join(world.base, 'root.json'), 'utf8')).not.toContain('PRIVATE');
});

test('a later process takes up what init made', async () => {
  const before = world.authority.people.list();
  await world.restart();
  expect(world.authority.people.list()).toEqual(before);
  expect(world.authority.policy.current().bundle.digest).toBe(world.init.policy);
  expect(world.authority.grants.list()).toHaveLength(1);
});

test('a folder that is not fresh is left alone', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'deed-'));
  writeFileSync(join(dir, 'mine'), '');
  const base = mkdtempSync(join(tmpdir(), 'deed-'));
  const options = { passphrase: 'p', rootFile: join(base, 'root'), personFile: join(base, 'person'), scryptCost: 1024 };
  expect(await refused(() => initDeployment({ dir, ...options }))).toBe('folder');
  expect(readdirSync(dir)).toEqual(['mine']);
  const inside = join(base, 'data');
  expect(await refused(() => initDeployment({ ...options, dir: inside, rootFile: join(inside, 'root') }))).toBe(
    'folder',
  );
  expect(readdirSync(base)).toEqual([]);
  expect(await refused(() => readDeployment(dir))).toBe('folder');
});

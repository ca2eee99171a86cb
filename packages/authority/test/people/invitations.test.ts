import { fingerprintOf, keyId, toBase64 } from '@deed/evidence';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newP256, spkiOf } from '../../src/keys/p256.ts';
import { refused } from '../refused.ts';
import { World } from '../world.ts';

let world: World;
beforeAll(async () => {
  world = await World.begin();
});
afterAll(() => world.end());

const newKey = () => ({ kind: 'es256', public: toBase64(spkiOf(newP256())) }) as const;
const passkey = { credential: 'Y3JlZA', aaguid: '00000000-0000-0000-0000-000000000000', backedUp: true };

test('an invited person hands in one key on one code, and is nobody until an operator ordered it', async () => {
  const { invitations } = world.authority.people;
  const { code, person } = invitations.invite({ label: 'Ada', roles: ['approver'] });
  expect(invitations.open(code)).toMatchObject({ person, roles: ['approver'], label: 'Ada', offered: null });
  const key = newKey();
  invitations.offer(code, key, passkey);
  expect(world.authority.people.get(person)).toBeUndefined();
  expect(await refused(async () => invitations.open(code))).toBe('code');
  expect(await refused(async () => invitations.offer(code, newKey()))).toBe('code');
  expect(invitations.list()).toMatchObject([{ person, offered: key }]);
  await world.order({ person, change: { kind: 'enrolled', key, roles: ['approver'] } });
  expect(world.authority.people.get(person)).toMatchObject({ label: 'Ada', keys: [key] });
  expect(invitations.list()).toEqual([]);
  expect(JSON.stringify(world.statements('people'))).not.toContain('Ada');
});

test('a code dies after 15 minutes, and one that nobody gave opens nothing', async () => {
  const { invitations } = world.authority.people;
  const { code } = invitations.invite({ label: 'Late', roles: ['auditor'] });
  expect(await refused(async () => invitations.open('x'.repeat(32)))).toBe('code');
  world.clock.advance(15 * 60_000);
  expect(await refused(async () => invitations.open(code))).toBe('code');
  expect(await refused(async () => invitations.offer(code, newKey()))).toBe('code');
  expect(invitations.list()).toEqual([]);
});

test('a key that somebody has, or that is none, is not taken', async () => {
  const { invitations } = world.authority.people;
  const { code } = invitations.invite({ label: 'Bob', roles: ['auditor'] });
  const mine = { kind: 'es256', public: toBase64(world.person.public) } as const;
  expect(await refused(async () => invitations.offer(code, mine))).toBe('key');
  expect(await refused(async () => invitations.offer(code, { kind: 'es256', public: 'AAAA' }))).toBe('key');
  expect(invitations.open(code).offered).toBeNull();
  expect(await refused(async () => invitations.invite({ label: ' ', roles: ['auditor'] }))).toBe('name');
  expect(await refused(async () => invitations.invite({ label: 'a\u202eb', roles: ['auditor'] }))).toBe('name');
});

test('what both sides compare are the first 128 bits of the id of the key', () => {
  const key = newKey();
  const id = keyId(new Uint8Array(Buffer.from(key.public, 'base64')));
  expect(fingerprintOf(key)).toBe((id.slice(0, 32).match(/.{4}/g) ?? []).join(' '));
});

test('what is called personal is gone after an erasure and after a removal, and the opaque id stays', async () => {
  const { people } = world.authority;
  const { code, person } = people.invitations.invite({ label: 'Grace', roles: ['approver'] });
  const key = newKey();
  people.invitations.offer(code, key, { ...passkey, credential: 'Z3JhY2U' });
  await world.order({ person, change: { kind: 'enrolled', key, roles: ['approver'] } });
  people.erase(person);
  expect(people.get(person)).toMatchObject({ id: person, label: '' });
  const rows = (table: string) => world.ledger.database.all(`SELECT * FROM ${table} WHERE person = ?`, person);
  expect(rows('person_passkey')).toHaveLength(1);
  await world.order({ person, change: { kind: 'removed' } });
  expect(rows('person_passkey')).toEqual([]);
  expect(await refused(async () => people.erase('per_nobody'))).toBe('unknown-person');
});

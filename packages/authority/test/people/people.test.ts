import { newId, type PeopleChange, toBase64 } from '@deed/evidence';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { newP256 } from '../../src/keys/p256.ts';
import { keyPersonSigner, type PersonSigner } from '../../src/keys/person-signer.ts';
import { refused } from '../refused.ts';
import { World } from '../world.ts';

let world: World;
beforeEach(async () => {
  world = await World.begin();
});
afterEach(() => world.end());

const keyOf = (signer: PersonSigner) => ({ kind: signer.kind, public: toBase64(signer.public) });
const newSigner = () => keyPersonSigner(newP256());
const first = () => ({ id: world.init.person, signer: world.person });
const ids = () => world.authority.people.list().map(({ id }) => id);
const newcomer = (roles: Extract<PeopleChange, { kind: 'enrolled' }>['roles'], signer = newSigner()) => ({
  person: newId('person', world.clock.now()),
  change: { kind: 'enrolled', key: keyOf(signer), roles } as const,
});

test('the only operator lets in a second one alone, and the statement says that he did', async () => {
  const { id, ordered } = await world.letIn(['operator']);
  expect(ordered).toEqual({ state: 'done', alone: true });
  const [init, statement] = world.statements('people');
  expect(init?.body).not.toHaveProperty('order');
  expect(statement).toMatchObject({ predicate: 'person-enrolled', body: { person: id, order: { alone: true } } });
  expect(ids()).toEqual([world.init.person, id]);
});

test('once there are two operators, what widens waits for the word of a second person, and happens with it', async () => {
  const other = await world.letIn(['operator']);
  const wanted = newcomer(['approver']);
  expect(await world.order(wanted)).toMatchObject({ state: 'waiting' });
  expect(world.authority.people.waitingOrder()).toMatchObject({ ...wanted, by: world.init.person });
  expect(ids()).not.toContain(wanted.person);
  expect(await world.order(wanted)).toMatchObject({ state: 'waiting' });
  expect(await world.order(wanted, other)).toEqual({ state: 'done', alone: false });
  expect(ids()).toContain(wanted.person);
  expect(world.authority.people.waitingOrder()).toBeUndefined();
});

test('an operator cannot give himself a role, a key or a second account (insider)', async () => {
  const other = await world.letIn(['operator']);
  const before = world.statements('people').length;
  const role = { person: other.id, change: { kind: 'roles', roles: ['operator', 'approver'] } } as const;
  const key = { person: other.id, change: { kind: 'key-added', key: keyOf(newSigner()) } } as const;
  const account = newcomer(['approver']);
  for (const { person, change } of [role, key, account]) {
    const wanted = { person, change: change as PeopleChange };
    expect(await world.order(wanted, other)).toMatchObject({ state: 'waiting' });
    expect(await world.order(wanted, other)).toMatchObject({ state: 'waiting' });
  }
  // a second key of the same person is no second person
  expect(world.statements('people')).toHaveLength(before);
  expect(world.authority.people.get(other.id)?.roles).toEqual(['operator']);
});

test('an operator cannot make himself the last one, and nobody removes the last', async () => {
  const other = await world.letIn(['operator']);
  const removed = { person: other.id, change: { kind: 'removed' } } as const;
  expect(await world.order(removed)).toMatchObject({ state: 'waiting' });
  expect(await world.order(removed, other)).toEqual({ state: 'done', alone: false });
  expect(ids()).toEqual([world.init.person]);
  const last = { person: world.init.person, change: { kind: 'removed' } } as const;
  expect(await refused(() => world.order(last))).toBe('people');
  const given = { person: world.init.person, change: { kind: 'roles', roles: ['approver'] as 'approver'[] } } as const;
  expect(await refused(() => world.order({ ...given, change: { ...given.change } }))).toBe('people');
});

test('an approver or an auditor orders nothing about others, and may give back what is his own', async () => {
  const approver = await world.letIn(['approver']);
  const auditor = await world.letIn(['auditor']);
  expect(auditor.ordered).toEqual({ state: 'done', alone: false });
  expect(await refused(() => world.order(newcomer(['auditor']), approver))).toBe('people');
  expect(await refused(() => world.order({ person: auditor.id, change: { kind: 'removed' } }, approver))).toBe(
    'people',
  );
  await world.order({ person: approver.id, change: { kind: 'removed' } }, approver);
  expect(ids()).not.toContain(approver.id);
});

test('a word serves once, for what it says, and only while nothing else changed', async () => {
  const { people } = world.authority;
  const wanted = newcomer(['auditor']);
  const word = await world.person.word('deed-people-v1', people.wordBytes(wanted, world.init.person));
  const stale = await world.person.word('deed-people-v1', people.wordBytes(newcomer(['auditor']), world.init.person));
  await people.order(word);
  expect(await refused(() => people.order(word))).toBe('word');
  expect(await refused(() => people.order(stale))).toBe('word');
  const stranger = newSigner();
  const asFirst = people.wordBytes(newcomer(['auditor']), world.init.person);
  expect(await refused(async () => people.order(await stranger.word('deed-people-v1', asFirst)))).toBe('people');
  const otherDomain = await world.person.word('deed-hold-v1', asFirst);
  expect(await refused(() => people.order(otherDomain))).toBe('signature');
});

test('a removed key signs nothing any more, a second one does, and all of it outlives a restart', async () => {
  const spare = newSigner();
  const me = world.init.person;
  await world.order({ person: me, change: { kind: 'key-added', key: keyOf(spare) } });
  await world.order(
    { person: me, change: { kind: 'key-removed', key: keyOf(world.person) } },
    { id: me, signer: spare },
  );
  await world.restart();
  expect(world.authority.people.get(me)).toMatchObject({ label: 'operator', keys: [keyOf(spare)] });
  expect(await refused(() => world.order(newcomer(['auditor']), first()))).toBe('people');
  const back = { person: me, change: { kind: 'key-added', key: keyOf(world.person) } } as const;
  expect(await refused(() => world.order(back, { id: me, signer: spare }))).toBe('key');
  expect(await world.order(newcomer(['auditor']), { id: me, signer: spare })).toMatchObject({ state: 'done' });
});

test('what was changed meanwhile makes an order that waits void', async () => {
  const other = await world.letIn(['operator']);
  const wanted = newcomer(['approver']);
  await world.order(wanted);
  await world.order(newcomer(['auditor']), other);
  expect(world.authority.people.waitingOrder()).toBeUndefined();
  expect(await world.order(wanted, other)).toMatchObject({ state: 'waiting' });
});

import { newId, utf8 } from '@deed/evidence';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { refused } from '../refused.ts';
import { World } from '../world.ts';
import { finishedTask, holdWord } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await World.begin();
});
afterAll(() => world.end());

test('a hold is placed by the signed word of an operator, also over an open task, and outlives a restart', async () => {
  const { agent } = await world.enrol();
  const task = await world.task(agent.id);
  const word = await holdWord(world, { task: task.id });
  const placed = await world.authority.legalHolds.say(word);
  expect(world.statements(`${task.id}/after`)).toMatchObject([
    { predicate: 'hold', body: { hold: placed.id, act: 'placed', person: world.init.person, word } },
  ]);
  await world.restart();
  expect(world.authority.legalHolds.ofTask(task.id)).toMatchObject([{ id: placed.id, reason: 'a claim is pending' }]);
  await world.authority.legalHolds.say(await holdWord(world, { task: task.id, act: 'released', hold: placed.id }));
  expect(world.authority.legalHolds.ofTask(task.id)).toEqual([]);
  await world.restart();
  expect(world.authority.legalHolds.list()).toEqual([]);
});

test('a word that does not fit places and releases nothing', async () => {
  const { task } = await finishedTask(world);
  const { legalHolds } = world.authority;
  const say = async (over: Parameters<typeof holdWord>[1]) => legalHolds.say(await holdWord(world, over));
  const { id } = await say({ task });
  const other = (await finishedTask(world)).task;
  expect(await refused(() => say({ task, hold: id }))).toBe('legal-hold');
  expect(await refused(() => say({ task, act: 'released', hold: newId('hold', 1) }))).toBe('legal-hold');
  expect(await refused(() => say({ task: other, act: 'released', hold: id }))).toBe('legal-hold');
  expect(await refused(() => say({ task, origin: 'another.example/log' }))).toBe('legal-hold');
  expect(await refused(() => say({ task: newId('task', 1) }))).toBe('unknown-task');
  expect(await refused(() => say({ task, person: newId('person', 1) }))).toBe('unknown-person');
  expect(legalHolds.list().map((hold) => hold.id)).toEqual([id]);
  await say({ task, act: 'released', hold: id });
  const again = await holdWord(world, { task, hold: id });
  expect(await refused(() => legalHolds.say(again))).toBe('legal-hold');
  const spaced = await world.person.word('deed-hold-v1', utf8(`${Buffer.from(again.bytes, 'base64')} `));
  expect(await refused(() => legalHolds.say(spaced))).toBe('legal-hold');
});

test('a key that is no operator’s places none, and what was erased cannot be protected', async () => {
  const { task } = await finishedTask(world);
  const { legalHolds, erasures } = world.authority;
  const { signer, ...approver } = await world.letIn(['approver']);
  const fields = Buffer.from((await holdWord(world, { task, person: approver.id })).bytes, 'base64');
  expect(await refused(async () => legalHolds.say(await signer.word('deed-hold-v1', fields)))).toBe('not-approver');
  const asOperator = Buffer.from((await holdWord(world, { task })).bytes, 'base64');
  expect(await refused(async () => legalHolds.say(await signer.word('deed-hold-v1', asOperator)))).toBe('word');
  await erasures.erase({ task, by: { kind: 'person', person: world.init.person }, why: 'asked for' });
  expect(await refused(async () => legalHolds.say(await holdWord(world, { task })))).toBe('erased');
});

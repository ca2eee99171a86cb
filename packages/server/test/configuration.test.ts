import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fsck } from '@deed/ledger';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { examinations } from '../src/examination.ts';
import { World } from './support/world.ts';

let world: World;
beforeAll(async () => {
  world = await World.begin();
});
afterAll(() => world.end());

const stated = () =>
  world.statements('deployment').filter(({ predicate }) => predicate === 'configuration-stated').length;
const problems = () =>
  fsck(world.dir, { rooms: examinations })
    .problems.filter(({ code }) => code !== 'unfinished')
    .map(({ where }) => where);
async function again(): Promise<void> {
  await world.serving.close();
  world.serving = await world.serve();
}

test('what is set at the beginning is in the log, and a start that changes nothing says nothing', async () => {
  expect(stated()).toBe(1);
  await again();
  expect(stated()).toBe(1);
  expect(problems()).toEqual([]);
});

test('each change by the API is in the log before it is answered', async () => {
  await world.scripted();
  expect(stated()).toBe(2);
  await world.post('/v1/witnesses', { change: 'attest', attest: 'closed' });
  expect(stated()).toBe(3);
  expect((await world.api('POST', '/v1/tools', { name: 'no such kind' })).status).toBe(400);
  expect(stated()).toBe(3);
  expect(problems()).toEqual([]);
});

test('a change by hand is named by fsck, until a start has said it in the log', async () => {
  const file = join(world.dir, 'config.json');
  writeFileSync(file, readFileSync(file, 'utf8').replace('closed', 'open'));
  expect(problems()).toEqual(['config.json']);
  await again();
  expect(stated()).toBe(4);
  expect(problems()).toEqual([]);
});

test('a tool that is changed in the database is named by its row', async () => {
  await world.serving.close();
  const database = new DatabaseSync(join(world.dir, 'deed.db'));
  database.exec(`UPDATE tool SET env = '{"GATE":"http://elsewhere.example"}'`);
  database.close();
  expect(problems()).toEqual(['table tool, row fixture']);
  world.serving = await world.serve();
});

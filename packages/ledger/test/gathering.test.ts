import { afterEach, beforeEach, expect, test } from 'vitest';
import { draft, World } from './world.ts';

let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(() => world.tidy());

const patient = () => ({ ...draft('deployment'), patient: true });

test('what nobody waits for gathers, and goes into the log with the next that somebody waits for, in order', async () => {
  const { endpoint } = await world.witness('local');
  const ledger = await world.ledger({ witnesses: [endpoint] });
  const looked = [ledger.record(patient()), ledger.record(patient())];
  expect(ledger.size).toBe(0);
  const { index } = await ledger.record(draft('deployment')).durable;
  expect(index).toBe(2);
  expect(await Promise.all(looked.map(({ durable }) => durable))).toEqual([{ index: 0 }, { index: 1 }]);
});

test('what nobody waits for goes into the log by itself, and before the log is closed', async () => {
  const { endpoint } = await world.witness('local');
  const ledger = await world.ledger({ witnesses: [endpoint] });
  await ledger.record(patient()).durable;
  expect(ledger.size).toBe(1);
  const last = ledger.record(patient()).durable;
  await world.close(ledger);
  expect(await last).toEqual({ index: 1 });
});

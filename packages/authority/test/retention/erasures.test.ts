import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StatementWith } from '@deed/evidence';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { proves } from '../../../../tests/promises.ts';
import { refused } from '../refused.ts';
import { Worker, World } from '../world.ts';
import { finishedTask, holdWord, onDisk, tracesOf } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await World.begin();
});
afterAll(() => world.end());

const by = () => ({ kind: 'person', person: world.init.person }) as const;
const why = 'its subject asked for it';
const erase = (task: string, payloads?: readonly string[]) =>
  world.authority.erasures.erase({ task, by: by(), why, ...(payloads ? { payloads } : {}) });
const keyFile = (task: string) => join(world.dir, 'keys', 'tasks', task);
const erasedIn = (task: string) =>
  world.statements(`${task}/after`).filter((each): each is StatementWith<'erased'> => each.predicate === 'erased');

describe('erasing a task', () => {
  test('takes its key and every payload from the disk, says so, and leaves every statement', async () => {
    proves('invariant-10');
    const { task } = await finishedTask(world);
    const kept = await finishedTask(world);
    const { payloads } = world.authority.erasures.plan({ task });
    const others = world.authority.erasures.plan({ task: kept.task }).payloads;
    const [traces, otherTraces] = [tracesOf(world, payloads), tracesOf(world, others)];
    const key = readFileSync(keyFile(task));
    expect(onDisk(world, [...traces, key])).toBe(traces.length + 1);
    const rowsOf = (id: string) =>
      world.ledger.database.all('SELECT 1 FROM payload WHERE substr(sealed, 3, 30) = ?', Buffer.from(id)).length;
    const rows = rowsOf(kept.task);
    expect([rowsOf(task), rows > 3]).toEqual([rows, true]);
    const before = world.ledger.size;
    const series = world.statements(task);

    const { statement, complete } = await erase(task);
    expect(complete).toBe(true);
    expect(onDisk(world, [...traces, key])).toBe(0);
    expect(onDisk(world, otherTraces)).toBe(otherTraces.length);
    expect([rowsOf(task), rowsOf(kept.task)]).toEqual([0, rows]);
    expect(payloads.some((name) => world.authority.vault.has(name))).toBe(false);
    expect(world.statements(task)).toEqual(series);
    expect(world.ledger.size).toBe(before + 1);
    expect(erasedIn(task)).toMatchObject([{ digest: statement, body: { scope: 'task', payloads, by: by(), why } }]);
    expect(await refused(() => erase(task))).toBe('erased');
    expect(world.authority.tasks.get(task)).toMatchObject({ principalId: 'erased', allow: [] });
  });

  test('keeps nothing of what comes later for it: a late refusal says digests alone', async () => {
    proves('invariant-8');
    const { worker, task } = await finishedTask(world);
    await erase(task);
    const late = await worker.message('write_file');
    expect(await refused(() => world.authority.actions.admit(late))).toBe('task-closed');
    await world.ledger.settled();
    const refusal = world.statements(`${task}/after`).at(-1);
    expect(refusal).toMatchObject({ predicate: 'refusal', body: { reason: 'task-closed' } });
    expect(JSON.stringify(refusal?.body)).not.toContain('"kept":true');
    expect(existsSync(keyFile(task))).toBe(false);
    expect(await refused(() => erase(task))).toBe('erased');
  });

  test('is refused while it is open, while an action is under way, and of a task that is none', async () => {
    const worker = await Worker.begin(world);
    expect(await refused(() => erase(worker.task.id))).toBe('task-open');
    const { actions, tasks } = world.authority;
    const admitted = await worker.admitted('write_file');
    const proposal = worker.propose('write_file');
    const intent = actions.intend(admitted, proposal, actions.decide(admitted, proposal));
    await tasks.close(worker.task.id, 'operator');
    expect(await refused(() => erase(worker.task.id))).toBe('task-busy');
    await actions.conclude(intent, { status: 'ok' }).durable;
    expect((await erase(worker.task.id)).complete).toBe(true);
    expect(await refused(() => erase('tsk_01M81B5H8011XEGGPTM5DD17Q6'))).toBe('unknown-task');
  });

  test('waits for what was recorded a moment ago, and names its payloads too', async () => {
    const { worker, task } = await finishedTask(world);
    const late = await worker.message('write_file');
    const rejected = refused(() => world.authority.actions.admit(late));
    await rejected;
    const [refusal] = await Promise.all([
      erase(task).then(() => world.statements(`${task}/after`).find(({ predicate }) => predicate === 'refusal')),
    ]);
    if (refusal?.predicate !== 'refusal') return expect.fail('no refusal');
    const { evidence } = refusal.body.authority ?? {};
    expect(evidence?.kept).toBe(true);
    expect(erasedIn(task)[0]?.body.payloads).toContain(evidence?.sha256);
  });

  test('is by an operator who is enrolled, with a reason', async () => {
    const { task } = await finishedTask(world);
    const { erasures } = world.authority;
    const stranger = { kind: 'person', person: 'per_01M81B5H8011XEGGPTM5DD17Q6' } as const;
    expect(await refused(() => erasures.erase({ task, by: stranger, why }))).toBe('unknown-person');
    for (const reason of ['', '  ', 'x'.repeat(513)])
      expect(await refused(() => erasures.erase({ task, by: by(), why: reason }))).toBe('why');
    expect(erasedIn(task)).toEqual([]);
  });
});

describe('erasing payloads', () => {
  test('takes these from the files of the database and the objects, and no other', async () => {
    const { task } = await finishedTask(world);
    const { payloads } = world.authority.erasures.plan({ task });
    const intent = world.statements(task).find(({ predicate }) => predicate === 'intent');
    const outcome = world.statements(task).find(({ predicate }) => predicate === 'outcome');
    if (intent?.predicate !== 'intent' || outcome?.predicate !== 'outcome') return expect.fail();
    const wanted = [intent.body.record.sha256, outcome.body.result?.sha256 ?? ''].sort();
    const rest = payloads.filter((name) => !wanted.includes(name));
    const [traces, others] = [tracesOf(world, wanted), tracesOf(world, rest)];
    const { complete } = await erase(task, wanted);
    expect(complete).toBe(true);
    expect(onDisk(world, traces)).toBe(0);
    expect(onDisk(world, others)).toBe(rest.length);
    expect(existsSync(keyFile(task))).toBe(true);
    expect(erasedIn(task)).toMatchObject([{ body: { scope: 'payloads', payloads: wanted } }]);
    expect(await refused(() => erase(task, wanted))).toBe('unknown-payload');
    await erase(task);
    expect(erasedIn(task)[1]?.body).toMatchObject({ scope: 'task', payloads: rest });
  });

  test('is refused for those of another task, and without names for those of none', async () => {
    const [one, two] = [await finishedTask(world), await finishedTask(world)];
    const [foreign = ''] = world.authority.erasures.plan({ task: two.task }).payloads;
    expect(await refused(() => erase(one.task, [foreign]))).toBe('unknown-payload');
    expect(await refused(() => erase('deployment'))).toBe('unknown-payload');
    expect(await refused(() => erase('deployment', [foreign]))).toBe('unknown-payload');
    expect(world.authority.vault.has(foreign)).toBe(true);
  });
});

test('a hold refuses both, names itself and its reason, and lets go when it is released', async () => {
  const { task } = await finishedTask(world);
  const hold = await world.authority.legalHolds.say(await holdWord(world, { task }));
  const { payloads } = world.authority.erasures.plan({ task: (await finishedTask(world)).task });
  for (const attempt of [() => erase(task), () => erase(task, payloads)]) {
    const error: Error = await attempt().then(
      () => expect.fail(),
      (cause) => cause,
    );
    expect(error).toMatchObject({ code: 'held', message: expect.stringContaining(`${hold.id}`) });
    expect(error.message).toContain('a claim is pending');
  }
  await world.authority.legalHolds.say(await holdWord(world, { task, act: 'released', hold: hold.id }));
  expect((await erase(task)).complete).toBe(true);
});

test('a crash after the statement leaves an erasure that the next start completes', async () => {
  proves('invariant-2');
  for (const whole of [true, false]) {
    const { task } = await finishedTask(world);
    const { payloads } = world.authority.erasures.plan({ task });
    const traces = tracesOf(world, payloads);
    const key = readFileSync(keyFile(task));
    const { vault } = world.authority;
    // The process ends as soon as the statement is durable: nothing of what follows happens.
    const crash = () => {
      throw new Error('crash');
    };
    Object.assign(vault, { eraseObjects: crash });
    vault.taskKeys.destroyKey = crash;
    await expect(erase(task, whole ? undefined : payloads)).rejects.toThrow('crash');
    expect(onDisk(world, [...traces, key])).toBeGreaterThan(1);
    expect(erasedIn(task)).toHaveLength(1);
    await world.restart('unclean');
    expect(world.authority.vault.eraseObjects).not.toBe(crash);
    expect(onDisk(world, traces)).toBe(0);
    expect(onDisk(world, [key])).toBe(whole ? 0 : 1);
    expect(world.ledger.database.all('SELECT 1 FROM erasure WHERE done = 0')).toEqual([]);
    expect(erasedIn(task)).toHaveLength(1);
  }
});

test('nobody reads for a statement while something is erased, and erasure waits for who does', async () => {
  const { custody } = world.authority;
  const { task } = await finishedTask(world);
  const order: string[] = [];
  const gate = Promise.withResolvers<void>();
  const reading = custody.shared(async () => {
    await gate.promise;
    order.push(world.authority.vault.has(world.authority.erasures.plan({ task }).payloads[0] ?? '') ? 'read' : 'gone');
  });
  const erasing = erase(task).then(() => order.push('erased'));
  const late = custody.shared(async () => order.push('read later'));
  gate.resolve();
  await Promise.all([reading, erasing, late]);
  expect(order).toEqual(['read', 'erased', 'read later']);
});

test('an erasure that a reader of the database holds up is done at the next occasion', async () => {
  const { task } = await finishedTask(world);
  const { payloads } = world.authority.erasures.plan({ task });
  const traces = tracesOf(world, payloads);
  const { database } = world.ledger;
  const purge = database.purge.bind(database);
  const { StoreError } = await import('@deed/store');
  database.purge = () => {
    throw new StoreError('busy', 'a reader');
  };
  expect((await erase(task, payloads)).complete).toBe(false);
  expect(world.authority.erasures.finish()).toBe(1);
  database.purge = purge;
  expect(world.authority.erasures.finish()).toBe(0);
  expect(onDisk(world, traces)).toBe(0);
});

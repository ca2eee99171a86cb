import { openPayload } from '@deed/evidence';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { proves } from '../../../../tests/promises.ts';
import { refused } from '../refused.ts';
import { Worker, World } from '../world.ts';

let world: World;
beforeAll(async () => {
  world = await World.begin();
});
afterAll(() => world.end());

test('a task says in whose name, by whom, what for, how far and until when', async () => {
  const worker = await Worker.begin(world);
  const [opened] = world.statements(worker.task.id);
  if (opened?.predicate !== 'task-opened') return expect.fail();
  expect(opened).toMatchObject({
    digest: worker.task.opened,
    subject: { name: `task:${worker.task.id}`, sha256: opened.body.objective.sha256 },
    body: {
      agent: { id: worker.agent.id, spiffe: worker.agent.spiffe, enrolled: worker.agent.enrolled },
      ceiling: 'approve',
      grant: world.init.grant,
      implicit: false,
    },
  });
  const { vault } = world.authority;
  const open = (name: string) => Buffer.from(openPayload(vault.get(name), name).bytes).toString();
  expect(open(opened.body.objective.sha256)).toBe('Mend the typo in README.md');
  expect(JSON.parse(open(opened.body.principal.sha256))).toMatchObject({ v: 1, kind: 'person', id: 'prn_1' });
  expect(JSON.parse(open(opened.body.allow.sha256))).toEqual(worker.task.allow);
});

test('fields that do not fit are refused before anything is written', async () => {
  const { agent } = await world.enrol('careful');
  const size = world.ledger.size;
  const code = (over: Parameters<World['task']>[1], of: string | null = agent.id) =>
    refused(() => world.task(of, over));
  expect(await code({}, null)).toBe('task');
  expect(await code({ implicit: true })).toBe('task');
  expect(await code({ implicit: true, ceiling: 'approve' }, null)).toBe('task');
  expect(await code({ objective: ' ' })).toBe('task');
  expect(await code({ deadline: world.clock.now() - 1 })).toBe('task');
  expect(await code({ budget: { actions: -1 } })).toBe('task');
  expect(await code({}, 'agt_unknown')).toBe('unknown-agent');
  expect(world.ledger.size).toBe(size);
});

test('closing counts the chain, names open intents and outputs, and later outcomes stand after it', async () => {
  proves('invariant-5', 'invariant-2');
  const worker = await Worker.begin(world);
  const { actions, tasks } = world.authority;
  const admitted = await worker.admitted('write_file');
  const proposal = worker.propose('write_file');
  const intent = actions.intend(admitted, proposal, actions.decide(admitted, proposal));
  const outputs = [{ name: 'commit', digest: { sha1: 'a'.repeat(40) } }];
  const closing = tasks.close(worker.task.id, 'principal', outputs);
  const outcome = actions.conclude(intent, { status: 'ok', result: { bytes: Buffer.from('late') } });
  const digest = await closing;
  await outcome.durable;
  expect(world.statements(worker.task.id).at(-1)).toMatchObject({
    digest,
    predicate: 'task-closed',
    body: { reason: 'principal', count: 3, open: [intent.digest], outputs },
  });
  expect(world.statements(`${worker.task.id}/after`)).toMatchObject([
    { predicate: 'outcome', body: { intent: intent.digest, status: 'ok' } },
  ]);
  expect(await tasks.close(worker.task.id, 'operator')).toBe(digest);
  expect(tasks.get(worker.task.id)).toMatchObject({ state: 'closed', closed: digest, epoch: 1 });
  expect(await refused(() => tasks.close('tsk_none', 'operator'))).toBe('unknown-task');
});

test('the secret of a task dies with it: equal bytes meet inside an open task and never again', async () => {
  const worker = await Worker.begin(world);
  const { vault, tasks } = world.authority;
  const put = () => vault.put(worker.task.id, Buffer.from('same'), 'text/plain').sha256;
  const first = put();
  expect(put()).toBe(first);
  await tasks.close(worker.task.id, 'principal');
  expect(vault.taskKeys.withSecret()).not.toContain(worker.task.id);
  expect(put()).not.toBe(first);
  expect(Buffer.from(openPayload(vault.get(first), first).bytes).toString()).toBe('same');
});

test('a task closes at its deadline, in this run or the next', async () => {
  const deadline = world.clock.now() + 3_600_000;
  const [now, later] = [await Worker.begin(world, { deadline }), await Worker.begin(world, { deadline: deadline + 1 })];
  world.clock.advance(3_600_000);
  await world.authority.tasks.close(now.task.id, 'operator'); // waits for the closing that is under way
  expect(world.statements(now.task.id).at(-1)).toMatchObject({
    predicate: 'task-closed',
    body: { reason: 'deadline' },
  });
  await world.authority.close();
  await world.ledger.close();
  world.clock.advance(10);
  await world.open();
  world.clock.advance(1);
  await world.authority.tasks.close(later.task.id, 'operator');
  expect(world.statements(later.task.id).at(-1)).toMatchObject({ body: { reason: 'deadline' } });
  const { tasks } = world.authority;
  const { agent } = await world.enrol();
  const long = await world.task(agent.id, { deadline: world.clock.now() + 400 * 86_400_000 });
  expect(tasks.get(long.id)?.deadlineMs).toBe(world.authority.grants.current(null).expiresMs);
});

test('after a crash each open task says that something may be missing, and open intents end as unknown', async () => {
  const [one, two] = [await Worker.begin(world), await Worker.begin(world)];
  const { actions } = world.authority;
  const admitted = await one.admitted('write_file');
  const proposal = one.propose('write_file');
  const intent = actions.intend(admitted, proposal, actions.decide(admitted, proposal));
  await intent.durable;
  await world.restart('unclean');
  for (const { task } of [one, two]) {
    expect(world.statements(`${task.id}/after`).map(({ predicate }) => predicate)).toEqual(['observe-gap']);
  }
  expect(world.statements(one.task.id).at(-1)).toMatchObject({
    predicate: 'outcome',
    body: { intent: intent.digest, status: 'unknown' },
  });
  await world.restart('clean');
  expect(world.statements(`${one.task.id}/after`)).toHaveLength(1);
  await world.authority.actions.conclude(intent, { status: 'ok' }).durable;
  expect(world.statements(one.task.id).at(-1)).toMatchObject({ body: { status: 'ok' } });
});

test('without a grant in force no task opens; a renewed waiver lets it', async () => {
  const { agent } = await world.enrol();
  world.clock.advance(31 * 86_400_000);
  expect(await refused(() => world.task(agent.id))).toBe('grant-expired');
  await world.authority.grants.waive(30);
  expect((await world.task(agent.id)).state).toBe('open');
});

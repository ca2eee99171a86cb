import { openPayload, parseActionRecord, sha256, toHex } from '@deed/evidence';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { proves } from '../../../../tests/promises.ts';
import { replayDecision } from '../../src/policy/evaluate.ts';
import { refused } from '../refused.ts';
import { push, Worker, World } from '../world.ts';

let world: World;
beforeAll(async () => {
  world = await World.begin();
});
afterAll(() => world.end());

const written = { kind: 'paths' as const, paths: [{ argument: 'path', given: 'a', real: '/srv/a' }] };
const last = (series: string) => world.statements(series).at(-1);

test('an action leaves an intent and an outcome that name agent, authority, decision, record and result', async () => {
  proves('invariant-1');
  const worker = await Worker.begin(world);
  const { actions, vault } = world.authority;
  const admitted = await worker.admitted('write_file', '{"path": "a"}');
  const proposal = worker.propose('write_file', { args: '{"path": "a"}', operands: written });
  expect(actions.decide(admitted, proposal)).toMatchObject({ outcome: 'deny', reason: 'outside-grant' });

  const free = await Worker.begin(world, { allow: [{ server: 'files', paths: { under: ['/srv'] } }] });
  const in_ = await free.admitted('write_file', '{"path": "a"}');
  const what = free.propose('write_file', { args: '{"path": "a"}', operands: written });
  const verdict = actions.decide(in_, what);
  expect(verdict).toMatchObject({ outcome: 'allow', tier: 'record', needsApproval: false, unearned: false });
  const intent = actions.intend(in_, what, verdict);
  const { index } = await intent.durable;
  expect(world.ledger.entry(index)).toBeDefined(); // dispatch may begin only now
  const result = { bytes: Buffer.from('{"ok":true}') };
  await actions.conclude(intent, { status: 'ok', result }).durable;

  const [, said, done] = world.statements(free.task.id);
  if (said?.predicate !== 'intent' || done?.predicate !== 'outcome') return expect.fail();
  expect(said.subject).toEqual({ name: `action:${what.action}`, sha256: said.body.record.sha256 });
  expect(done.body).toMatchObject({ intent: intent.digest, status: 'ok', supersedes: null });
  const open = (name: string) => openPayload(vault.get(name), name).bytes;
  expect(parseActionRecord(open(said.body.record.sha256))).toEqual(what.record);
  expect(Buffer.from(open(done.body.result?.sha256 ?? '')).toString()).toBe('{"ok":true}');
  const evidence = JSON.parse(Buffer.from(open(said.body.authority.evidence?.sha256 ?? '')).toString());
  expect(evidence).toMatchObject({ v: 1, message: expect.stringContaining('"write_file"') });
  const { decision } = said.body;
  const replayed = replayDecision(open(decision.inputs.sha256), world.authority.policy.folderOf(decision.bundle));
  expect(replayed).toMatchObject({ outcome: decision.outcome, tier: said.body.tier, reasons: decision.reasons });
});

test('what is only observed is named but not kept', async () => {
  const worker = await Worker.begin(world);
  const { actions, vault } = world.authority;
  const admitted = await worker.admitted('read_file');
  const proposal = worker.propose('read_file');
  const intent = actions.intend(admitted, proposal, actions.decide(admitted, proposal));
  await actions.conclude(intent, { status: 'ok', result: { bytes: Buffer.from('secret') } }).durable;
  const [, said, done] = world.statements(worker.task.id);
  if (said?.predicate !== 'intent' || done?.predicate !== 'outcome') return expect.fail();
  expect(said.body.tier).toBe('observe');
  for (const ref of [said.body.record, said.body.decision.inputs, said.body.authority.evidence, done.body.result]) {
    expect(ref?.kept).toBe(false);
    expect(await refused(() => vault.get(ref?.sha256 ?? ''))).toBe('vault');
  }
});

test('a denial is a refusal with its decision, and nothing follows it', async () => {
  proves('invariant-8');
  const worker = await Worker.begin(world);
  const { actions } = world.authority;
  const admitted = await worker.admitted('git_reset');
  const proposal = worker.propose('git_reset');
  const verdict = actions.decide(admitted, proposal);
  expect(verdict).toMatchObject({ outcome: 'deny', reason: 'denied', detail: expect.stringContaining('no-rewiring') });
  await actions.refuse(admitted, proposal, verdict.reason ?? 'denied', verdict.detail, { verdict }).durable;
  const said = last(worker.task.id);
  expect(said).toMatchObject({
    predicate: 'refusal',
    body: { reason: 'denied', decision: { outcome: 'deny', reasons: ['git-no-rewiring'] }, cites: null },
  });
  const again = await worker.admitted('git_reset');
  expect(await refused(() => actions.intend(again, proposal, verdict))).toBe('denied');
});

test('an intent has one outcome; an unknown one is superseded once', async () => {
  const worker = await Worker.begin(world);
  const { actions } = world.authority;
  const begin = async () => {
    const admitted = await worker.admitted('write_file');
    const proposal = worker.propose('write_file');
    return actions.intend(admitted, proposal, actions.decide(admitted, proposal));
  };
  const sure = await begin();
  actions.conclude(sure, { status: 'error' });
  expect(await refused(() => actions.conclude(sure, { status: 'ok' }))).toBe('outcome');
  const unsure = await begin();
  const unknown = actions.conclude(unsure, { status: 'unknown' });
  const settled = actions.conclude(unsure, { status: 'ok' });
  expect(await refused(() => actions.conclude(unsure, { status: 'ok' }))).toBe('outcome');
  await settled.durable;
  expect(last(worker.task.id)).toMatchObject({ body: { status: 'ok', supersedes: unknown.digest } });
  await world.restart();
  expect(await refused(() => world.authority.actions.conclude(unsure, { status: 'ok' }))).toBe('outcome');
  expect(await refused(() => world.authority.actions.conclude({ digest: '0'.repeat(64) }, { status: 'ok' }))).toBe(
    'unknown-intent',
  );
});

test('a refusal that cites an intent ends it: operands that changed at dispatch', async () => {
  proves('invariant-7');
  const worker = await Worker.begin(world);
  const { actions, tasks } = world.authority;
  const admitted = await worker.admitted('write_file');
  const proposal = worker.propose('write_file');
  const verdict = actions.decide(admitted, proposal);
  const intent = actions.intend(admitted, proposal, verdict);
  await actions.refuse(admitted, proposal, 'operands-changed', 'other paths', { verdict, cites: intent.digest })
    .durable;
  expect(await refused(() => actions.conclude(intent, { status: 'ok' }))).toBe('outcome');
  await tasks.close(worker.task.id, 'principal');
  expect(last(worker.task.id)).toMatchObject({ predicate: 'task-closed', body: { open: [], count: 4 } });
});

test('beyond its budget a task begins nothing', async () => {
  const worker = await Worker.begin(world, { budget: { actions: 2 } });
  const { actions } = world.authority;
  const codes: string[] = [];
  for (let i = 0; i < 4; i++) {
    const admitted = await worker.admitted('write_file');
    const proposal = worker.propose('write_file');
    const verdict = actions.decide(admitted, proposal);
    try {
      actions.intend(admitted, proposal, verdict);
      codes.push('begun');
    } catch (error) {
      codes.push((error as { code: string }).code);
    }
  }
  expect(codes).toEqual(['begun', 'begun', 'outside-grant', 'outside-grant']);
  await world.restart();
  expect(world.authority.tasks.get(worker.task.id)?.used).toBe(2);
});

test('a policy that changes while an action waits is asked again', async () => {
  const worker = await Worker.begin(world);
  const { actions, grants } = world.authority;
  const admitted = await worker.admitted('git_push');
  const proposal = worker.propose('git_push', { server: 'git', operands: push });
  const verdict = actions.decide(admitted, proposal);
  expect(verdict).toMatchObject({ outcome: 'allow', needsApproval: true, unearned: true });
  const before = grants.current(null);
  const expires = new Date(world.clock.now() + 86_400_000).toISOString();
  const common = { capability: '*', grade: 'E2', expires, reason: 'test' } as const;
  await grants.decide({ ...common, verdict: 'GRANTED', agent: worker.agent.id, ceiling: 'record' });
  expect(grants.current(worker.agent.id).digest).not.toBe(before.digest);
  expect(actions.decide(admitted, proposal)).toMatchObject({ outcome: 'deny', reason: 'outside-grant' });
  expect(await refused(() => actions.intend(admitted, proposal, verdict))).toBe('outside-grant');
});

test('the record must be of the action, the task and the tool that are proposed', async () => {
  const worker = await Worker.begin(world);
  const { actions } = world.authority;
  const admitted = await worker.admitted('write_file');
  const proposal = worker.propose('write_file');
  for (const over of [{ server: 'other' }, { tool: 'read_file' }, { executable: toHex(sha256()) }, { method: 'x' }]) {
    const record = { ...proposal.record, ...over };
    expect(await refused(() => actions.decide(admitted, { ...proposal, record }))).toBe('proposal');
  }
});

test('what an agent sends cannot make the case of its task unreadable', async () => {
  const worker = await Worker.begin(world);
  const { actions } = world.authority;
  const admitted = await worker.admitted('write_file');
  const long = worker.propose('x'.repeat(5000));
  expect(await refused(() => actions.decide(admitted, long))).toBe('proposal');
  await actions.refuse(admitted, { ...long, method: 'm'.repeat(600) }, 'tool-unknown', 'd'.repeat(3000)).durable;
  expect(last(worker.task.id)).toMatchObject({ predicate: 'refusal', body: { record: null, tool: null } });
});

test('when the log cannot write, the action is refused', async () => {
  proves('invariant-1');
  const own = await World.begin();
  const worker = await Worker.begin(own);
  const { actions } = own.authority;
  const admitted = await worker.admitted('write_file');
  const proposal = worker.propose('write_file');
  const verdict = actions.decide(admitted, proposal);
  await own.ledger.close();
  expect(await refused(() => actions.intend(admitted, proposal, verdict))).toBe('stopped');
});

test('an action that was refused begins no more', async () => {
  const worker = await Worker.begin(world);
  const { actions } = world.authority;
  const admitted = await worker.admitted('write_file');
  const proposal = worker.propose('write_file');
  const verdict = actions.decide(admitted, proposal);
  actions.refuse(admitted, proposal, 'cancelled', 'the caller left', { verdict });
  const again = await worker.admitted('write_file');
  expect(await refused(() => actions.intend(again, proposal, verdict))).toBe('proposal');
});

test('what was not seen by the gateway itself is capped at tier record', async () => {
  const worker = await Worker.begin(world);
  const admitted = await worker.admitted('git_push');
  const hooked = worker.propose('git_push', { server: 'git', operands: push, observed: 'hook' });
  const verdict = world.authority.actions.decide(admitted, hooked);
  expect(verdict).toMatchObject({ outcome: 'deny', reason: 'outside-grant' });
});

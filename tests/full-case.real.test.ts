import { type Report, verify } from '@deed/evidence';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { proves } from './promises.ts';
import { CaseWorld } from './support/case-world.ts';

let here: CaseWorld;
beforeAll(async () => {
  here = await CaseWorld.begin();
});
afterAll(() => here.end());

const ends = ({ actions }: Report) => actions.map(({ tier, end }) => `${tier ?? '-'} ${end}`);
const verdictOf = ({ verdict, reasons }: Report) => ({ verdict, reasons });
const sound = { verdict: 'VERIFIED', reasons: [] };

describe('the case of a task', () => {
  test('of honest work is VERIFIED, corroborated by the forge and signed by the witness', async () => {
    proves('verify-offline', 'invariant-9');
    const worker = await here.worker();
    await worker.act({ tool: 'read_file', path: '/srv/a' });
    await worker.act({ tool: 'write_file', args: '{"path":"/srv/a"}', path: '/srv/a' });
    await worker.refused({ tool: 'write_file', path: '/etc/passwd' });
    const push = await here.push(worker.credential, 'released');
    const released = await worker.act({ tool: 'git_push', push });
    await worker.close();
    expect(await here.reconciled(worker.task.id)).toEqual([]);
    const file = await here.export(worker.task.id);
    const report = verify(file, { trust: here.init.trustFile });
    expect(verdictOf(report)).toEqual(sound);
    expect(ends(report)).toEqual(['observe ok', 'record ok', '- refused', 'approve ok']);
    expect(report.witnesses.map(({ name }) => name)).toEqual(['local']);
    const { layers } = report.actions.find(({ action }) => action === released) ?? {};
    for (const layer of ['identity', 'decision', 'approval', 'record', 'anchor', 'corroboration'] as const)
      expect(layers?.[layer].state, layer).toBe('present');
    expect(verify(file, {}).verdict).toBe('UNANCHORED');
    const again = await here.verified(worker.task.id);
    expect(verdictOf(again)).toEqual(sound);
  });

  test('with a phantom and a hidden push is VERIFIED, and says so', async () => {
    proves('hidden-found', 'invariant-9');
    const worker = await here.worker();
    await worker.act({ tool: 'git_push', push: { old: '1'.repeat(40), new: '2'.repeat(40) } });
    await here.push(worker.credential, 'hidden');
    await worker.close();
    expect(await here.reconciled(worker.task.id)).toEqual(['hidden_side_effect', 'phantom_action']);
    const report = await here.verified(worker.task.id);
    expect(verdictOf(report)).toEqual(sound);
    expect(report.findings.map(({ type }) => type).sort()).toEqual(['hidden_side_effect', 'phantom_action']);
    expect(report.actions[0]?.layers.corroboration.state).toBe('missing');
  });

  test('with a stranger pushing beside it is VERIFIED: the stranger stands in the deployment, not in the task', async () => {
    const worker = await here.worker();
    await here.forge.putCredential('stranger', 'secret', ['service']);
    await here.push({ id: 'stranger', secret: 'secret' }, 'foreign');
    await worker.close();
    expect(await here.reconciled(worker.task.id)).toEqual([]);
    const report = await here.verified(worker.task.id);
    expect(verdictOf(report)).toEqual(sound);
    const found = here.statements('deployment').filter(({ predicate }) => predicate === 'finding');
    expect(found).toMatchObject([{ body: { type: 'unknown_credential', severity: 'critical' } }]);
  });

  test('with somebody who knows the id of its credential and not its secret is VERIFIED with that finding', async () => {
    const worker = await here.worker();
    await expect(here.push({ id: worker.credential.id, secret: 'guess' }, 'guessed')).rejects.toThrow();
    await worker.close();
    expect(await here.reconciled(worker.task.id)).toEqual(['unknown_credential']);
    const report = await here.verified(worker.task.id);
    expect(verdictOf(report)).toEqual(sound);
    expect(report.findings).toHaveLength(1);
  });

  test('that its deadline closed is VERIFIED', async () => {
    proves('invariant-5');
    const worker = await here.worker({ deadline: Date.now() + 1000 });
    await worker.act({ tool: 'write_file', path: '/srv/a' });
    const { tasks } = here.authority;
    await new Promise<void>((resolve) => {
      tasks.onClose((task) => task === worker.task.id && resolve());
      if (tasks.get(worker.task.id)?.state === 'closed') resolve();
    });
    await tasks.close(worker.task.id, 'operator'); // waits for the closing that is under way
    await expect(worker.begin({ tool: 'write_file', path: '/srv/a' })).rejects.toThrow();
    expect(await here.reconciled(worker.task.id)).toEqual([]);
    const report = await here.verified(worker.task.id);
    expect(verdictOf(report)).toEqual(sound);
    expect(here.statements(worker.task.id).at(-1)).toMatchObject({ body: { reason: 'deadline' } });
  });

  test('whose push ended after the close is VERIFIED: its outcome stands in `after`', async () => {
    const worker = await here.worker();
    const push = await here.push(worker.credential, 'in time');
    const { conclude } = await worker.begin({ tool: 'git_push', push });
    await worker.close();
    const open = await here.verified(worker.task.id);
    expect(open).toMatchObject({ verdict: 'INCOMPLETE', code: 4 });
    await conclude();
    expect(await here.reconciled(worker.task.id)).toEqual([]);
    const report = await here.verified(worker.task.id);
    expect(verdictOf(report)).toEqual(sound);
    expect(here.statements(`${worker.task.id}/after`).map(({ predicate }) => predicate)).toContain('outcome');
  });

  test('with a crash in the middle names the gap; what an approved push came to must be settled', async () => {
    proves('crash-safe', 'unknown-outcome', 'invariant-9');
    const worker = await here.worker();
    await worker.begin({ tool: 'write_file', path: '/srv/a' });
    const push = await here.push(worker.credential, 'lost in the crash');
    const { conclude } = await worker.begin({ tool: 'git_push', push });
    await here.crash();
    await worker.close();
    expect(await here.reconciled(worker.task.id)).toEqual(['ambiguous']);
    const report = await here.verified(worker.task.id);
    expect(report.verdict).toBe('INCOMPLETE');
    expect(report.reasons.map(({ message }) => message)).toContainEqual(
      expect.stringMatching(/what came of it is unknown$/),
    );
    expect(report.limits.join()).toContain('did not end in order');
    expect(ends(report)).toEqual(['record unknown', 'approve unknown']);

    await conclude(); // somebody looked, and settles it
    expect(await here.reconciled(worker.task.id)).toEqual(['ambiguous']);
    const settled = await here.verified(worker.task.id);
    expect(verdictOf(settled)).toEqual(sound);
    expect(settled.actions[1]).toMatchObject({ end: 'ok', layers: { corroboration: { state: 'present' } } });
  });

  test('of a task that has nothing to do with the forge is VERIFIED, however long ago the forge was read', async () => {
    const first = await here.worker();
    await first.close();
    await here.reconciled(first.task.id);
    const batches = () => here.statements('source:forge').length;
    // Until the forge has written down all that it was asked: then nothing is news.
    for (let before = -1; before !== batches(); ) {
      before = batches();
      await here.reconcile.run(first.task.id);
    }
    const quiet = await here.worker({ allow: [{ server: 'files', paths: { under: ['/srv'] } }] });
    await quiet.act({ tool: 'write_file', path: '/srv/a' });
    await quiet.close();
    await here.reconcile.run(quiet.task.id);
    expect(verdictOf(await here.verified(quiet.task.id))).toEqual(sound);
  });

  test('that is open, or that does not exist, is not exported', async () => {
    const worker = await here.worker();
    await expect(here.export(worker.task.id)).rejects.toMatchObject({ code: 'case' });
    await expect(here.export('tsk_00000000000000000000000000')).rejects.toMatchObject({ code: 'not-found' });
  });
});

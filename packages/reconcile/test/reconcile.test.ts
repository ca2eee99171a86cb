import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BatchJson, batchRoot, blindCredential, eventsRoot, fromHex, openPayload } from '@deed/evidence';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { proves } from '../../../tests/promises.ts';
import { addSource } from '../src/sources.ts';
import { ForgeWorld } from './forge-world.ts';

let here: ForgeWorld;
beforeAll(async () => {
  here = await ForgeWorld.begin();
});
afterAll(() => here.end());

const close = async (task: string) => {
  await here.world.authority.tasks.close(task, 'operator');
  await here.world.authority.credentials.settled(task);
};

describe('reconciliation with a real forge', () => {
  it('confirms the honest push, names the hidden one and the use after close, and no other', async () => {
    proves('hidden-found');
    const { worker, credential, secret } = await here.worker();
    const honest = await here.receipt(worker, await here.push(credential, secret, 'wanted'));
    const hidden = await here.push(credential, secret, 'hidden');
    await close(worker.task.id);
    await expect(here.push(credential, secret, 'too late')).rejects.toThrow();
    await here.watermarkPasses();
    const result = await here.reconcile.run(worker.task.id);
    expect(result).toMatchObject({ confirmed: [honest.action], pending: 0 });
    expect(result.findings.map(({ type }) => type).sort()).toEqual(['hidden_side_effect', 'use_after_close']);
    expect(result.findings.find(({ type }) => type === 'hidden_side_effect')?.why).toContain(hidden.new);

    const after = here.statements(`${worker.task.id}/after`).map(({ predicate }) => predicate);
    expect(after).toEqual(['confirmed', 'finding', 'finding', 'reconciled']);
  });

  it('adds nothing when it runs again and nothing is new, not even after a restart', async () => {
    const { worker, credential, secret } = await here.worker();
    await here.push(credential, secret, 'once');
    await here.watermarkPasses();
    const first = await here.reconcile.run(worker.task.id);
    const series = () =>
      here.statements('source:forge').filter(({ body }) => 'batch' in body && body.batch.events > 0).length;
    const batches = series();
    await here.world.restart();
    here.reconcile = here.open();
    const second = await here.reconcile.run(worker.task.id);
    expect(second.findings).toEqual(first.findings);
    expect(series()).toBe(batches);
    expect(here.statements(`${worker.task.id}/after`).filter(({ predicate }) => predicate === 'finding')).toHaveLength(
      1,
    );
  });

  it('anchors each batch as a tree with a sub-tree for each credential, which opens', async () => {
    const two = [await here.worker(), await here.worker()];
    for (const { credential, secret } of two) await here.push(credential, secret, `by ${credential}`);
    await here.watermarkPasses();
    for (const { worker } of two) await here.reconcile.run(worker.task.id);
    const batches = here.statements('source:forge').filter((statement) => statement.predicate === 'events-ingested');
    for (const { digest, body, subject } of batches) {
      const row = here.db.get<{ tree: string }>('SELECT tree FROM batch WHERE digest = ?', digest);
      const { leaves, disclosed } = JSON.parse(row?.tree ?? '') as BatchJson;
      expect(batchRoot(leaves)).toBe(body.batch.root);
      expect(subject.sha256).toBe(body.batch.root);
      for (const entry of disclosed) {
        expect(blindCredential(fromHex(entry.blind), entry.id)).toBe(entry.credential);
        expect(eventsRoot(entry.events)).toBe(leaves.find(({ credential }) => credential === entry.credential)?.root);
        for (const name of entry.events) openPayload(here.world.authority.vault.get(name), name);
      }
    }
    const named = two.map(({ worker }) => here.statements(worker.task.id)[0]);
    for (const opened of named) {
      const blinded = opened?.predicate === 'task-opened' ? (opened.body.credentials[0]?.blinded ?? '') : '';
      expect(here.db.get('SELECT 1 FROM event WHERE credential = ?', blinded)).toBeDefined();
    }
  });

  it('puts a push by a credential that was never issued into the series of the deployment', async () => {
    await here.forge.putCredential('somebody', 'else', ['service']);
    const { worker } = await here.worker();
    const pushed = await here.push('somebody', 'else', 'foreign');
    await here.watermarkPasses();
    const result = await here.reconcile.run(worker.task.id);
    expect(result.findings).toEqual([]);
    const found = here.statements('deployment').filter((statement) => statement.predicate === 'finding');
    expect(found.map(({ body }) => body.type)).toContain('unknown_credential');
    expect(found.some(({ body }) => body.why.includes(pushed.new))).toBe(true);
  });

  it('calls a success that the forge knows nothing of a phantom, once its record has passed that moment', async () => {
    const { worker } = await here.worker();
    await here.receipt(worker, { old: '1'.repeat(40), new: '2'.repeat(40) });
    await here.receipt(worker, { old: '3'.repeat(40), new: '4'.repeat(40) }, 'none');
    await here.watermarkPasses();
    const result = await here.reconcile.run(worker.task.id);
    expect(result.findings.map(({ type }) => type)).toEqual(['phantom_action', 'phantom_action']);
  });

  it('states what it looked at, how far it reaches, and what it covers', async () => {
    const { worker } = await here.worker();
    await here.reconcile.run(worker.task.id);
    const reconciled = here
      .statements(`${worker.task.id}/after`)
      .find((statement) => statement.predicate === 'reconciled');
    const head = here.statements('source:forge').at(-1)?.digest;
    expect(reconciled?.body).toMatchObject({
      rules: 'deed-match/2',
      confirmed: 0,
      findings: [],
      sources: [{ source: 'forge', head }],
    });
    expect(reconciled?.body.sources[0]?.coverage).toContain('pushes');
  });

  it('begins a source that is added at its present end', async () => {
    await addSource(here.db, { id: 'again', kind: 'git-forge', config: { dir: here.forgeDir } });
    const { worker } = await here.worker();
    await here.reconcile.run(worker.task.id);
    expect(here.db.all("SELECT 1 FROM event WHERE source = 'again'")).toEqual([]);
    await expect(
      addSource(here.db, { id: 'again', kind: 'git-forge', config: { dir: here.forgeDir } }),
    ).rejects.toMatchObject({ code: 'source' });
    here.db.transaction((tx) => tx.run("DELETE FROM source WHERE id = 'again'"));
  });

  it('refuses a task that does not exist', async () => {
    await expect(here.reconcile.run('tsk_00000000000000000000000000')).rejects.toMatchObject({ code: 'unknown-task' });
  });

  it('states that the record of a source was rewritten, and reads nothing more of it', async () => {
    const { worker, credential, secret } = await here.worker();
    const file = join(here.forgeDir, 'pushes.jsonl');
    const lines = readFileSync(file, 'utf8').split('\n');
    writeFileSync(file, lines.slice(1).join('\n'));
    appendFileSync(file, '');
    await here.push(credential, secret, 'after the rewriting');
    await here.watermarkPasses();
    const result = await here.reconcile.run(worker.task.id);
    expect(result.ingested[0]?.problems.join()).toMatch(/pushes\.jsonl/);
    const reconciled = here
      .statements(`${worker.task.id}/after`)
      .findLast((statement) => statement.predicate === 'reconciled');
    expect(reconciled?.body.sources[0]?.problems.length).toBeGreaterThan(0);
  });
});

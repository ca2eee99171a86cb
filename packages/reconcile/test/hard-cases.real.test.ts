import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { proves } from '../../../tests/promises.ts';
import { addSource } from '../src/sources.ts';
import { ForgeWorld } from './forge-world.ts';

let here: ForgeWorld;
beforeAll(async () => {
  here = await ForgeWorld.begin();
});
afterAll(() => here.end());

const findings = async (task: string) => {
  await here.watermarkPasses();
  return (await here.reconcile.run(task)).findings.map(({ type }) => type);
};

describe('reconciliation when something is odd', () => {
  it('waits for the outcome of a push that is under way, and then confirms it', async () => {
    proves('hidden-found');
    const { worker, credential, secret } = await here.worker();
    const moved = await here.push(credential, secret, 'pushed and answered');
    const { action, intent } = await here.begin(worker, moved);
    await here.watermarkPasses();
    expect(await here.reconcile.run(worker.task.id)).toMatchObject({ confirmed: [], pending: 1, findings: [] });
    await here.conclude(intent, moved);
    await here.watermarkPasses();
    expect(await here.reconcile.run(worker.task.id)).toMatchObject({ confirmed: [action], pending: 0, findings: [] });
  });

  it('says of a push whose outcome was lost in a crash that it was done', async () => {
    const { worker, credential, secret } = await here.worker();
    const moved = await here.push(credential, secret, 'pushed and lost');
    await here.begin(worker, moved);
    await here.world.restart('unclean');
    here.reconcile = here.open();
    expect(await findings(worker.task.id)).toEqual(['ambiguous']);
    expect(await findings(worker.task.id)).toEqual(['ambiguous']);
  });

  it('does not contradict what was done before its source was added', async () => {
    proves('invariant-12');
    const { worker, credential, secret } = await here.worker();
    here.db.transaction((tx) => tx.run('DELETE FROM source'));
    await here.receipt(worker, await here.push(credential, secret, 'early'));
    await addSource(here.db, { id: 'late', kind: 'git-forge', config: { dir: here.forgeDir } });
    expect(await findings(worker.task.id)).toEqual(['missing_coverage']);
    const moved = await here.push(credential, secret, 'covered');
    const { action } = await here.receipt(worker, moved);
    await here.watermarkPasses();
    expect(await here.reconcile.run(worker.task.id)).toMatchObject({ confirmed: [action] });
  });

  it('finds the same change in two repositories twice, though git noted it in the same bytes', async () => {
    const { worker } = await here.worker();
    await here.forge.createRepository('one');
    await here.forge.createRepository('two');
    const repositories = join(here.forgeDir, 'repositories');
    const id = (await here.git(join(repositories, 'service.git'), 'rev-parse', 'main')).trim();
    for (const name of ['one', 'two']) {
      const bare = join(repositories, `${name}.git`);
      await here.git(bare, 'fetch', '--quiet', join(repositories, 'service.git'), 'main');
      // A bypass of the hook, with the time that the other one has too.
      await here.git(bare, 'update-ref', 'refs/heads/main', id);
      const reflog = join(bare, 'logs', 'refs', 'heads', 'main');
      appendFileSync(reflog, `${id} ${'0'.repeat(40)} A <a@test.invalid> 1763800000 +0000\tback\n`);
    }
    const found = async () => {
      await here.watermarkPasses();
      await here.reconcile.run(worker.task.id);
      return here.statements('deployment').filter((statement) => statement.predicate === 'finding');
    };
    let all = await found();
    // Each request moves the watermark on, until it has passed the second that the reflog names.
    const cited = () => all.flatMap(({ body }) => body.events.map(({ event }) => event));
    for (let run = 0; cited().length < 4 && run < 50; run++) all = await found();
    expect(new Set(cited()).size).toBe(4);
    const names = all.map(({ body }) => /service|one|two/.exec(body.why)?.[0]);
    expect([...new Set(names)].sort()).toEqual(['one', 'two']);
  });

  it('says in one finding that a dead credential was tried a hundred times', async () => {
    const { worker, credential, secret } = await here.worker();
    await here.world.authority.tasks.close(worker.task.id, 'operator');
    await here.world.authority.credentials.settled(worker.task.id);
    await here.knock(credential, secret, 100);
    await here.watermarkPasses();
    const { findings: found } = await here.reconcile.run(worker.task.id);
    expect(found).toMatchObject([{ type: 'use_after_close', severity: 'medium' }]);
    expect(found[0]?.why).toContain('100 requests');
  });

  it('names each repository outside the task that its credential was tried on', async () => {
    const { worker, credential, secret } = await here.worker();
    for (const repository of ['payroll', 'secrets']) await here.knock(credential, secret, 1, repository);
    await here.knock(credential, 'guess');
    expect((await findings(worker.task.id)).sort()).toEqual(['scope_excess', 'scope_excess', 'unknown_credential']);
  });

  it('states a record that is broken in a thousand places, and reads on', async () => {
    const { worker, credential, secret } = await here.worker();
    appendFileSync(join(here.forgeDir, 'pushes.jsonl'), `{"broken":"${'x'.repeat(2000)}"\n`.repeat(1000));
    const { action } = await here.receipt(worker, await here.push(credential, secret, 'wanted in the end'));
    await here.watermarkPasses();
    const result = await here.reconcile.run(worker.task.id);
    expect(result.confirmed).toEqual([action]);
    expect(result.ingested[0]?.problems.at(-1)).toMatch(/^and \d+ more$/);
  });

  it('answers two runs at once one after the other, and finds each thing once', async () => {
    const { worker, credential, secret } = await here.worker();
    await here.push(credential, secret, 'hidden');
    await here.watermarkPasses();
    const both = await Promise.all([here.reconcile.run(worker.task.id), here.reconcile.run(worker.task.id)]);
    expect(both.map(({ findings: found }) => found.length)).toEqual([1, 1]);
    expect(both[0].findings).toEqual(both[1].findings);
  });
});

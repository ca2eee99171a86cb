import { verify } from '@deed/evidence';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { proves } from './promises.ts';
import { CaseWorld } from './support/case-world.ts';

let here: CaseWorld;
beforeAll(async () => {
  here = await CaseWorld.begin();
});
afterAll(() => here.end());

const sound = { verdict: 'VERIFIED', reasons: [] };
const erase = (task: string, payloads?: readonly string[]) =>
  here.authority.erasures.erase({
    ...{ task, payloads, why: 'its subject asked for it' },
    by: { kind: 'person', person: here.init.person },
  });
const check = (file: Uint8Array) => verify(file, { trust: here.init.trustFile });

/** A task with a read, a write and an approved push that the forge confirms. */
async function honest(): Promise<string> {
  const worker = await here.worker();
  await worker.act({ tool: 'read_file', path: '/srv/a' });
  await worker.act({ tool: 'write_file', args: '{"path":"/srv/a"}', path: '/srv/a' });
  const push = await here.push(worker.credential, `released ${Math.random()}`);
  await worker.act({ tool: 'git_push', push });
  await worker.close();
  expect(await here.reconciled(worker.task.id)).toEqual([]);
  return worker.task.id;
}

describe('a real task that was erased', () => {
  test('leaves the case before and the case after both VERIFIED; what is missing says who, when and why', async () => {
    proves('invariant-10');
    const task = await honest();
    const before = await here.export(task);
    const { copies, payloads } = await erase(task);
    expect(copies).toEqual([check(before).case?.id]);
    const after = check(await here.export(task));
    expect(after).toMatchObject(sound);
    expect(check(before)).toMatchObject(sound);
    const push = after.actions.find(({ tier }) => tier === 'approve');
    for (const layer of ['identity', 'decision', 'approval', 'record', 'corroboration'] as const)
      expect(push?.layers[layer]).toMatchObject({ state: 'missing', why: expect.stringContaining(here.init.person) });
    expect(push?.layers.anchor.state).toBe('present');
    expect(payloads.some((name) => here.authority.vault.has(name))).toBe(false);
    await expect(here.reconcile.run(task)).rejects.toMatchObject({ code: 'erased' });
    const rows = here.ledger.database.all('SELECT event FROM event WHERE task = ?', task);
    expect(rows.length).toBeGreaterThan(0);
    expect(rows).toEqual(rows.map(() => ({ event: null })));
  });

  test('does not disturb another, nor the events that come later under its credential', async () => {
    const [one, two] = [await honest(), await honest()];
    await erase(one);
    const credential = here.authority.credentials.ofTask(one)[0]?.id ?? '';
    await here.forge.putCredential(credential, 'found again', ['service']);
    await here.push({ id: credential, secret: 'found again' }, 'after the erasure');
    expect(await here.reconciled(two)).toEqual([]);
    expect(await here.verified(two)).toMatchObject(sound);
    const again = await erase(one);
    expect(again.payloads).toHaveLength(1);
    expect((await here.verified(one)).verdict).toBe('VERIFIED');
  });

  test('of events of no task single ones go, with the name that they stood under', async () => {
    await here.forge.putCredential('jane.doe', 'secret', ['service']);
    await here.push({ id: 'jane.doe', secret: 'secret' }, 'foreign');
    await here.reconciled(await honest());
    const { database } = here.ledger;
    const names = database.all<{ name: string }>('SELECT name FROM event WHERE task IS NULL').map(({ name }) => name);
    const trees = () =>
      database
        .all<{ tree: string }>('SELECT tree FROM batch')
        .map(({ tree }) => tree)
        .join();
    expect(trees()).toContain('jane.doe');
    await erase('deployment', names);
    expect(trees()).not.toContain('jane.doe');
    expect(here.statements('deployment').at(-1)).toMatchObject({ predicate: 'erased', body: { scope: 'payloads' } });
    expect(await here.verified(await honest())).toMatchObject(sound);
  });

  test('while an export and a reconciliation run waits for them, and all cases hold', async () => {
    const task = await honest();
    const reconciled = here.reconcile.run(task).then(
      () => 'done before',
      (error) => error.code,
    );
    const [exported, came, erased] = await Promise.all([here.export(task), reconciled, erase(task)]);
    expect(['done before', 'erased']).toContain(came);
    expect(check(exported)).toMatchObject(sound);
    expect(erased.copies).toEqual([check(exported).case?.id]);
    expect(await here.verified(task)).toMatchObject(sound);
  });
});

test('whatever is exported and erased in whatever order, every case holds and each erasure names its copies', async () => {
  proves('invariant-10', 'invariant-9');
  const step = fc.oneof(
    fc.record({ do: fc.constant('export' as const) }),
    fc.record({ do: fc.constant('some' as const), pick: fc.nat() }),
    fc.record({ do: fc.constant('whole' as const) }),
  );
  const live = async (steps: readonly { readonly do: string; readonly pick?: number }[]) => {
    const task = await honest();
    const cases: Uint8Array[] = [];
    for (const { do: what, pick = 0 } of steps) {
      if (what === 'export') cases.push(await here.export(task));
      else {
        const left = () => here.authority.erasures.plan({ task }).payloads;
        const names = what === 'whole' || here.authority.erasures.isErased(task) ? undefined : left();
        const one = names?.[pick % Math.max(1, names.length)];
        await erase(task, one === undefined ? undefined : [one]).catch((error) =>
          expect(error).toMatchObject({ code: 'erased' }),
        );
      }
    }
    cases.push(await here.export(task));
    for (const file of cases) expect(check(file)).toMatchObject(sound);
  };
  const numRuns = process.env.SLOW === '1' ? 60 : 5;
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 6 }), live), { numRuns });
});

import { rmSync } from 'node:fs';
import { setTimeout as after } from 'node:timers/promises';
import type { Statement } from '@deed/evidence';
import { fsck } from '@deed/ledger';
import { expect, onTestFinished, test } from 'vitest';
import { proves } from './promises.ts';
import { CrashWorld, type Recorded } from './support/crash-world.ts';

const rounds = Number(process.env.ROUNDS ?? (process.env.SLOW ? 200 : 50));
const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
/** A script takes about this long: kills fall before, within and after it, and some into the start. */
const scriptMs = 1800;

/** mulberry32: the same seed gives the same kills. */
function randomFrom(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const isOf =
  <Name extends Statement['predicate']>(name: Name) =>
  (statement: Statement): statement is Extract<Statement, { predicate: Name }> =>
    statement.predicate === name;

/** The first statement that ends an intent. */
function endOf({ statements, ends }: Recorded, intent: Statement): Statement | undefined {
  const [first] = ends.get(intent.digest) ?? [];
  return first === undefined ? undefined : statements[first];
}

/** What somebody was told is in the log. */
function checkTold(world: CrashWorld, log: Recorded): void {
  for (const told of world.told) {
    const what = JSON.stringify(told);
    const inLog = (): boolean => {
      if (told.kind === 'closed') return log.byDigest.get(told.digest)?.predicate === 'task-closed';
      if (told.kind === 'opened')
        return log.statements.some((one) => one.predicate === 'task-opened' && one.series === told.task);
      if (told.kind === 'refused') return (log.refusals.get(told.path) ?? []).length > 0;
      if (told.kind === 'approved') return (log.approvals.get(told.path) ?? []).length === 1;
      const [intent] = log.intents.get(told.path) ?? [];
      const end = intent && endOf(log, intent);
      return end?.predicate === 'outcome' && end.body.status === 'ok';
    };
    expect(inLog(), `told and lost: ${what}`).toBe(true);
  }
}

/** Nothing was done without an intent, and nothing that needs a person without one approval for it. */
function checkDone(world: CrashWorld, log: Recorded): void {
  for (const path of world.made()) {
    const intents = (log.intents.get(path) ?? []).filter(isOf('intent'));
    expect(intents, `made without an intent: ${path}`).toHaveLength(1);
    if (path.endsWith('-folder')) {
      const [approval] = log.approvals.get(path) ?? [];
      expect(intents[0]?.body.approvals).toEqual([approval?.digest]);
    }
  }
  const used = log.statements.filter(isOf('intent')).flatMap(({ body }) => body.approvals);
  expect(new Set(used).size).toBe(used.length);
}

/** What was open when the server died, at `size` entries, is said to have been. */
function checkMended(log: Recorded, size: number): void {
  const before = log.statements.slice(0, size);
  const since = log.statements.slice(size);
  const closed = new Set(before.filter(isOf('task-closed')).map(({ series }) => series));
  for (const { series } of before.filter(isOf('task-opened'))) {
    if (closed.has(series)) continue;
    const gaps = since.filter((one) => one.predicate === 'observe-gap' && one.series === `${series}/after`);
    expect(gaps.length, `no observe-gap in ${series}`).toBe(1);
  }
  for (const intent of before.filter(isOf('intent'))) {
    const [first = Number.POSITIVE_INFINITY] = log.ends.get(intent.digest) ?? [];
    if (first < size) continue;
    expect(endOf(log, intent)).toMatchObject({ predicate: 'outcome', body: { status: 'unknown', supersedes: null } });
  }
}

test(`kill -9 of the server at ${rounds} random moments loses nothing that anybody was told`, async () => {
  proves('crash-safe', 'invariant-1', 'invariant-2', 'unknown-outcome');
  console.info(`kills: SEED=${seed}`);
  const random = randomFrom(seed);
  const world = await CrashWorld.begin();
  onTestFinished(() => world.down());
  let inScript = 0;
  for (let round = 0; round < rounds; round++) {
    let killed = false;
    const kill = () => {
      killed = true;
      world.kill();
    };
    const script = world.script(round).catch((error: unknown) => {
      if (!killed) throw error;
      inScript++;
    });
    await Promise.all([script, after(random() * scriptMs).then(kill)]);
    expect(await world.ended(), `round ${round}`).toBe('SIGKILL');

    // One in five dies again while it starts.
    if (random() < 0.2) {
      const starting = world.up().catch(() => undefined);
      await after(random() * 900);
      world.kill();
      await Promise.all([starting, world.ended()]);
    }
    const { length } = world.read().statements;
    await world.up();
    const { problems } = fsck(world.dir);
    expect(
      problems.filter(({ code }) => code !== 'unfinished'),
      `round ${round}, SEED=${seed}`,
    ).toEqual([]);
    const log = world.read();
    checkTold(world, log);
    checkDone(world, log);
    checkMended(log, length);
    const { root, ours } = await world.witness();
    expect(root, `round ${round}: the witness signed another tree`).toBe(ours);
    for (const { series } of log.statements.filter(isOf('task-opened'))) {
      if (log.statements.some((one) => one.predicate === 'task-closed' && one.series === series)) continue;
      const { closed } = await world.client.post<{ closed: string }>(`/v1/tasks/${series}/close`, {
        reason: 'operator',
      });
      world.told.push({ kind: 'closed', task: series, digest: closed });
    }
  }
  await world.down();
  const log = world.read();
  checkTold(world, log);
  for (const intent of log.statements.filter(isOf('intent'))) expect(endOf(log, intent)).toBeDefined();
  expect(fsck(world.dir)).toMatchObject({ ok: true, entries: log.statements.length });
  const count = (kind: string) => world.told.filter((told) => told.kind === kind).length;
  const unknown = log.statements.filter((one) => one.predicate === 'outcome' && one.body.status === 'unknown').length;
  console.info(
    `${rounds} kills, ${inScript} within a script; ${log.statements.length} entries; told: ${count('done')} done, ` +
      `${count('refused')} refused, ${count('approved')} approved, ${count('closed')} closed; ${unknown} unknown outcomes`,
  );
  rmSync(world.folder, { recursive: true }); // left to look at when anything above differs
  expect(count('done')).toBeGreaterThan(rounds);
  expect(inScript).toBeGreaterThan(rounds / 4);
}, 1_200_000);

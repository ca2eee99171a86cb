import { setTimeout as sleep } from 'node:timers/promises';
import type { SourceEvent } from '../../../packages/evidence/src/index.ts';
import { approvingPolicy } from '../../../packages/server/test/support/policy.ts';
import { World } from '../../../packages/server/test/support/world.ts';
import type { Row } from '../cloudtrail.ts';
import { randomOf } from '../injector.ts';
import { precision, recall, scoreOf, sum, type Tally, withInterval } from '../score.ts';
import { ordersLab } from './orders.ts';
import { paymentsLab } from './payments.ts';
import { pushesLab } from './pushes.ts';
import { type LabDefect, type LabSystem, type LabTask, labDefects } from './system.ts';

/** By how much a clock may be off without anybody having said so; what sources have where nothing else is configured. */
const skewMs = 2_000;
const rate = 0.15;
/** Tasks of each system, and actions of each task. */
const sizes: Readonly<Record<string, readonly [tasks: number, actions: number]>> = {
  payments: [36, 20],
  orders: [24, 20],
  pushes: [10, 5],
};
const lateRate = 0.4;
const gapTasks = 6;
const clockTasks = 4;
const hoursOff = [2, -2];

export interface LabResult {
  readonly rows: readonly Row[];
  readonly clock: {
    readonly receipts: number;
    readonly confirmed: number;
    readonly accusations: number;
    readonly told: number;
  };
  readonly systems: readonly string[];
}

interface Judged {
  readonly tally: Tally;
  /** Milliseconds from the moment at which the sources had passed until everything that was found was durable. */
  readonly ms: number;
}

/** Scripted agents at real systems through a deployment of its own; defects are injected, and it is counted what is found. */
export async function lab(keyShares: readonly number[] = [1, 0.5, 0]): Promise<LabResult> {
  const random = randomOf(11);
  const world = await World.begin({ policyFolder: approvingPolicy(), listen: { host: '127.0.0.1', port: 0 } });
  const made = [await paymentsLab(world, random), await ordersLab(world, random), await pushesLab(world)];
  const systems = made.filter((system) => system !== null);
  try {
    // What began before a source was read is not covered by it.
    await sleep(2 * skewMs);
    const rows: Row[] = [];
    for (const share of keyShares) {
      const judged: Judged[] = [];
      for (const system of systems) {
        if (share < 1 && !system.canBeKeyless) continue;
        judged.push(...(await season(world, system, share, random)));
      }
      rows.push(rowOf(share, judged));
    }
    return { rows, clock: await wrongClock(world, systems[0] as LabSystem), systems: systems.map(({ name }) => name) };
  } finally {
    for (const system of systems) await system.stop();
    await world.end();
  }
}

async function season(world: World, system: LabSystem, share: number, random: () => number): Promise<Judged[]> {
  const [tasks, actions] = sizes[system.name] ?? [0, 0];
  const done: LabTask[] = [];
  const usual = system.defects.filter((each) => each !== 'late' && each !== 'gap');
  const agent = async (defects: readonly LabDefect[]) => {
    system.setClock((random() * 2 - 1) * skewMs * 0.95);
    const task = await system.begin(world);
    for (let i = 0; i < actions; i++) {
      // The first record says where a gap begins.
      const defect = i > 0 && random() < rate ? (defects[Math.floor(random() * defects.length)] ?? null) : null;
      await task.work(defect, random() < share);
    }
    await task.end();
    await world.closeTask(task.worker.task);
    if (system.defects.includes('late') && random() < lateRate) await task.afterClose();
    done.push(task);
  };
  for (let i = 0; i < tasks; i++) await agent(usual);
  if (system.defects.includes('gap')) {
    // Whatever has no record near a gap is uncovered: what is to be called a phantom lies apart from it.
    await sleep(3 * skewMs);
    for (let i = 0; i < gapTasks; i++) await agent(['gap']);
  }
  await sleep(2 * skewMs + 500);
  await system.settle();
  const judged: Judged[] = [];
  for (const task of done) judged.push(await judge(world, system, task));
  return judged;
}

async function judge(world: World, system: LabSystem, task: LabTask): Promise<Judged> {
  const id = task.worker.task;
  const begun = performance.now();
  const { confirmed } = await world.post(`/v1/tasks/${id}/reconcile`);
  const ms = performance.now() - begun;
  const actionOf = new Map(world.of(id, 'outcome').map(({ digest, body }) => [digest, body.action]));
  const { database } = world.serving.deployment.ledger;
  const keyOf = (name: string) => {
    const row = database.get<{ event: string }>('SELECT event FROM event WHERE name = ?', name);
    return `event:${system.keyOf(JSON.parse(row?.event ?? '') as SourceEvent)}`;
  };
  const recorded = database.all<{ event: string }>('SELECT event FROM event WHERE task = ?', id);
  const twins = new Twins(
    system,
    task.labels,
    recorded.map(({ event }) => JSON.parse(event) as SourceEvent),
  );
  const said: { item: string; type: string }[] = [];
  let ambiguous = 0;
  const foreign = world.of('deployment', 'finding').filter(({ body }) => body.type === 'unknown_credential');
  for (const { body } of [...world.of(id, 'finding'), ...foreign]) {
    const actions = body.statements.flatMap((digest) => actionOf.get(digest) ?? []).map((action) => `action:${action}`);
    const events = body.events.map(({ event }) => keyOf(event));
    const isOfReceipt = ['phantom_action', 'result_mismatch', 'missing_coverage', 'ambiguous'].includes(body.type);
    const items = isOfReceipt ? actions : events;
    // What others than this task did under strange credentials is held against the labels of their own tasks.
    const own = foreign.some(({ body: { finding } }) => finding === body.finding)
      ? items.filter((item) => task.labels.has(item))
      : items;
    for (const item of own) said.push({ item: isOfReceipt ? item : twins.standsFor(item, body.type), type: body.type });
    if (body.type === 'ambiguous') ambiguous++;
  }
  const events = [...world.of(id, 'finding'), ...foreign].flatMap(({ body }) => body.events);
  const seen = new Set([...events.map(({ event }) => keyOf(event)), ...said.map(({ item }) => item)]);
  if (process.argv.includes('--tell')) tellWrong(system.name, task, said, world);
  const counts = { receipts: task.actions.length, confirmed: confirmed.length, ambiguous };
  return { tally: scoreOf(task.labels, said, counts, (item) => seen.has(item)), ms };
}

function rowOf(share: number, judged: readonly Judged[]): Row {
  const tallies = judged.map(({ tally }) => tally);
  const all = sum(tallies);
  const cells: Record<string, string> = {};
  for (const type of Object.values(labDefects)) {
    cells[`${type} precision`] = withInterval(tallies, precision(type));
    cells[`${type} recall`] = withInterval(tallies, recall(type));
    cells[`${type} F1`] = withInterval(tallies, (one) => {
      const [p, r] = [precision(type)(one), recall(type)(one)];
      return (2 * p * r) / (p + r);
    });
  }
  cells['precision of any accusation of one action or event'] = withInterval(
    tallies,
    ({ accused, falselyAccused }) => (accused - falselyAccused) / accused,
  );
  cells['recall of "something is unreceipted"'] = withInterval(
    tallies,
    ({ unreceipted, unreceiptedSeen }) => unreceiptedSeen / unreceipted,
  );
  cells['false accusations in 10,000 receipts'] = ((10_000 * all.falselyAccused) / all.receipts).toFixed(1);
  cells['confirmed of the receipts'] = (all.confirmed / all.receipts).toFixed(3);
  cells['ambiguous findings in 10,000 receipts'] = ((10_000 * all.ambiguous) / all.receipts).toFixed(1);
  const times = judged.map(({ ms }) => ms).sort((a, b) => a - b);
  const at = (of: number) => (times[Math.floor(of * (times.length - 1))] ?? 0).toFixed(0);
  cells['from the passed watermark to the durable finding, ms a task: p50, p99'] = `${at(0.5)}, ${at(0.99)}`;
  cells.receipts = String(all.receipts);
  return { conditions: `keys ${share * 100} %, skew ±${skewMs / 1000} s`, cells };
}

/** A source whose clock is hours off, and receipts without an id: nothing is wrong there but the clock. */
async function wrongClock(world: World, system: LabSystem): Promise<LabResult['clock']> {
  const counted = { receipts: 0, confirmed: 0, accusations: 0, told: 0 };
  for (const hours of hoursOff) {
    for (let i = 0; i < clockTasks; i++) {
      system.setClock(hours * 3_600_000);
      const task = await system.begin(world);
      for (let n = 0; n < 10; n++) await task.work(null, n % 2 === 0);
      await task.end();
      await world.closeTask(task.worker.task);
      await sleep(2 * skewMs + 500);
      const { confirmed, findings } = await world.post(`/v1/tasks/${task.worker.task}/reconcile`);
      counted.receipts += task.actions.length;
      counted.confirmed += confirmed.length;
      const types = (findings as { type: string }[]).map(({ type }) => type);
      counted.accusations += types.filter((type) => type !== 'missing_coverage' && type !== 'ambiguous').length;
      counted.told += types.includes('missing_coverage') && types.includes('ambiguous') ? 1 : 0;
    }
  }
  system.setClock(0);
  return counted;
}

/** Of records that nothing tells apart it is arbitrary which is named as the one too many: it stands for the one that was injected. */
class Twins {
  private readonly content = new Map<string, string>();
  private readonly taken = new Set<string>();
  private readonly labels: LabTask['labels'];

  constructor(system: LabSystem, labels: LabTask['labels'], recorded: readonly SourceEvent[]) {
    this.labels = labels;
    for (const event of recorded) this.content.set(`event:${system.keyOf(event)}`, system.contentOf(event));
  }

  standsFor(item: string, type: string): string {
    const same = [...this.labels].find(
      ([other, label]) =>
        label.type === type && !this.taken.has(other) && this.content.get(other) === this.content.get(item),
    );
    const found = this.labels.has(item) || !this.content.has(item) ? item : (same?.[0] ?? item);
    this.taken.add(found);
    return found;
  }
}

/** The rest of what the lab says, in words. */
export function labText({ clock, systems }: LabResult): string {
  const { receipts, confirmed, accusations, told } = clock;
  const tasks = clockTasks * hoursOff.length;
  return `Systems: ${systems.join(', ')}. With a clock two hours ahead or behind, half of the receipts without an id, and nothing else wrong: of ${receipts} receipts ${confirmed} confirmed, ${accusations} accusations, and in ${told} of ${tasks} tasks it was said that the clock is off.`;
}

/** Prints what was called otherwise than it is. */
function tellWrong(
  name: string,
  { labels, worker }: LabTask,
  said: readonly { item: string; type: string }[],
  world: World,
) {
  const items = new Set([...labels.keys(), ...said.map(({ item }) => item)]);
  for (const item of items) {
    const types = said.filter((each) => each.item === item).map(({ type }) => type);
    const { type: wanted = 'nothing', defect = '' } = labels.get(item) ?? {};
    if (types.length === 1 && types[0] === wanted) continue;
    console.error(`${name} ${item}: ${wanted} (${defect}), said ${types.join(', ') || 'nothing'}`);
  }
  for (const { body } of world.of(worker.task, 'finding'))
    if (body.type === 'ambiguous') console.error(`  ${body.why}`);
}

import { type Allow, type Attempt, admittedBy, isPassableAllow } from '@deed/evidence';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { proves } from '../../../../tests/promises.ts';
import { type Hop, lineOf } from '../../src/delegation/hop.ts';
import { AuthorityError } from '../../src/errors.ts';
import type { Task } from '../../src/tasks/task.ts';
import { World } from '../world.ts';
import { Member } from './world.ts';

const runs = process.env.SLOW ? 200 : 4;
const tools = ['read_file', 'write_file', 'delete_file'] as const;

let world: World;
let members: readonly Member[];
beforeAll(async () => {
  world = await World.begin();
  const first = await Member.begin(world);
  members = [first, await first.other('b'), await first.other('c'), await first.other('d')];
});
afterAll(() => world.end());

const who = fc.nat({ max: 3 });
const step = fc.oneof(
  fc.record({
    kind: fc.constant('pass on' as const),
    from: who,
    to: who,
    tools: fc.uniqueArray(fc.constantFrom(...tools), { minLength: 1 }),
    actions: fc.integer({ min: 0, max: 4 }),
    depth: fc.integer({ min: 0, max: 3 }),
    hours: fc.integer({ min: 1, max: 9 }),
  }),
  fc.record({ kind: fc.constant('act' as const), by: who, tool: fc.constantFrom(...tools) }),
  fc.record({ kind: fc.constant('end' as const), which: fc.nat({ max: 20 }) }),
);
/** So that there is something to end, and somebody deep enough to go beyond. */
const beginning: readonly Step[] = [
  { kind: 'pass on', from: 0, to: 1, tools: ['read_file', 'write_file'], actions: 4, depth: 1, hours: 8 },
  { kind: 'pass on', from: 1, to: 2, tools: ['write_file'], actions: 3, depth: 0, hours: 8 },
  { kind: 'act', by: 2, tool: 'write_file' },
];
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

test('whatever hops are tried, nothing that is recorded goes beyond anybody above', { timeout: 120_000 }, async () => {
  proves('invariant-6');
  let deepest = 0;
  let acted = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 15, maxLength: 25 }), async (steps) => {
      const own: Allow = [{ server: 'files', tools: ['read_file', 'write_file'] }];
      const over = { depth: 2, ceiling: 'record', budget: { actions: 8 }, allow: own } as const;
      const task = await world.task(members[0]?.agent.id ?? '', over);
      const here = members.map((member) => new Member(world, task, member));
      for (const each of beginning) await take(here, each);
      for (const each of steps) await tried(() => take(here, each));
      const hops = world.authority.delegation.list(task.id);
      for (const hop of hops) checkHop(task, hop);
      deepest = Math.max(deepest, ...hops.filter(({ accepted }) => accepted !== null).map((hop) => lineOf(hop).length));
      await world.authority.tasks.close(task.id, 'operator');
      acted += checkActs(task, hops);
    }),
    { numRuns: runs },
  );
  expect(deepest).toBeGreaterThanOrEqual(2);
  expect(acted).toBeGreaterThan(0);
});

/** A step is taken or refused; anything else is a failure. */
async function tried(take: () => Promise<unknown>): Promise<void> {
  try {
    await take();
  } catch (error) {
    if (!(error instanceof AuthorityError)) throw error;
  }
}

async function take(here: readonly Member[], each: Step): Promise<unknown> {
  const member = (index: number) => here[index] ?? expect.fail('nobody');
  if (each.kind === 'act') return member(each.by).act(each.tool, await anyToken(member(each.by)));
  const [first] = here;
  const hops = world.authority.delegation.list(first?.task.id ?? '');
  if (each.kind === 'end') {
    const hop = hops[each.which];
    return hop && world.authority.delegation.end(hop.task, hop.digest, null);
  }
  const { from, to, actions, depth, hours } = each;
  const allow = [{ server: 'files', tools: each.tools }];
  const deadlineMs = world.clock.now() + hours * 3_600_000;
  const held = await heldBy(member(from));
  return member(from).passOn(member(to), { allow, actions, depth, deadlineMs }, held);
}

/** The newest hop by which a member may act, where it is not the task's own agent. */
async function heldBy(member: Member): Promise<string | undefined> {
  const hops = world.authority.delegation.list(member.task.id);
  return hops.findLast((hop) => hop.delegate === member.agent.id && hop.accepted !== null)?.digest;
}

async function anyToken(member: Member): Promise<string> {
  return member.token(await heldBy(member));
}

function checkHop(task: Task, hop: Hop): void {
  const wide = hop.parent ?? task;
  expect(isPassableAllow(hop.allow, wide.allow)).toBe(true);
  expect(hop.depth).toBeLessThan(wide.depth);
  expect(hop.deadlineMs).toBeLessThanOrEqual(wide.deadlineMs);
  expect(hop.budget).toBeLessThanOrEqual(wide.budget);
  expect(hop.used).toBeLessThanOrEqual(hop.budget);
  const parties = [task.agent, ...lineOf(hop).map(({ delegate }) => delegate)];
  expect(new Set(parties).size).toBe(parties.length);
}

/** Each act is allowed to everybody above its actor; whatever was begun below a hop lies within its budget. */
function checkActs(task: Task, hops: readonly Hop[]): number {
  const begun = new Map<string, number>();
  let acted = 0;
  for (const { predicate, body } of world.statements(task.id)) {
    if (predicate !== 'intent') continue;
    acted++;
    const { method, tool } = body;
    const attempt: Attempt = { method, server: tool.server, tool: tool.name, facets: [], arguments: new Map() };
    expect(admittedBy(task.allow, attempt)).not.toBeNull();
    for (const accepted of body.authority.chain) {
      const hop =
        hops.find((each) => each.accepted === accepted) ?? expect.fail('an act by a hop that nobody accepted');
      expect(admittedBy(hop.allow, attempt)).not.toBeNull();
      begun.set(accepted, (begun.get(accepted) ?? 0) + 1);
    }
  }
  for (const { accepted, budget, used } of hops) {
    expect(begun.get(accepted ?? '') ?? 0).toBe(used);
    expect(used).toBeLessThanOrEqual(budget);
  }
  expect(acted).toBeLessThanOrEqual(8);
  return acted;
}

import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeActivation, openPayload } from '@deed/evidence';
import { afterAll, expect, test } from 'vitest';
import { checkBundle } from '../../src/policy/bundle.ts';
import { defaultPolicyFolder } from '../../src/policy/default.ts';
import { replayDecision } from '../../src/policy/evaluate.ts';
import { factsOf, parseFacts } from '../../src/policy/facts.ts';
import { parseInputs } from '../../src/policy/request.ts';
import { refused } from '../refused.ts';
import { Worker, World } from '../world.ts';

const base = mkdtempSync(join(tmpdir(), 'deed-facts-'));
afterAll(() => rmSync(base, { recursive: true }));

const declared = (facts: object, tool = 'pay') => JSON.stringify([{ server: 'files', tool, facts }]);
const amount = { amount: { argument: '/sum/minor', type: 'long' } };
function bundleWith(facts: string, rules = ''): string {
  const folder = mkdtempSync(join(base, 'bundle-'));
  cpSync(defaultPolicyFolder, folder, { recursive: true });
  writeFileSync(join(folder, 'facts.json'), facts);
  if (rules !== '') writeFileSync(join(folder, 'rules.cedar'), rules);
  return folder;
}
const limit = `@id("limit") forbid (principal, action == Deed::Action::"call", resource)
when { context has facts && context.facts has amount && context.facts.amount > 100 };`;

test('facts are typed: what a policy says of one that is not declared, or of another type, is refused', async () => {
  expect(checkBundle(bundleWith(declared(amount), limit)).facts).toHaveLength(1);
  for (const [facts, rules] of [
    [declared({ other: amount.amount }), limit],
    [declared({ amount: { argument: '/a', type: 'string' } }), limit],
    [declared({ amount: { argument: 'a', type: 'long' } }), ''],
    [declared({ amount: { argument: '/a', type: 'float' } }), ''],
    [declared({ 'a b': amount.amount }), ''],
    ['{}', ''],
    ['[', ''],
    [`[${declared(amount).slice(1, -1)},${declared(amount).slice(1, -1)}]`, ''],
  ] as const) {
    expect(await refused(() => checkBundle(bundleWith(facts, rules))), facts).toBe('policy-invalid');
  }
  const folder = bundleWith(declared(amount));
  writeFileSync(join(folder, 'more.facts.json'), declared({ amount: { argument: '/a', type: 'string' } }, 'other'));
  expect(() => checkBundle(folder)).toThrow(/amount has two types/);
});

test('a fact is what its argument is; anything else does not fit', () => {
  const rules = parseFacts(
    'facts.json',
    Buffer.from(
      declared({
        amount: { argument: '/sum/minor', type: 'long' },
        to: { argument: '/to/1', type: 'string' },
        all: { argument: '/to', type: 'strings' },
        now: { argument: '/a~1b~0', type: 'bool' },
      }),
    ),
  );
  const of = (given: string, tool = 'pay') => factsOf(rules, { server: 'files', tool, arguments: given });
  const good = '{"sum":{"minor":5},"to":["x","y"],"a/b~":false}';
  expect(of(good)).toEqual({ facts: { amount: 5, to: 'y', all: ['x', 'y'], now: false } });
  expect(of(good, 'other')).toBeNull();
  for (const [given, what] of [
    ['', /no argument/],
    ['[]', /no argument/],
    ['{"sum":{"minor":"5"},"to":["x","y"],"a/b~":false}', /amount.*not of type long/],
    ['{"sum":{"minor":5.5},"to":["x","y"],"a/b~":false}', /amount.*not of type long/],
    ['{"sum":{"minor":null},"to":["x","y"],"a/b~":false}', /amount.*not of type long/],
    ['{"sum":{"minor":9007199254740993},"to":["x","y"],"a/b~":false}', /facts of files\/pay/],
    ['{"sum":{"minor":5},"Sum":{"minor":6},"to":["x","y"],"a/b~":false}', /facts of files\/pay/],
    ['{"sum":{"minor":5},"sum":{"minor":6},"to":["x","y"],"a/b~":false}', /facts of files\/pay/],
    ['{"sum":{"minor":5},"to":["x"],"a/b~":false}', /to: there is no argument/],
    ['{"sum":{"minor":5},"to":["x",1],"a/b~":false}', /not of type/],
  ] as const) {
    const came = of(given);
    expect(came && 'unfit' in came && came.unfit.join(), given).toMatch(what);
  }
  const inherited = parseFacts('f', Buffer.from(declared({ x: { argument: '/constructor/name', type: 'string' } })));
  expect(factsOf(inherited, { server: 'files', tool: 'pay', arguments: '{}' })).toHaveProperty('unfit');
});

test('a call is decided by its facts, denied if they are missing, and both replay from what was recorded', async () => {
  const world = await World.begin();
  const folder = bundleWith(declared(amount), limit);
  const { policy, actions, vault } = world.authority;
  const { digest: bundle } = checkBundle(folder);
  const { origin, person } = world.init;
  const time = new Date(world.clock.now()).toISOString();
  const bytes = encodeActivation({ origin, bundle, version: policy.nextVersion(), person, time });
  await policy.activate(folder, await world.person.word('deed-activation-v1', bytes));
  const worker = await Worker.begin(world);
  for (const [args, came] of [
    ['{"sum":{"minor":100}}', { outcome: 'allow', tier: 'record' }],
    ['{"sum":{"minor":101}}', { outcome: 'deny', detail: 'policy forbids it: limit' }],
    ['{"sum":{}}', { outcome: 'deny', detail: expect.stringContaining('there is no argument /sum/minor') }],
  ] as const) {
    const verdict = actions.decide(await worker.admitted('pay', args), worker.propose('pay', { args }));
    expect(verdict).toMatchObject(came);
    if (!verdict.decision) return expect.fail();
    const { inputs, outcome, reasons, errors } = verdict.decision;
    const recorded = openPayload(vault.get(inputs.sha256), inputs.sha256).bytes;
    expect(parseInputs(recorded).requests).toHaveLength(1);
    expect(replayDecision(recorded, policy.folderOf(bundle))).toMatchObject({ outcome, reasons, errors });
  }
  await world.end();
});

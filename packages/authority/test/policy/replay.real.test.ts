import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkBundle, readBundleFiles } from '../../src/policy/bundle.ts';
import { recordedDecisions } from '../../src/policy/decisions.ts';
import { defaultPolicyFolder } from '../../src/policy/default.ts';
import {
  cedarEngine,
  engineFaults,
  engineFiles,
  engineFolder,
  loadEngine,
  ownEngine,
} from '../../src/policy/engine.ts';
import { type Archive, evaluateCandidate, type Replayable, replayAll } from '../../src/policy/replay.ts';
import { parseInputs } from '../../src/policy/request.ts';
import { refused } from '../refused.ts';
import { push, Worker, World } from '../world.ts';

let world: World;
let worker: Worker;
let archive: Archive;
beforeAll(async () => {
  world = await World.begin();
  worker = await Worker.begin(world);
  const { actions } = world.authority;
  for (const [tool, over] of [
    ['read_file', {}],
    ['write_file', {}],
    ['git_push', { server: 'git', operands: push }],
    ['git_reset', {}],
  ] as const) {
    const admitted = await worker.admitted(tool);
    const proposal = worker.propose(tool, over);
    const verdict = actions.decide(admitted, proposal);
    if (verdict.outcome === 'allow' && !verdict.needsApproval) {
      await actions.intend(admitted, proposal, verdict).durable;
    } else await actions.refuse(admitted, proposal, 'denied', verdict.detail, { verdict }).durable;
  }
  archive = { dir: world.dir, bundle: (digest) => readBundleFiles(world.authority.policy.folderOf(digest)) };
});
afterAll(() => world.end());

const recorded = (last = 100) => recordedDecisions({ ledger: world.ledger, vault: world.authority.vault }, { last });
const replayable = async (): Promise<readonly Replayable[]> =>
  (await recorded()).flatMap(({ decision, inputs }) => (inputs ? [{ decision, inputs }] : []));

test('the decisions of the log are found, the newest up to a number, of a task or by their statement', async () => {
  const all = await recorded();
  expect(all.map(({ tier, inputs }) => [tier, inputs !== null])).toEqual([
    ['observe', false],
    ['record', true],
    [null, true],
    [null, true],
  ]);
  const ask = (over: object) =>
    recordedDecisions({ ledger: world.ledger, vault: world.authority.vault }, { last: 100, ...over });
  expect(await ask({ last: 2 })).toEqual(all.slice(-2));
  expect(await ask({ task: worker.task.id })).toEqual(all);
  expect(await ask({ task: 'tsk_other' })).toEqual([]);
  expect(await ask({ statement: all[1]?.statement })).toEqual([all[1]]);
});

test('each decision comes out the same, made again by the engine and the bundle that it names', async () => {
  const given = await replayable();
  const replayed = await replayAll(given, archive);
  expect(replayed.map((one) => ('differs' in one ? one.differs : one))).toEqual([[], [], []]);
});

test('a decision that was recorded otherwise differs, by outcome, by the set of reasons, by errors', async () => {
  const [, , denied] = await replayable();
  if (!denied) return expect.fail();
  const bent = (over: object) => ({ ...denied, decision: { ...denied.decision, ...over } });
  const replayed = await replayAll(
    [
      bent({ outcome: 'allow' }),
      bent({ reasons: [] }),
      bent({ reasons: ['git-no-rewiring', 'x'] }),
      bent({ errors: ['x'] }),
    ],
    archive,
  );
  expect(replayed.map((one) => 'differs' in one && one.differs)).toEqual([
    ['outcome'],
    ['reasons'],
    ['reasons'],
    ['errors'],
  ]);
});

test('nothing is made again by another bundle than was recorded, or by an engine that no release knows', async () => {
  const [given] = await replayable();
  if (!given) return expect.fail();
  const folder = mkdtempSync(join(tmpdir(), 'deed-policy-'));
  cpSync(defaultPolicyFolder, folder, { recursive: true });
  appendFileSync(join(folder, 'calls.cedar'), '\n');
  const engine = { ...given.decision.engine, sha256: '0'.repeat(64) };
  const other = { ...given.decision, bundle: '0'.repeat(64) };
  const answers = [
    ...(await replayAll([given], { ...archive, bundle: () => readBundleFiles(folder) })),
    ...(await replayAll([{ ...given, decision: { ...given.decision, engine } }], archive)),
    ...(await replayAll([{ ...given, decision: other }], archive)),
    ...(await replayAll([given], { ...archive, bundle: () => readBundleFiles('/nowhere') })),
    ...(await replayAll([{ ...given, inputs: Buffer.from('{}') }], archive)),
  ];
  const codes = answers.map((one) => 'failed' in one && one.failed);
  expect(codes).toEqual(['replay', 'engine', 'replay', 'policy-invalid', 'replay']);
  rmSync(folder, { recursive: true });
});

test('a candidate says what recorded requests would have come to', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'deed-policy-'));
  cpSync(defaultPolicyFolder, folder, { recursive: true });
  writeFileSync(
    join(folder, 'writes.cedar'),
    '@id("w") @tier("approve") permit (principal, action == Deed::Action::"call", resource) when { resource.name == "write_file" };',
  );
  const requests = (await replayable()).map(({ inputs }) => ({ requests: parseInputs(inputs).requests }));
  const evaluated = await evaluateCandidate(folder, requests);
  expect(evaluated.map(({ outcome, tier }) => [outcome, tier])).toEqual([
    ['allow', 'approve'],
    ['allow', 'approve'],
    ['deny', 'record'],
  ]);
  writeFileSync(join(folder, 'writes.cedar'), 'permit (principal, action, resource);');
  expect(await refused(() => evaluateCandidate(folder, requests))).toBe('policy-invalid');
  rmSync(folder, { recursive: true });
});

test('the engine that decides is archived with a policy, is known to this release, and is kept to its bytes', async () => {
  const { sha256 } = cedarEngine();
  const folder = join(engineFolder(world.dir), sha256);
  expect(readFileSync(join(folder, 'cedar_wasm_bg.wasm'))).toEqual(Buffer.from(engineFiles(sha256, null).wasm));
  expect(engineFaults(world.dir, sha256)).toEqual([]);
  appendFileSync(join(folder, 'cedar_wasm.cjs'), '// \n');
  expect(engineFaults(world.dir, sha256)).toEqual([{ file: 'cedar_wasm.cjs', what: 'changed' }]);
  rmSync(join(folder, 'cedar_wasm.cjs'));
  expect(engineFaults(world.dir, sha256)).toEqual([{ file: 'cedar_wasm.cjs', what: 'missing' }]);
  expect(await refused(() => engineFiles('0'.repeat(64), world.dir))).toBe('engine');
  await world.restart(); // after an upgrade there is an engine that no activation brought
  expect(engineFaults(world.dir, sha256)).toEqual([]);
});

test('an engine loaded from its bytes is one of its own, reaches nothing, and answers as the installed one', () => {
  const files = engineFiles(cedarEngine().sha256, null);
  const engine = loadEngine(files);
  expect(engine).not.toBe(ownEngine);
  expect(engine.getCedarSDKVersion()).toBe(cedarEngine().version);
  const script = Buffer.from("require('child_process')");
  expect(() => loadEngine({ ...files, script })).toThrow(expect.objectContaining({ code: 'engine' }));
  expect(checkBundle(defaultPolicyFolder).digest).toMatch(/^[0-9a-f]{64}$/);
});

import * as cedar from '@cedar-policy/cedar-wasm/nodejs';
import { utf8 } from '@deed/evidence';
import { type Bundle, bundleFile, bundleOf, readBundleFiles } from '../../packages/authority/src/policy/bundle.ts';
import { DecisionCache } from '../../packages/authority/src/policy/decision-cache.ts';
import { DecisionThread } from '../../packages/authority/src/policy/decision-thread.ts';
import { defaultPolicyFolder } from '../../packages/authority/src/policy/default.ts';
import { sliceFor } from '../../packages/authority/src/policy/policy-index.ts';
import { encodeInputs, type PolicyRequest, policyRequests } from '../../packages/authority/src/policy/request.ts';
import { Worker, World } from '../../packages/authority/test/world.ts';
import { cpuMicros, quantile } from './measure.ts';

const rounds = 9;
const policies = 100;

/** The default bundle and as many rules of tools as make a hundred: half name their tool in the head, half by a condition. */
function hundred(): Bundle {
  const files = readBundleFiles(defaultPolicyFolder);
  const own = bundleOf(files).policies.size;
  const rules = Array.from({ length: policies - own }, (_, i) =>
    i % 2 === 0
      ? `@id("tool-${i}") forbid (principal, action == Deed::Action::"call", resource == Deed::Tool::"server-${i}/tool")
         when { !principal.enrolled || context.grant.unearned };`
      : `@id("tool-${i}") forbid (principal, action == Deed::Action::"call", resource)
         when { resource.name == "tool_${i}" && context.task.implicit };`,
  ).join('\n');
  return bundleOf([...files, bundleFile('tools.cedar', utf8(rules))]);
}

function requestsOf(tool: string): readonly PolicyRequest[] {
  return policyRequests({
    agent: { id: 'agt_1', spiffe: 'spiffe://bench.deed.local/agent/coder' },
    task: { implicit: false, ceiling: 'record', objective: '0'.repeat(64) },
    grant: { grade: 'E0', verdict: 'WAIVED', ceiling: 'record', unearned: true },
    method: 'tools/call',
    server: 'files',
    tool,
    hints: { destructive: true, idempotent: false },
    facets: [{ kind: 'path', real: '/srv/work/notes.txt' }],
  });
}

/**
 * One decision at a hundred policies, made by us and by the engine's stateless call with the same schema, the same check of the
 * request and all policies; and the whole step of authorising: token, proof, task, grant, policy.
 */
export async function policy(): Promise<readonly (readonly string[])[]> {
  const bundle = hundred();
  const staticPolicies = Object.fromEntries([...bundle.policies.values()].map(({ id, text }) => [id, text]));
  const [request] = requestsOf('write_file');
  if (!request) throw new Error('no request');
  const stateless = () => {
    const { entities, context, unfit: _, ...rest } = request;
    const answer = cedar.isAuthorized({
      ...rest,
      context: context as unknown as cedar.Context,
      entities: entities as unknown as cedar.Entities,
      schema: bundle.schema,
      validateRequest: true,
      policies: { staticPolicies },
    });
    if (answer.type !== 'success' || answer.response.decision !== 'allow') throw new Error('not decided');
  };
  const thread = new DecisionThread();
  const ours = () => {
    if (thread.evaluate(bundle, [request]).outcome !== 'allow') throw new Error('not decided');
  };
  const cache = new DecisionCache();
  const inputs = encodeInputs(bundle.digest, [request]);
  const cached = () => cache.evaluate(bundle, [request], inputs, { task: 't', epoch: 1, isOpen: true });
  for (let i = 0; i < 300; i++) ours();
  for (let i = 0; i < 20; i++) stateless();

  const times = { stateless: [] as number[], ours: [] as number[], cached: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    times.stateless.push(await cpuMicros(20, stateless));
    times.ours.push(await cpuMicros(200, ours));
    times.cached.push(await cpuMicros(2000, cached));
  }
  const row = (name: string, which: readonly number[]) => {
    const ratios = times.stateless.map((one, i) => one / (which[i] ?? Number.NaN));
    return [
      name,
      ...[quantile(which, 0.5), quantile(ratios, 0.5), Math.min(...ratios)].map((value) => value.toFixed(1)),
    ];
  };
  thread.end();
  const met = sliceFor(bundle, request).policies.length;
  return [
    ['one decision at 100 policies', 'CPU us', 'times as quick as stateless', 'worst round'],
    row('cedar-wasm, stateless', times.stateless),
    row(`ours, not remembered (${met} policies met)`, times.ours),
    row('ours, remembered', times.cached),
  ];
}

const messages = 300;

/** Letting a message in and deciding it, at tier record: as the gateway does before it records the intent. */
export async function authorise(): Promise<readonly (readonly string[])[]> {
  const world = await World.begin();
  const worker = await Worker.begin(world, { allow: [{ server: 'files', paths: { under: ['/srv/work'] } }] });
  const { actions } = world.authority;
  const authoriseAll = async (argsOf: (i: number) => string, pathOf: (i: number) => string) => {
    const sent = await Promise.all(Array.from({ length: messages }, (_, i) => worker.message('write_file', argsOf(i))));
    const proposals = sent.map((_, i) => {
      const real = pathOf(i);
      const operands = { kind: 'paths' as const, paths: [{ argument: 'path', given: real, real }] };
      return worker.propose('write_file', { args: argsOf(i), operands });
    });
    const admitted: Awaited<ReturnType<typeof actions.admit>>[] = [];
    const admit = await cpuMicros(messages, async (i) => {
      const message = sent[i];
      if (message) admitted.push(await actions.admit(message));
    });
    const decide = await cpuMicros(messages, (i) => {
      const [one, proposal] = [admitted[i], proposals[i]];
      if (!one || !proposal) throw new Error('nothing was sent');
      const verdict = actions.decide(one, proposal);
      if (verdict.outcome !== 'allow' || verdict.tier !== 'record') throw new Error(verdict.detail);
    });
    return { admit, decide };
  };
  const times: Record<'same' | 'other', { readonly admit: number; readonly decide: number }[]> = {
    same: [],
    other: [],
  };
  for (let round = 0; round <= rounds; round++) {
    const same = await authoriseAll(
      (i) => `{"path":"/srv/work/a","content":"${round} ${i}"}`,
      () => '/srv/work/a',
    );
    const other = await authoriseAll(
      (i) => `{"path":"/srv/work/${round}-${i}"}`,
      (i) => `/srv/work/${round}-${i}`,
    );
    if (round === 0) continue; // warm from here on
    times.same.push(same);
    times.other.push(other);
  }
  await world.end();
  const row = (name: string, which: (typeof times)['same']) => [
    name,
    ...[
      which.map(({ admit }) => admit),
      which.map(({ decide }) => decide),
      which.map(({ admit, decide }) => admit + decide),
    ].map((values) => quantile(values, 0.5).toFixed(0)),
  ];
  return [
    ['authorising one call at tier record, CPU us', 'token, proof, task', 'grant, policy, payloads', 'together'],
    row('the same path again (remembered)', times.same),
    row('another path each time (decided anew)', times.other),
  ];
}

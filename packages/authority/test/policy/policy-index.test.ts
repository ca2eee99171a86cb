import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as cedar from '@cedar-policy/cedar-wasm/nodejs';
import { utf8 } from '@deed/evidence';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Bundle, bundleFile, bundleOf, checkBundle } from '../../src/policy/bundle.ts';
import { defaultPolicyFolder } from '../../src/policy/default.ts';
import { evaluate } from '../../src/policy/evaluate.ts';
import { sliceFor } from '../../src/policy/policy-index.ts';
import { type PolicyRequest, policyRequests } from '../../src/policy/request.ts';

const schema = bundleFile('schema.cedarschema', readFileSync(join(defaultPolicyFolder, 'schema.cedarschema')));
const bundleWith = (rules: string) => bundleOf([schema, bundleFile('rules.cedar', utf8(rules))]);

function requestOf(method: string, server: string, tool: string | null, destructive = false): PolicyRequest {
  const [request] = policyRequests({
    agent: { id: 'agt_1', spiffe: 'spiffe://x/agent/y' },
    task: { implicit: false, ceiling: 'approve', objective: '' },
    grant: { grade: 'E0', verdict: 'WAIVED', ceiling: 'record', unearned: true },
    method,
    server,
    tool,
    hints: { destructive },
    facets: [],
  });
  if (!request) throw new Error('no request');
  return request;
}

/** All policies of the bundle, parsed for this one call: no index, nothing remembered. */
function withAllPolicies(bundle: Bundle, request: PolicyRequest) {
  const { entities, context, unfit: _, ...rest } = request;
  const answer = cedar.isAuthorized({
    ...rest,
    context: context as unknown as cedar.Context,
    entities: entities as unknown as cedar.Entities,
    schema: bundle.schema,
    validateRequest: true,
    policies: { staticPolicies: Object.fromEntries([...bundle.policies.values()].map(({ id, text }) => [id, text])) },
  });
  if (answer.type === 'failure') return { outcome: 'deny', reasons: [], errors: 1 };
  const { decision, diagnostics } = answer.response;
  const outcome = diagnostics.errors.length > 0 ? 'deny' : decision;
  return { outcome, reasons: [...diagnostics.reason].sort(), errors: diagnostics.errors.length };
}

const servers = ['files', 'git', 'a/b'] as const;
const tools = ['t', 'b/t', 'delete'] as const;
const heads = [
  ...servers.flatMap((server) => [
    ...tools.map((tool) => `action == Deed::Action::"call", resource == Deed::Tool::"${server}/${tool}"`),
    `action == Deed::Action::"read", resource == Deed::Server::"${server}"`,
    `action, resource in Deed::Server::"${server}"`,
    `action in [Deed::Action::"call", Deed::Action::"read"], resource in Deed::Server::"${server}"`,
  ]),
  'action == Deed::Action::"call", resource is Deed::Tool',
  'action == Deed::Action::"call", resource',
  'action, resource',
];
const conditions = [
  '',
  'when { context.hints has destructive && context.hints.destructive }',
  'unless { context.method == "tools/call" }',
  'when { 9223372036854775807 + (if context.task.implicit then 0 else 1) > 0 }',
];
const policy = fc.record({
  effect: fc.constantFrom('permit', 'permit', 'forbid'),
  head: fc.constantFrom(...heads),
  condition: fc.constantFrom(...conditions, '', ''),
});
const asked = fc.record({
  method: fc.constantFrom('tools/call', 'resources/read', 'ping'),
  server: fc.constantFrom(...servers, 'unheard-of'),
  tool: fc.constantFrom(...tools, 'unheard-of'),
  destructive: fc.boolean(),
});

test('the policies that a request can meet answer as all of them: outcome, set of reasons, errors', () => {
  let sawErrors = 0;
  let leftOut = 0;
  fc.assert(
    fc.property(
      fc.array(policy, { minLength: 1, maxLength: 12 }),
      fc.array(asked, { minLength: 4, maxLength: 8 }),
      (rules, calls) => {
        const bundle = bundleWith(
          rules
            .map(({ effect, head, condition }, i) => `@id("p${i}") ${effect} (principal, ${head}) ${condition};`)
            .join('\n'),
        );
        for (const { method, server, tool, destructive } of calls) {
          const request = requestOf(method, server, method === 'tools/call' ? tool : null, destructive);
          const { outcome, reasons, errors } = evaluate(bundle, [request]);
          const whole = withAllPolicies(bundle, request);
          expect({ outcome, reasons, errors: errors.length }).toEqual(whole);
          sawErrors += whole.errors;
          leftOut += bundle.policies.size - sliceFor(bundle, request).policies.length;
        }
      },
    ),
    { numRuns: process.env.SLOW ? 2000 : 30 },
  );
  expect(sawErrors).toBeGreaterThan(0);
  expect(leftOut).toBeGreaterThan(0);
});

test('a request sees the policies of its action and of its resource, and no request makes a slice of its own', () => {
  const bundle = bundleWith(
    servers
      .map(
        (server, i) =>
          `@id("p${i}") permit (principal, action == Deed::Action::"call", resource == Deed::Tool::"${server}/t");`,
      )
      .concat('@id("r") permit (principal, action == Deed::Action::"read", resource);')
      .join('\n'),
  );
  const idsOf = (request: PolicyRequest) => sliceFor(bundle, request).policies.map(({ id }) => id);
  expect(idsOf(requestOf('tools/call', 'git', 't'))).toEqual(['p1']);
  expect(idsOf(requestOf('resources/read', 'git', null))).toEqual(['r']);
  expect(idsOf(requestOf('tools/call', 'a', 'b/t'))).toEqual(['p2']); // one id, whatever it was made of
  expect(idsOf(requestOf('ping', 'git', null))).toEqual([]);
  const names = new Set(
    Array.from({ length: 50 }, (_, i) => sliceFor(bundle, requestOf('tools/call', 'git', `made-up-${i}`)).name),
  );
  expect(names.size).toBe(1);
});

test('a request carries its agent, its tool and the server of that, and nothing else', () => {
  const { principal, resource, entities } = requestOf('tools/call', 'git', 't');
  expect(entities.map(({ uid }) => uid)).toEqual([principal, { type: 'Deed::Server', id: 'git' }, resource]);
  expect(requestOf('resources/read', 'git', null).entities).toHaveLength(2);
  expect(checkBundle(defaultPolicyFolder).named.resource.size).toBe(0);
});

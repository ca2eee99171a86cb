import { type Facet, fromUtf8, parseStrictJson, utf8 } from '@deed/evidence';
import { z } from 'zod';
import { AuthorityError } from '../errors.ts';
import type { factsOf } from './facts.ts';

/** What the tool's server says of the tool (MCP annotations). Untrusted. */
export interface Hints {
  readonly readOnly?: boolean;
  readonly destructive?: boolean;
  readonly idempotent?: boolean;
  readonly openWorld?: boolean;
}

export interface PolicySubject {
  /** Null: an implicit task, the agent is not enrolled. */
  readonly agent: { readonly id: string; readonly spiffe: string } | null;
  readonly task: { readonly implicit: boolean; readonly ceiling: string; readonly objective: string };
  readonly grant: {
    readonly grade: string;
    readonly verdict: string;
    readonly ceiling: string;
    readonly unearned: boolean;
  };
  readonly method: string;
  readonly server: string;
  /** For tools/call. */
  readonly tool: string | null;
  readonly hints: Hints;
  readonly facets: readonly Facet[];
  /** What {@link factsOf} gave for its arguments. Default: nothing is declared. */
  readonly facts?: ReturnType<typeof factsOf>;
}

const uid = z.strictObject({ type: z.string(), id: z.string() });
const path = z.strictObject({ real: z.string(), segments: z.array(z.string()) });
const git = z.strictObject({
  remote: z.string(),
  repository: z.string(),
  ref: z.string(),
  deletes: z.boolean(),
  forced: z.boolean(),
  tag: z.boolean(),
});
const context = z.strictObject({
  method: z.string(),
  task: z.strictObject({ implicit: z.boolean(), ceiling: z.string(), objective: z.string() }),
  grant: z.strictObject({ grade: z.string(), verdict: z.string(), ceiling: z.string(), unearned: z.boolean() }),
  hints: z.partialRecord(z.enum(['readOnly', 'destructive', 'idempotent', 'openWorld']), z.boolean()),
  path: path.optional(),
  git: git.optional(),
  facts: z.record(z.string(), z.union([z.number(), z.string(), z.boolean(), z.array(z.string())])).optional(),
});
const entity = z.strictObject({
  uid,
  attrs: z.record(z.string(), z.union([z.string(), z.boolean()])),
  parents: z.array(uid),
});
const request = z.strictObject({
  principal: uid,
  action: uid,
  resource: uid,
  context,
  entities: z.array(entity),
  /** Why it is denied without being asked: arguments that are not the facts that were declared. */
  unfit: z.array(z.string()).min(1).optional(),
});
const inputs = z.strictObject({ v: z.literal(1), bundle: z.string(), requests: z.array(request).min(1) });

/** One evaluation request, complete: with nothing but this and the bundle the decision replays. */
export type PolicyRequest = z.infer<typeof request>;

const readMethod = /^(resources\/read|resources\/subscribe|prompts\/get|completion\/complete|tasks\/.+)$/;

/** Which Cedar action a method is. */
export function actionOf(method: string): 'call' | 'read' | 'pass' {
  if (method === 'tools/call') return 'call';
  return readMethod.test(method) ? 'read' : 'pass';
}

/** The requests of one action, in the order of its facets; one request if it has none. */
export function policyRequests(subject: PolicySubject): readonly PolicyRequest[] {
  const action = actionOf(subject.method);
  const principal = { type: 'Deed::Agent', id: subject.agent?.id ?? 'implicit' };
  const server = { type: 'Deed::Server', id: subject.server };
  const tool = { type: 'Deed::Tool', id: `${subject.server}/${subject.tool ?? ''}` };
  const resource = action === 'call' ? tool : server;
  const attrs = { enrolled: subject.agent !== null, spiffe: subject.agent?.spiffe ?? '' };
  const entities = [
    { uid: principal, attrs, parents: [] },
    { uid: server, attrs: {}, parents: [] },
    ...(action === 'call' ? [{ uid: tool, attrs: { name: subject.tool ?? '' }, parents: [server] }] : []),
  ];
  const facets: readonly (Facet | null)[] = subject.facets.length > 0 ? subject.facets : [null];
  return facets.map((facet) => ({
    principal,
    action: { type: 'Deed::Action', id: action },
    resource,
    context: {
      method: subject.method,
      task: subject.task,
      grant: subject.grant,
      hints: hintsOf(subject.hints),
      ...facetContext(facet),
      ...(subject.facts && 'facts' in subject.facts ? { facts: subject.facts.facts } : {}),
    },
    entities,
    ...(subject.facts && 'unfit' in subject.facts ? { unfit: subject.facts.unfit } : {}),
  }));
}

/** The same requests with the facts of another bundle. */
export function withFacts(
  requests: readonly PolicyRequest[],
  facts: ReturnType<typeof factsOf>,
): readonly PolicyRequest[] {
  return requests.map(({ unfit: _unfit, context: { facts: _facts, ...context }, ...rest }) => ({
    ...rest,
    context: { ...context, ...(facts && 'facts' in facts ? facts : {}) },
    ...(facts && 'unfit' in facts ? facts : {}),
  }));
}

function hintsOf(hints: Hints): Hints {
  const { readOnly, destructive, idempotent, openWorld } = hints;
  return Object.fromEntries(
    Object.entries({ readOnly, destructive, idempotent, openWorld }).filter(([, value]) => typeof value === 'boolean'),
  );
}

function facetContext(facet: Facet | null): Pick<PolicyRequest['context'], 'path' | 'git'> {
  if (!facet) return {};
  if (facet.kind === 'path') {
    const segments = [...new Set(facet.real.split('/').filter((part) => part !== ''))];
    return { path: { real: facet.real, segments } };
  }
  const { remote, repository, ref, deletes, forced, tag } = facet;
  return { git: { remote, repository, ref, deletes, forced, tag } };
}

/** The payload that a decision's `inputs` names. */
export function encodeInputs(bundle: string, requests: readonly PolicyRequest[]): Uint8Array {
  return utf8(JSON.stringify({ v: 1, bundle, requests }));
}

/** @throws AuthorityError replay */
export function parseInputs(bytes: Uint8Array): z.infer<typeof inputs> {
  const parsed = inputs.safeParse(parseStrictJson(fromUtf8(bytes)).value);
  if (!parsed.success) throw new AuthorityError('replay', `not the inputs of a decision: ${parsed.error.message}`);
  return parsed.data;
}

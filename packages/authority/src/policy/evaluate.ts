import type * as CedarTypes from '@cedar-policy/cedar-wasm/nodejs';
import { type ApprovalQuorum, isGrade, type Tier, tiers } from '@deed/evidence';
import { AuthorityError } from '../errors.ts';
import { type Bundle, checkBundle } from './bundle.ts';
import { type Cedar, ownEngine } from './engine.ts';
import { sliceFor } from './policy-index.ts';
import { type PolicyRequest, parseInputs } from './request.ts';

export interface Evaluation {
  readonly outcome: 'allow' | 'deny';
  /** The strictest tier that a determining permit names. */
  readonly tier: Tier;
  /** What approval it takes: the most that a determining permit asks for. Null unless it is allowed at tier approve. */
  readonly quorum: ApprovalQuorum | null;
  /** Ids of the determining policies, sorted, each once. */
  readonly reasons: readonly string[];
  readonly errors: readonly string[];
}

// An engine keeps what it parsed, by name, as long as it lives. Names depend on bundles alone, never on what is asked.
const prepared = new WeakMap<Cedar, Set<string>>();

/** Parses something once. @throws AuthorityError policy-invalid */
function prepareOnce(cedar: Cedar, name: string, parse: () => CedarTypes.CheckParseAnswer): void {
  const known = prepared.get(cedar) ?? new Set();
  prepared.set(cedar, known);
  if (known.has(name)) return;
  const answer = parse();
  if (answer.type === 'failure') throw new AuthorityError('policy-invalid', answer.errors[0]?.message ?? 'no reason');
  known.add(name);
}

/**
 * Decides one action: every request must be allowed, and any error in any of them denies (Cedar itself skips a policy
 * that errors, even a forbid). Pure: the same bundle and requests give the same answer for ever.
 */
export function evaluate(bundle: Bundle, requests: readonly PolicyRequest[], cedar: Cedar = ownEngine): Evaluation {
  const single = requests.map((request) => evaluateOne(cedar, bundle, request));
  const errors = sorted(single.flatMap((one) => one.errors));
  const denying = single.filter((one) => one.outcome === 'deny');
  const denied = denying.length > 0 || single.length === 0;
  const determining = denied ? denying : single;
  const tier = strictest(single.map((one) => one.tier));
  const reasons = sorted(determining.flatMap((one) => one.reasons));
  const quorum = denied || tier !== 'approve' ? null : quorumOf(bundle, reasons);
  return { outcome: denied ? 'deny' : 'allow', tier, quorum, reasons, errors };
}

/** Decides recorded inputs again with the archived bundle. @throws AuthorityError replay (another bundle), policy-invalid */
export function replayDecision(inputs: Uint8Array, bundleFolder: string): Evaluation {
  const recorded = parseInputs(inputs);
  const bundle = checkBundle(bundleFolder);
  if (recorded.bundle !== bundle.digest) {
    throw new AuthorityError('replay', `decided by bundle ${recorded.bundle}, but the folder holds ${bundle.digest}`);
  }
  return evaluate(bundle, recorded.requests);
}

function quorumOf(bundle: Bundle, reasons: readonly string[]): ApprovalQuorum {
  const asked = reasons.flatMap((id) => bundle.policies.get(id)?.quorum ?? []);
  return asked.reduce(
    (most, { people, grade }) => ({
      people: Math.max(most.people, people),
      grade: isGrade(grade, most.grade) ? grade : most.grade,
    }),
    { people: 1, grade: 'A0' },
  );
}

/** The strictest of some tiers; record when there is none. */
export function strictest(candidates: readonly Tier[]): Tier {
  return tiers[Math.max(...candidates.map((tier) => tiers.indexOf(tier)))] ?? 'record';
}

/** The lowest of some tiers. */
export function lowest(candidates: readonly [Tier, ...Tier[]]): Tier {
  return candidates.reduce((low, tier) => (isAbove(low, tier) ? tier : low));
}

export function isAbove(tier: Tier, ceiling: Tier): boolean {
  return tiers.indexOf(tier) > tiers.indexOf(ceiling);
}

function evaluateOne(cedar: Cedar, bundle: Bundle, request: PolicyRequest): Omit<Evaluation, 'quorum'> {
  if (request.unfit) return { outcome: 'deny', tier: 'record', reasons: [], errors: request.unfit };
  const answer = ask(cedar, bundle, request);
  if (answer.type === 'failure') {
    return { outcome: 'deny', tier: 'record', reasons: [], errors: answer.errors.map((error) => error.message) };
  }
  const { decision, diagnostics } = answer.response;
  const errors = diagnostics.errors.map((each) => `${each.policyId}: ${each.error.message}`);
  const reasons = diagnostics.reason;
  const outcome = decision === 'allow' && errors.length === 0 ? 'allow' : 'deny';
  return { outcome, tier: strictest(reasons.map((id) => bundle.policies.get(id)?.tier ?? 'record')), reasons, errors };
}

function ask(cedar: Cedar, bundle: Bundle, request: PolicyRequest): CedarTypes.AuthorizationAnswer {
  const { entities, context, unfit: _, ...rest } = request;
  try {
    const slice = sliceFor(bundle, request);
    prepareOnce(cedar, bundle.digest, () => cedar.preparseSchema(bundle.digest, bundle.schema));
    prepareOnce(cedar, slice.name, () => {
      const staticPolicies = Object.fromEntries(slice.policies.map(({ id, text }) => [id, text]));
      return cedar.preparsePolicySet(slice.name, { staticPolicies });
    });
    return cedar.statefulIsAuthorized({
      ...rest,
      context: context as unknown as CedarTypes.Context,
      entities: entities as unknown as CedarTypes.Entities,
      preparsedSchemaName: bundle.digest,
      preparsedPolicySetId: slice.name,
      validateRequest: true,
    });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const failed = { message, help: null, code: null, url: null, severity: null };
    return { type: 'failure', errors: [failed], warnings: [] };
  }
}

function sorted(values: readonly string[]): readonly string[] {
  return [...new Set(values)].sort();
}

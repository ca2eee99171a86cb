import { type Attempt, type Authority, admittedBy, attemptOf } from '@deed/evidence';
import { chainOfHops } from '../delegation/hop.ts';
import { AuthorityError } from '../errors.ts';
import { type Grants, judgeTier } from '../grants.ts';
import type { Ground } from '../ground.ts';
import type { Policy } from '../policy/activation.ts';
import type { DecisionCache } from '../policy/decision-cache.ts';
import { cedarEngine } from '../policy/engine.ts';
import { isAbove, lowest } from '../policy/evaluate.ts';
import { factsOf } from '../policy/facts.ts';
import { encodeInputs, policyRequests } from '../policy/request.ts';
import type { Tasks } from '../tasks/tasks.ts';
import {
  type Admitted,
  decisionType,
  type Proposal,
  recordBytes,
  recordType,
  stageEvidence,
  type Verdict,
} from './proposal.ts';

export interface DecideParts {
  readonly ground: Ground;
  readonly grants: Grants;
  readonly policy: Policy;
  readonly tasks: Tasks;
  readonly decisions: DecisionCache;
}

/** What the task allows, and what the token does: a token may be asked for with less. */
export function isAllowed({ task, allow }: Admitted, attempt: Attempt): boolean {
  if (task.implicit) return true;
  return admittedBy(task.allow, attempt, task.counts) !== null && admittedBy(allow ?? [], attempt) !== null;
}

/**
 * Decides a proposal, narrowest first: the task's allowed actions and ceiling, the grant in force, policy. Nothing is recorded;
 * the payloads that its statements will cite are put into the vault (at tier observe only named).
 * @throws AuthorityError proposal (the record is of another action, task or tool)
 */
export function decide(parts: DecideParts, admitted: Admitted, proposal: Proposal): Verdict {
  const { vault } = parts.ground;
  const { task, agent, hops, pop } = admitted;
  const { method, tool, hints } = proposal;
  const bytes = recordBytes(task.id, proposal);
  const grant = parts.grants.newestFor(agent?.id ?? null);
  if (!grant) throw new AuthorityError('grant-expired', 'there is no grant at all');
  const { bundle } = parts.policy.current();
  const attempt = attemptOf(proposal.record);

  const verdict = (over: Partial<Verdict> & Pick<Verdict, 'tier'>): Verdict => {
    const keep = over.tier !== 'observe' || over.reason !== undefined;
    const unearned = judgeTier(grant, over.tier).unearned;
    const authority: Authority = {
      pop,
      evidence: stageEvidence(vault, admitted, keep),
      chain: chainOfHops(hops),
      grant: grant.digest,
      unearned,
    };
    return {
      outcome: over.reason === undefined ? 'allow' : 'deny',
      reason: null,
      detail: '',
      needsApproval: over.reason === undefined && over.tier === 'approve',
      decision: null,
      authority,
      unearned,
      record: vault.stage(task.id, bytes, recordType, keep),
      ...over,
    };
  };

  if (!hops.every(({ allow }) => admittedBy(allow, attempt) !== null)) {
    const detail = `${method} ${tool.server}/${tool.name} is not among what was passed on to the agent`;
    return verdict({ tier: 'record', reason: 'outside-grant', detail });
  }
  if (!isAllowed(admitted, attempt)) {
    const detail = `${method} ${tool.server}/${tool.name} is not among the allowed actions of the task`;
    return verdict({ tier: 'record', reason: 'outside-grant', detail });
  }
  const held = lowest([task.ceiling, ...hops.map((hop) => hop.ceiling)]);
  const requests = policyRequests({
    agent: agent && { id: agent.id, spiffe: agent.spiffe },
    task: { implicit: task.implicit, ceiling: held, objective: task.objective.sha256 },
    grant: {
      grade: grant.grade,
      verdict: grant.verdict,
      ceiling: grant.ceiling,
      unearned: grant.verdict === 'WAIVED',
    },
    method,
    server: tool.server,
    tool: attempt.tool,
    hints,
    facets: attempt.facets,
    facts: factsOf(bundle.facts, proposal.record),
  });
  const inputs = encodeInputs(bundle.digest, requests);
  const { outcome, tier, quorum, reasons, errors } = parts.decisions.evaluate(bundle, requests, inputs, {
    task: task.id,
    epoch: admitted.epoch,
    isOpen: parts.tasks.isOpen(task.id),
  });
  const denied = outcome === 'deny';
  const unseen = proposal.observed === 'self-reported' || proposal.observed === 'hook';
  const ceiling = unseen && isAbove(held, 'record') ? 'record' : held;
  const overCeiling = isAbove(tier, ceiling);
  // What a delegate does its delegators might do as well: the grant of each carries it.
  const above = [task.agent, ...hops.map(({ delegator }) => delegator)].map(
    (id) => parts.grants.newestFor(id) ?? grant,
  );
  const failing = [grant, ...above].find((each) => !parts.grants.isInForce(each) || judgeTier(each, tier).denied);
  const overGrant = failing !== undefined;
  const keep = tier !== 'observe' || denied || overCeiling || overGrant;
  const decision = {
    outcome,
    engine: cedarEngine(),
    bundle: bundle.digest,
    reasons: [...reasons],
    errors: [...errors],
    inputs: vault.stage(task.id, inputs, decisionType, keep),
    quorum,
  };
  if (denied) {
    return verdict({ tier, decision, reason: 'denied', detail: whyDenied(reasons, errors) });
  }
  if (overCeiling) {
    const detail = `policy puts it at tier ${tier}, the ceiling here is ${ceiling}`;
    return verdict({ tier, decision, reason: 'outside-grant', detail });
  }
  if (overGrant) {
    const detail = `grant ${failing.id} (${failing.verdict}, ceiling ${failing.ceiling}) does not carry tier ${tier} now`;
    return verdict({ tier, decision, reason: 'outside-grant', detail });
  }
  if (tier === 'approve' && agent && !admitted.isFresh) {
    const detail =
      "at tier approve a proof repeats the server's nonce, which comes with each token: sign again with it";
    return verdict({ tier, decision, reason: 'stale-proof', detail });
  }
  return verdict({ tier, decision });
}

/** A policy that errors denies; the reasons may then be permits. */
function whyDenied(reasons: readonly string[], errors: readonly string[]): string {
  if (errors.length > 0) return `policy could not be evaluated: ${errors.join('; ')}`;
  return reasons.length > 0 ? `policy forbids it: ${reasons.join(', ')}` : 'no policy permits it';
}

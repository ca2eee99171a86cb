import { admittedBy, attemptOf, type RefusalReason, type Tier } from '@deed/evidence';
import type { Recorded } from '@deed/ledger';
import type { Agents } from '../agents.ts';
import type { ApprovalUses } from '../approvals/approval-uses.ts';
import type { Hops } from '../delegation/hops.ts';
import { AuthorityError, type AuthorityErrorCode } from '../errors.ts';
import type { LiveTask } from '../tasks/task.ts';
import type { Tasks } from '../tasks/tasks.ts';
import { type DecideParts, decide, isAllowed } from './decide.ts';
import type { Intents } from './intents.ts';
import type { ProofUses } from './proof-uses.ts';
import {
  type Admitted,
  actHeader,
  isPatient,
  type PromptCited,
  type Proposal,
  recordBytes,
  recordType,
  type Verdict,
} from './proposal.ts';
import type { Refusals } from './refusals.ts';

export interface IntendParts extends DecideParts {
  readonly agents: Agents;
  readonly hops: Hops;
  readonly tasks: Tasks;
  readonly proofs: ProofUses;
  readonly intents: Intents;
  readonly approvals: ApprovalUses;
  readonly refusals: Refusals;
}

/** Why an intent must not be made now. */
interface Hindrance {
  readonly code: AuthorityErrorCode;
  readonly reason: RefusalReason;
  readonly detail: string;
}

/**
 * The one synchronous step between decision and dispatch. Everything is looked at again as it is now: task, agent, budget,
 * policy and grant, the record, the approval. Either the intent is recorded, and consumes proof, approval and budget in its
 * own transaction, or a refusal is recorded and this throws. Nothing may be dispatched before `durable` of what it returns.
 * @throws AuthorityError task-closed, agent-revoked, outside-grant, denied, operands-changed, approval, proposal (the proof or the
 *   action was used before: nothing is recorded)
 */
export function intend(
  parts: IntendParts,
  admitted: Admitted,
  proposal: Proposal,
  given: Verdict,
  approvals: readonly string[],
): Recorded {
  const { ground, tasks, hops, proofs, intents, approvals: uses, refusals } = parts;
  const { vault } = ground;
  const { proof } = admitted;
  const id = admitted.task.id;
  const bytes = recordBytes(id, proposal);
  const task = tasks.isOpen(id) ? tasks.liveTask(id) : undefined;
  const verdict = task ? current(parts, admitted, proposal, given) : given;
  const record = vault.stage(id, bytes, recordType, verdict.tier !== 'observe');
  const hindrance = !task
    ? closed
    : (hinders(parts, task, admitted, proposal, verdict) ??
      (record.sha256 === given.record.sha256 ? null : changed) ??
      (verdict.needsApproval || approvals.length > 0
        ? uses.hinders(
            approvals,
            { action: proposal.action, record: record.sha256 },
            verdict.decision?.quorum ?? null,
            ground.clock.now(),
          )
        : null));
  if (!task || hindrance) {
    const why = hindrance ?? closed;
    refusals.record(admitted, proposal, {
      reason: why.reason,
      detail: why.detail,
      verdict,
      approvals: approvals.filter((each) => uses.isUnused(each, proposal.action)),
    });
    throw new AuthorityError(why.code, why.detail);
  }
  if (proof?.spent || task.begun.has(proposal.action) || task.refused.has(proposal.action)) {
    throw new AuthorityError('proposal', 'this message or action began or was refused before: each begins once');
  }

  const { observed, separation } = actHeader(proposal);
  const entry = task.implicit ? null : admittedBy(task.allow, attemptOf(proposal.record), task.counts);
  const begun = {
    ...{ task: id, action: proposal.action, record: record.sha256, tier: verdict.tier, entry },
    ...{ observed, separation },
  };
  const recorded = ground.record({
    predicate: 'intent',
    place: { task: id, chain: 'seq' },
    subject: { name: `action:${proposal.action}`, sha256: record.sha256 },
    observed,
    separation,
    patient: isPatient(verdict.tier, observed),
    body: {
      action: proposal.action,
      record,
      tier: verdict.tier,
      method: proposal.method,
      tool: proposal.tool,
      authority: verdict.authority,
      decision: verdict.decision,
      approvals: [...approvals],
      ...(proposal.prompt ? { prompt: promptOf(parts, id, proposal.prompt, verdict.tier) } : {}),
      ...(proposal.trace ? { trace: proposal.trace } : {}),
    },
    apply: (tx, { digest }) => {
      proofs.write(tx, proof, digest);
      for (const approval of approvals) uses.writeUse(tx, approval, digest);
      hops.writeUse(tx, admitted.hops);
      intents.writeBegin(tx, { ...begun, digest, ended: null, status: null, settled: false });
      const counted = tx.run("UPDATE tasks SET used = used + 1 WHERE id = ? AND state = 'open' AND used < budget", id);
      if (counted !== 1) throw new Error(`task ${id} is closed or over its budget`);
    },
  });
  const { digest } = recorded;
  for (const approval of approvals) uses.spend(approval, proposal.action);
  if (proof) proof.spent = true;
  task.used++;
  if (entry !== null) task.counts[entry] = (task.counts[entry] ?? 0) + 1;
  for (const hop of admitted.hops) hop.used++;
  task.begun.add(proposal.action);
  task.openIntents.add(digest);
  tasks.counted(id);
  intents.begin({ ...begun, digest, ended: null, status: null, settled: false });
  proofs.used(proof, digest);
  return recorded;
}

/** At tier observe what passed is named and not kept. */
function promptOf({ ground }: IntendParts, task: string, { link, call, exchange }: PromptCited, tier: Tier) {
  const stage = (bytes: Uint8Array, type: string) => ground.vault.stage(task, bytes, type, tier !== 'observe');
  return { link, call, exchange: exchange?.(stage) };
}

const closed: Hindrance = { code: 'task-closed', reason: 'task-closed', detail: 'the task is no longer open' };
const changed: Hindrance = {
  code: 'operands-changed',
  reason: 'operands-changed',
  detail: 'what would run is not what was decided: arguments, operands or tool are others now',
};

/** The verdict as it is now: decided again when policy or grant changed while the action was held. */
function current(parts: IntendParts, admitted: Admitted, proposal: Proposal, given: Verdict): Verdict {
  const grant = parts.grants.newestFor(admitted.agent?.id ?? null);
  const same =
    given.decision?.bundle === parts.policy.current().bundle.digest &&
    given.authority.grant === grant?.digest &&
    parts.grants.isInForce(grant);
  if (same && given.outcome === 'allow') return given;
  const now = decide(parts, admitted, proposal);
  return { ...now, record: given.record };
}

function hinders(
  { hops }: IntendParts,
  task: LiveTask,
  admitted: Admitted,
  proposal: Proposal,
  verdict: Verdict,
): Hindrance | null {
  if (task.epoch !== admitted.epoch) return closed;
  const dead = hops.hinders(task, admitted.hops);
  if (dead) return { ...dead, reason: 'denied' };
  if (task.used >= task.budget) {
    const detail = `the budget of ${task.budget} actions is used up`;
    return { code: 'outside-grant', reason: 'outside-grant', detail };
  }
  const spent = admitted.hops.find(({ used, budget }) => used >= budget);
  if (spent) {
    const detail = `the ${spent.budget} actions that were passed on are used up`;
    return { code: 'outside-grant', reason: 'outside-grant', detail };
  }
  if (!verdict.reason && !isAllowed(admitted, attemptOf(proposal.record))) {
    const detail = 'the allowed actions admit no more of these';
    return { code: 'outside-grant', reason: 'outside-grant', detail };
  }
  if (verdict.reason) return { code: verdict.reason, reason: verdict.reason, detail: verdict.detail };
  return null;
}

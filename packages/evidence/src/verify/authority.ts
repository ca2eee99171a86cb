import { members } from '../case/members.ts';
import { fromBase64 } from '../encoding.ts';
import { jwkThumbprint } from '../jwk.ts';
import { type Authority, type CitedAgent, type Decision, type Tier, tiers } from '../predicates.ts';
import type { StatementWith } from '../statement.ts';
import { actorOf, partiesOf, wasRevoked, whyDead } from './actor.ts';
import { checkAllowed } from './allowed.ts';
import { type Examination, type Logged, label } from './examination.ts';
import type { Decided } from './message.ts';
import { policyGraceSeconds } from './policy-grace.ts';
import { checkPossession } from './possession.ts';

type GrantDecision = Logged<StatementWith<'grant-decision'>>;

/** Under what each task ran and each action was decided: agent, grant, policy, token and the proof of possession. */
export function checkAuthority(exam: Examination): string | null {
  for (const opened of exam.all('task-opened')) exam.attempt(label(opened), () => checkTask(exam, opened));
  checkAllowed(exam);
  let shown = 0;
  const decided: Decided[] = [...exam.all('intent'), ...exam.all('refusal')];
  for (const logged of decided.sort((a, b) => a.index - b.index)) {
    const { authority, decision } = logged.statement.body;
    if (decision) checkDecision(exam, logged, decision);
    if (!authority) continue;
    checkGrant(exam, logged, authority);
    const id = exam.attempt(label(logged), () => checkPossession(exam, logged, authority));
    if (!id) continue;
    shown++;
    const first = exam.proofs.get(id);
    if (!first) exam.proofs.set(id, logged);
    else if (!citesFirstUse(logged, first)) exam.forged(`${label(logged)}: its proof served ${label(first)} before`);
  }
  return `${shown} proofs of possession`;
}

/** Only the refusal that ends the first use of a proof, or that refuses its replay, may show the proof again. */
function citesFirstUse({ statement }: Decided, first: Logged): boolean {
  return statement.predicate === 'refusal' && statement.body.cites === first.statement.digest;
}

function checkTask(exam: Examination, opened: Logged<StatementWith<'task-opened'>>): void {
  const { agent, grant, policy, implicit } = opened.statement.body;
  if ((agent === null) !== implicit) exam.forged(`${label(opened)}: only an implicit task has no agent`);
  checkGrantInForce(exam, opened, agent?.id ?? null, grant);
  const activated = exam.find(policy, 'policy-activated');
  if (!activated) exam.incomplete(`${label(opened)}: its policy is not here`);
  else if (activated.index > opened.index) exam.forged(`${label(opened)}: its policy came into force later`);
  if (agent) checkEnrolment(exam, opened, agent);
}

/** The agent that a statement names is the one that was enrolled before, and was not revoked. Returns its key; SPKI. */
export function checkEnrolment(exam: Examination, logged: Logged, agent: CitedAgent): Uint8Array | null {
  const enrolled = exam.find(agent.enrolled, 'agent-enrolled');
  if (!enrolled) {
    exam.incomplete(`${label(logged)}: the enrolment of its agent is not here`);
    return null;
  }
  const { body } = enrolled.statement;
  const same = body.agent === agent.id && body.spiffe === agent.spiffe && body.definition === agent.definition;
  const spki = fromBase64(body.key.spki);
  const key = jwkThumbprint(spki);
  if (!same || key !== agent.jkt || body.key.jkt !== key)
    exam.forged(`${label(logged)}: names another agent than was enrolled`);
  if (enrolled.index > logged.index) exam.forged(`${label(logged)}: its agent was enrolled later`);
  if (wasRevoked(exam, agent.id, logged.index)) exam.forged(`${label(logged)}: its agent was revoked`);
  return spki;
}

function checkDecision(exam: Examination, logged: Decided, decision: Decision): void {
  const before = exam.all('policy-activated').filter(({ index }) => index < logged.index);
  const activated = before.findLast(({ statement }) => statement.body.bundle === decision.bundle);
  const known = exam.all('policy-activated').some(({ statement }) => statement.body.bundle === decision.bundle);
  if (!known) exam.incomplete(`${label(logged)}: the policy that decided is not here`);
  else if (!activated) exam.forged(`${label(logged)}: decided by a policy that came into force later`);
  else if (!exam.members.has(members.manifest(decision.bundle)))
    exam.incomplete(`the bundle ${decision.bundle} is not here`);
  else if (activated.statement.body.engine.sha256 !== decision.engine.sha256)
    exam.forged(`${label(logged)}: decided by another engine`);
  if (logged.statement.predicate !== 'intent') return;
  if (decision.outcome !== 'allow' || decision.errors.length > 0)
    exam.forged(`${label(logged)}: an intent against a decision that did not allow it`);
  const latest = Date.parse(logged.statement.time) - policyGraceSeconds * 1000;
  const settled = before.filter(({ statement }) => Date.parse(statement.time) <= latest).at(-1);
  if (activated && settled && settled.index > activated.index)
    exam.forged(`${label(logged)}: decided not by the policy in force`);
}

function checkGrant(exam: Examination, logged: Decided, authority: Authority): void {
  const grant = exam.find(authority.grant, 'grant-decision');
  if (!grant) exam.incomplete(`${label(logged)}: its grant is not here`);
  if (!grant || logged.statement.predicate !== 'intent') return;
  const actor = exam.attempt(label(logged), () => actorOf(exam, logged, authority.chain));
  checkGrantInForce(exam, logged, actor?.agent?.id ?? null, authority.grant);
  const { verdict, ceiling } = grant.statement.body;
  const above = rank(logged.statement.body.tier) > rank(ceiling);
  if (above && verdict !== 'WAIVED') exam.forged(`${label(logged)}: above the ceiling of its grant`);
  if (authority.unearned !== above) exam.forged(`${label(logged)}: its label "authority not earned" is wrong`);
  if (!actor) return;
  const dead = whyDead(exam, actor, logged.index);
  if (dead !== null) exam.forged(`${label(logged)}: ${dead}`);
  for (const { id } of partiesOf(actor).slice(0, -1)) checkGrantAbove(exam, logged, id, logged.statement.body.tier);
}

/** What a delegate does its delegators might do as well: the grant in force for each of them carries it. */
function checkGrantAbove(exam: Examination, logged: Logged, agent: string, tier: Tier): void {
  const grant = inForceFor(exam, logged, agent);
  if (!grant) {
    exam.incomplete(`${label(logged)}: the grant of ${agent}, above it, is not here`);
    return;
  }
  const { verdict, ceiling, expires } = grant.statement.body;
  const given = verdict !== 'DENIED' && verdict !== 'REVOKED' && expires >= logged.statement.time;
  if (!given || (rank(tier) > rank(ceiling) && verdict !== 'WAIVED'))
    exam.forged(`${label(logged)}: the grant of ${agent}, above it, does not carry it`);
}

/** The newest decision before about this agent, else about every agent. */
function inForceFor(exam: Examination, { index }: Logged, agent: string | null): GrantDecision | undefined {
  const before = exam.all('grant-decision').filter((grant) => grant.index < index);
  return (
    before.findLast(({ statement }) => statement.body.agent === agent) ??
    before.findLast(({ statement }) => statement.body.agent === '*')
  );
}

/** The grant that is cited is the newest decision about the agent, or about every agent if there is none about it. */
export function checkGrantInForce(exam: Examination, logged: Logged, agent: string | null, cited: string): void {
  const grant = exam.find(cited, 'grant-decision');
  if (!grant) {
    exam.incomplete(`${label(logged)}: its grant is not here`);
    return;
  }
  const { agent: holder, verdict, expires } = grant.statement.body;
  if (holder !== '*' && holder !== agent) exam.forged(`${label(logged)}: its grant is for another agent`);
  else if (grant.index > logged.index) exam.forged(`${label(logged)}: its grant was decided later`);
  else if (inForceFor(exam, logged, agent) !== grant)
    exam.forged(`${label(logged)}: its grant is not the one in force`);
  if (verdict === 'DENIED' || verdict === 'REVOKED') exam.forged(`${label(logged)}: its grant was ${verdict}`);
  if (expires < logged.statement.time) exam.forged(`${label(logged)}: its grant had expired`);
}

function rank(tier: Tier): number {
  return tiers.indexOf(tier);
}

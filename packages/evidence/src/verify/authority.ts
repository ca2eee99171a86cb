import { members } from '../case/members.ts';
import { fromBase64, toBase64Url, utf8 } from '../encoding.ts';
import { EvidenceError } from '../errors.ts';
import { parseStrictJson } from '../json.ts';
import { jwkThumbprint } from '../jwk.ts';
import { type CompactJwt, parseJwt } from '../jwt.ts';
import { sha256 } from '../platform.ts';
import { type Authority, type Decision, type Tier, tiers } from '../predicates.ts';
import type { StatementWith } from '../statement.ts';
import { type Examination, type Logged, label } from './examination.ts';

type Decided = Logged<StatementWith<'intent'> | StatementWith<'refusal'>>;

/** Under what each task ran and each action was decided: agent, grant, policy, token and the proof of possession. */
export function checkAuthority(exam: Examination): string | null {
  for (const opened of exam.all('task-opened')) checkTask(exam, opened);
  const proofs = new Map<string, string>();
  let shown = 0;
  for (const logged of [...exam.all('intent'), ...exam.all('refusal')] as Decided[]) {
    const { authority, decision, action } = logged.statement.body;
    if (decision) checkDecision(exam, logged, decision);
    if (!authority) continue;
    checkGrant(exam, logged, authority);
    const id = exam.attempt(label(logged), () => checkPossession(exam, logged, authority));
    if (id) shown++;
    if (id && logged.statement.predicate === 'intent') {
      if (proofs.has(id)) exam.forged(`${label(logged)}: its proof served action ${proofs.get(id)} before`);
      proofs.set(id, action);
    }
  }
  return `${shown} proofs of possession`;
}

function checkTask(exam: Examination, opened: Logged<StatementWith<'task-opened'>>): void {
  const { agent, grant, policy, implicit } = opened.statement.body;
  if ((agent === null) !== implicit) exam.forged(`${label(opened)}: only an implicit task has no agent`);
  if (agent) {
    const enrolled = exam.find(agent.enrolled, 'agent-enrolled');
    if (!enrolled) exam.incomplete(`${label(opened)}: the enrolment of its agent is not here`);
    else {
      const { body } = enrolled.statement;
      const same = body.agent === agent.id && body.spiffe === agent.spiffe && body.definition === agent.definition;
      const key = jwkThumbprint(fromBase64(body.key.spki));
      if (!same || key !== agent.jkt || body.key.jkt !== key)
        exam.forged(`${label(opened)}: names another agent than was enrolled`);
      if (enrolled.index > opened.index) exam.forged(`${label(opened)}: its agent was enrolled later`);
    }
  }
  const decided = exam.find(grant, 'grant-decision');
  if (!decided) exam.incomplete(`${label(opened)}: its grant is not here`);
  else if (decided.statement.body.agent !== '*' && decided.statement.body.agent !== agent?.id) {
    exam.forged(`${label(opened)}: its grant is for another agent`);
  } else if (decided.statement.body.verdict === 'DENIED' || decided.statement.body.verdict === 'REVOKED') {
    exam.forged(`${label(opened)}: its grant was ${decided.statement.body.verdict}`);
  } else if (decided.statement.body.expires < opened.statement.time)
    exam.forged(`${label(opened)}: its grant had expired`);
  if (!exam.find(policy, 'policy-activated')) exam.incomplete(`${label(opened)}: its policy is not here`);
}

function checkDecision(exam: Examination, logged: Decided, decision: Decision): void {
  const activated = [...exam.all('policy-activated')].find(
    ({ statement }) => statement.body.bundle === decision.bundle,
  );
  if (!activated) exam.incomplete(`${label(logged)}: the policy that decided is not here`);
  else if (activated.index > logged.index)
    exam.forged(`${label(logged)}: decided by a policy that came into force later`);
  else if (!exam.members.has(members.manifest(decision.bundle)))
    exam.incomplete(`the bundle ${decision.bundle} is not here`);
  else if (activated.statement.body.engine.sha256 !== decision.engine.sha256)
    exam.forged(`${label(logged)}: decided by another engine`);
  if (logged.statement.predicate === 'intent' && (decision.outcome !== 'allow' || decision.errors.length > 0)) {
    exam.forged(`${label(logged)}: an intent against a decision that did not allow it`);
  }
}

function checkGrant(exam: Examination, logged: Decided, authority: Authority): void {
  const grant = exam.find(authority.grant, 'grant-decision');
  if (!grant) {
    exam.incomplete(`${label(logged)}: its grant is not here`);
    return;
  }
  if (logged.statement.predicate !== 'intent') return;
  const { verdict, ceiling, expires } = grant.statement.body;
  const above = rank(logged.statement.body.tier) > rank(ceiling);
  if (above && verdict !== 'WAIVED') exam.forged(`${label(logged)}: above the ceiling of its grant`);
  if (authority.unearned !== above) exam.forged(`${label(logged)}: its label "authority not earned" is wrong`);
  if (expires < logged.statement.time) exam.forged(`${label(logged)}: its grant had expired`);
}

function rank(tier: Tier): number {
  return tiers.indexOf(tier);
}

/** Checks token and proof where the case holds them, and returns the proof's id. */
function checkPossession(exam: Examination, logged: Decided, authority: Authority): string | null {
  const { position, origin } = logged.statement;
  const opened = 'task' in position ? exam.series.get(position.task)?.[0]?.statement : undefined;
  if (opened?.predicate !== 'task-opened') throw new EvidenceError('case', 'its task-opened is not here');
  const { agent } = opened.body;
  if (authority.pop === 'none') {
    if (agent) throw new EvidenceError('case', 'no proof of possession, but the task has an agent');
    return null;
  }
  if (!agent) throw new EvidenceError('case', 'a proof of possession without an agent');
  const bytes = exam.payload(authority.evidence);
  if (!bytes) return null; // withheld or not kept: the layer identity says so
  const { token, proof, message } = readEvidence(bytes);
  const tokenJwt = parseJwt(token, 'deed-task+jwt');
  const proofJwt = parseJwt(proof, 'wpt+jwt');
  const issued = [...exam.keys.values()].some(
    (key) => key.role === 'token' && key.from <= logged.index && logged.index < key.until && tokenJwt.verify(key.spki),
  );
  const enrolled = exam.find(agent.enrolled, 'agent-enrolled');
  need(issued, 'the token is not from this deployment');
  need(tokenJwt.claims.task === opened.subject.name.slice('task:'.length), 'the token is for another task');
  need(tokenJwt.claims.aud === origin && proofJwt.claims.aud === origin, 'token or proof is for another audience');
  need(jkt(tokenJwt) === agent.jkt, 'the token is bound to another key');
  need(
    enrolled !== undefined && proofJwt.verify(fromBase64(enrolled.statement.body.key.spki)),
    "the proof is not by the agent's key",
  );
  need(proofJwt.claims.ath === toBase64Url(sha256(utf8(token))), 'the proof is for another token');
  need(proofJwt.claims.deed_bdh === toBase64Url(sha256(utf8(message))), 'the proof is for another message');
  checkArguments(exam, logged, message);
  const id = proofJwt.claims.jti;
  if (typeof id !== 'string') throw new EvidenceError('case', 'the proof has no id');
  return id;
}

function readEvidence(bytes: Uint8Array): { readonly token: string; readonly proof: string; readonly message: string } {
  const value = parseStrictJson(bytes).value as Record<string, unknown> | null;
  const { token, proof, message } = value ?? {};
  if (typeof token !== 'string' || typeof proof !== 'string' || typeof message !== 'string') {
    throw new EvidenceError('case', 'the evidence of authority is not in form');
  }
  return { token, proof, message };
}

/** The arguments in the action record are, to the letter, those in the message that the agent signed. */
function checkArguments(exam: Examination, logged: Decided, message: string): void {
  const { record, method } = logged.statement.body;
  const bytes = exam.payload(record);
  if (!bytes) return;
  const recorded = parseStrictJson(bytes).value as { readonly arguments?: unknown };
  const call = parseStrictJson(message, { refuseCaseVariants: true });
  const sent = method === 'tools/call' ? (call.raw('params', 'arguments') ?? '{}') : (call.raw('params') ?? '{}');
  const said = call.raw('method');
  need(said === JSON.stringify(method) && recorded.arguments === sent, 'the agent signed another call');
}

function jkt(token: CompactJwt): unknown {
  const cnf = token.claims.cnf;
  return typeof cnf === 'object' && cnf !== null && 'jkt' in cnf ? cnf.jkt : undefined;
}

function need(holds: boolean, otherwise: string): void {
  if (!holds) throw new EvidenceError('case', otherwise);
}

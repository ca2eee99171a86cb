import { members } from '../case/members.ts';
import { fromBase64, toHex, utf8 } from '../encoding.ts';
import {
  digestOfDefinition,
  type EnrolmentEvidence,
  parseEnrolmentEvidence,
  whyNotNow,
  workloadChallenge,
} from '../identity/enrolment.ts';
import { isSameKey, readJwkSet } from '../identity/jwk-set.ts';
import { parseTrustRules, type TrustRule, trustRulesFile } from '../identity/trust-rules.ts';
import { readWorkloadToken } from '../identity/workload-token.ts';
import { sha256, verifyP256 } from '../platform.ts';
import type { StatementWith } from '../statement.ts';
import { type Examination, type Logged, label, need } from './examination.ts';
import { policyGraceSeconds } from './policy-grace.ts';

type Enrolled = Logged<StatementWith<'agent-enrolled'>>;

/** How each agent of the case was let in: its name and definition, and what its workload token shows. */
export function checkEnrolments(exam: Examination): string | null {
  const used = new Map<string, Enrolled>();
  let shown = 0;
  for (const logged of exam.all('revoked')) {
    const { what, id } = logged.statement.body;
    if ((what === 'agent') !== id.startsWith('agt_')) exam.forged(`${label(logged)}: ends neither an agent nor a name`);
  }
  for (const logged of exam.all('agent-enrolled')) {
    exam.attempt(label(logged), () => checkForm(logged));
    if (logged.statement.body.how !== 'workload-token') continue;
    const uses = exam.attempt(label(logged), () => checkWorkload(exam, logged)) ?? [];
    if (uses.length > 0) shown++;
    for (const use of uses) {
      const first = used.get(use);
      if (first) exam.forged(`${label(logged)}: its workload token enrolled ${first.statement.body.agent} before`);
      used.set(use, logged);
    }
  }
  return `${shown} workload tokens`;
}

function checkForm({ statement }: Enrolled): void {
  const { spiffe, definition, how, evidence, policy } = statement.body;
  const [, , , , , said = null] = spiffe.split('/');
  need(said === definition, 'its identity is not that of its definition');
  const rests = evidence !== null && policy !== null;
  need(
    rests === (how === 'workload-token') && (evidence === null) === (policy === null),
    'it does not say what it rests on',
  );
}

/** Returns under what its token is used up; nothing where the evidence is not here. @throws EvidenceError */
function checkWorkload(exam: Examination, logged: Enrolled): readonly string[] {
  const { body, origin, time } = logged.statement;
  const bytes = exam.payload(body.evidence);
  if (!bytes) return [];
  const evidence = parseEnrolmentEvidence(bytes);
  const rule = ruleOf(exam, logged, evidence);
  if (!rule) return [];
  const token = readWorkloadToken(evidence.token);
  need(token.verify(evidence.key), 'its workload token is not by the key that is archived');
  checkKeys(rule, evidence);
  need(evidence.at <= time, 'its workload token was verified later');
  const why = whyNotNow(rule, token, Date.parse(evidence.at) / 1000);
  need(why === null, `its rule ${rule.name} does not admit its workload token: ${why}`);
  const spki = fromBase64(body.key.spki);
  const challenge = workloadChallenge(origin, evidence.token, body.definition, spki);
  need(verifyP256(spki, challenge, fromBase64(evidence.proof)), 'the new key did not sign for this workload token');
  need(body.kind === rule.kind && nameOf(body.spiffe) === rule.name, 'it is not the agent that its rule names');
  need(body.owner === (rule.owner ?? null), 'its owner is not the one that its rule names');
  const allowed = rule.definitions === undefined || rule.definitions.includes(body.definition ?? '');
  need(allowed, 'its rule does not admit its definition');
  if (evidence.definition !== null)
    need(
      digestOfDefinition(utf8(evidence.definition)) === body.definition,
      'the definition is another than its digest says',
    );
  return token.uses;
}

/** The rule that admitted it, from the bundle that was in force; undefined where the bundle is not here. */
function ruleOf(exam: Examination, logged: Enrolled, { rule, bundle }: EnrolmentEvidence): TrustRule | undefined {
  const { policy, spiffe } = logged.statement.body;
  const activated = exam.find(policy, 'policy-activated');
  if (!activated) {
    exam.incomplete(`${label(logged)}: the policy that admitted it is not here`);
    return undefined;
  }
  need(activated.index < logged.index, 'its policy came into force later');
  need(activated.statement.body.bundle === bundle, 'its evidence names another bundle');
  const latest = Date.parse(logged.statement.time) - policyGraceSeconds * 1000;
  const newer = exam.all('policy-activated').find(({ index }) => activated.index < index && index < logged.index);
  need(!newer || Date.parse(newer.statement.time) > latest, 'admitted not by the policy in force');
  const barred = exam
    .all('revoked')
    .some(
      ({ index, statement: { body } }) =>
        body.what === 'name' && body.id === nameOf(spiffe) && activated.index < index && index < logged.index,
    );
  need(!barred, 'its name was revoked, and no policy trusted it again');
  const listed = activated.statement.body.files.find(({ path }) => path === trustRulesFile);
  const file = exam.members.get(members.policyFile(bundle, trustRulesFile));
  if (!listed) need(false, 'its policy has no trust rules');
  if (!listed || !file) return undefined; // an absent file of a bundle is INCOMPLETE: the check of people says so
  need(toHex(sha256(file)) === listed.sha256, 'the trust rules that are here are not those of its policy');
  const found = parseTrustRules(file).find(({ name }) => name === rule);
  need(found !== undefined, `its policy has no rule ${rule}`);
  return found;
}

/** The key is one of those that the issuer served, or that the rule holds. */
function checkKeys(rule: TrustRule, { key, issuer }: EnrolmentEvidence): void {
  const pinned = issuer.change === 'pinned';
  need(
    pinned === (rule.keys !== undefined) && pinned === (issuer.jwks === null),
    'it does not say where its key is from',
  );
  const keys = rule.keys ?? readJwkSet(issuer.jwks ?? '');
  need(
    keys.some((known) => isSameKey(known, key)),
    'the key that is archived is none of the issuer',
  );
}

function nameOf(spiffe: string): string {
  return spiffe.split('/')[4] ?? '';
}

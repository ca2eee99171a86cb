import {
  DeedError,
  digestOfDefinition,
  encodeEnrolmentEvidence,
  enrolmentEvidenceType,
  keyId,
  parseTrustRules,
  readWorkloadToken,
  statementDigest,
  type TrustRule,
  toBase64,
  toHex,
  trustRulesFile,
  utf8,
  verifyP256,
  type WorkloadToken,
  whyNotAdmitted,
  whyNotNow,
  workloadChallenge,
} from '@deed/evidence';
import type { Rejects } from '../actions/rejects.ts';
import type { Agent, Agents } from '../agents.ts';
import { AuthorityError } from '../errors.ts';
import type { Ground } from '../ground.ts';
import { requireP256Spki } from '../keys/p256.ts';
import type { ActivePolicy, Policy } from '../policy/activation.ts';
import { deploymentTask } from '../vault/task-keys.ts';
import { Issuers } from './issuers.ts';
import { type IssuedWit, type KnownCaller, Wits, type WorkloadRequest } from './wit.ts';

/** Used tokens are remembered this much longer than any rule takes them, so that a clock that is set back revives none. */
const keptMs = 3_600_000;
const oldestTokenMs = 86_400_000;

export interface Enrolment {
  /** The workload's token from its platform. */
  readonly token: string;
  /** SPKI DER of its fresh key. */
  readonly spki: Uint8Array;
  /** That key's signature over `workloadChallenge`. */
  readonly proof: Uint8Array;
  /** Its definition: the exact text, or only its digest, or none. */
  readonly definition: { readonly text: string } | { readonly sha256: string } | null;
}

export interface Enrolled extends IssuedWit {
  readonly agent: Agent;
}

/** How workloads come in by what their platform says of them, and are known from then on. */
export class Workloads {
  private readonly ground: Ground;
  private readonly agents: Agents;
  private readonly policy: Policy;
  private readonly rejects: Rejects;
  private readonly issuers: Issuers;
  readonly wits: Wits;
  /** Tokens that are about to enrol somebody: reserved in the turn in which they are looked up. */
  private readonly entering = new Set<string>();

  constructor(ground: Ground, agents: Agents, policy: Policy, rejects: Rejects) {
    this.ground = ground;
    this.agents = agents;
    this.policy = policy;
    this.rejects = rejects;
    this.issuers = new Issuers(ground.db, ground.clock, () => rejects.add('issuer-replaced'));
    this.wits = new Wits(ground, agents);
  }

  /**
   * Enrols a fresh key by a workload token, which serves once. `audiences`: what this deployment is called in tokens.
   * @throws AuthorityError key, proof-of-key, workload-token, workload-token-used, no-rule, definition, issuer, agent-revoked
   *   (all counted)
   */
  async enrol(request: Enrolment, audiences: readonly string[]): Promise<Enrolled> {
    try {
      const agent = await this.admit(request, audiences);
      return { agent, ...(await this.wits.issue(agent.id)) };
    } catch (error) {
      throw this.rejects.count(error);
    }
  }

  /** Who calls, by its identity token and a proof. @throws AuthorityError as {@link Wits.verify}, counted */
  verify(request: WorkloadRequest): KnownCaller {
    return this.known(request, false);
  }

  /**
   * A new identity token for who has one. An instance that enrolled by a workload token renews in time, or enrols again; one
   * that enrolled by a code may come later.
   * @throws AuthorityError as {@link Wits.verify}
   */
  async renew(request: WorkloadRequest): Promise<Enrolled> {
    const { agent, witExpires } = this.known(request, true);
    if (agent.how === 'workload-token' && witExpires * 1000 <= this.ground.clock.now()) {
      throw this.rejects.count(new AuthorityError('wit-expired', 'the identity token has expired: enrol again'));
    }
    return { agent, ...(await this.wits.issue(agent.id)) };
  }

  private known(request: WorkloadRequest, mayBeOver: boolean): KnownCaller {
    try {
      return this.wits.verify(request, mayBeOver);
    } catch (error) {
      throw this.rejects.count(error);
    }
  }

  private async admit(request: Enrolment, audiences: readonly string[]): Promise<Agent> {
    const { clock, origin, vault } = this.ground;
    const { spki, proof } = request;
    requireP256Spki(spki);
    const token = reading('workload-token', () => readWorkloadToken(request.token));
    const policy = this.policy.current();
    const rule = ruleFor(policy, token, audiences);
    const definition = definitionOf(request, rule);
    if (!verifyP256(spki, workloadChallenge(origin, request.token, definition, spki), proof)) {
      throw new AuthorityError('proof-of-key', 'the new key did not sign for this token, definition and deployment');
    }
    const { key, issuer } = await this.issuers.keyFor(rule, token.kid);
    if (!reading('workload-token', () => token.verify(key))) {
      throw new AuthorityError('workload-token', 'the signature of the workload token fails');
    }
    // Awaiting is over: what was true before may have changed.
    if (this.policy.current().activated !== policy.activated) {
      throw new AuthorityError('no-rule', 'another policy came into force meanwhile: try again');
    }
    const nowMs = clock.now();
    const why = whyNotNow(rule, token, nowMs / 1000);
    if (why !== null) throw new AuthorityError('workload-token', `the workload token is not accepted: ${why}`);
    this.requireTrusted(rule.name);
    if (this.ground.holders.has(keyId(spki)))
      throw new AuthorityError('key', 'this key has a holder already: make a fresh one');
    return this.once(token, nowMs, (apply) => {
      const evidence = encodeEnrolmentEvidence({
        token: request.token,
        key,
        issuer,
        rule: rule.name,
        bundle: policy.bundle.digest,
        at: new Date(nowMs).toISOString(),
        proof: toBase64(proof),
        definition: request.definition && 'text' in request.definition ? request.definition.text : null,
      });
      return this.agents.enter(
        {
          ...{ kind: rule.kind, name: rule.name, definition, how: 'workload-token', spki, policy: policy.activated },
          owner: rule.owner ?? null,
          evidence: vault.stage(deploymentTask, evidence, enrolmentEvidenceType),
        },
        apply,
      );
    });
  }

  /** Lets a token enrol once: reserved in memory in this turn, durable with the enrolment. */
  private async once(
    { uses }: WorkloadToken,
    nowMs: number,
    enter: (apply: Parameters<Agents['enter']>[1]) => Promise<Agent>,
  ): Promise<Agent> {
    const { db } = this.ground;
    const isUsed = uses.some(
      (use) => this.entering.has(use) || db.get('SELECT 1 FROM workload_tokens WHERE use = ?', use) !== undefined,
    );
    if (isUsed)
      throw new AuthorityError('workload-token-used', 'this workload token enrolled a key before: ask for a new one');
    for (const use of uses) this.entering.add(use);
    try {
      return await enter((tx, id) => {
        tx.run('DELETE FROM workload_tokens WHERE until_ms < ?', nowMs);
        for (const use of uses) {
          const row = [use, nowMs + oldestTokenMs + keptMs, id];
          tx.run('INSERT INTO workload_tokens (use, until_ms, agent) VALUES (?, ?, ?)', ...row);
        }
      });
    } finally {
      for (const use of uses) this.entering.delete(use);
    }
  }

  /** @throws AuthorityError agent-revoked (the name was, after the policy in force was activated) */
  requireTrusted(name: string): void {
    if (!this.agents.isBarred(name, this.indexOf(this.policy.current()))) return;
    throw new AuthorityError(
      'agent-revoked',
      `${name} was revoked: an operator trusts it again by activating a policy`,
    );
  }

  private indexOf({ activated }: ActivePolicy): number {
    const entries = this.ground.ledger.series('policy');
    return entries.find(({ envelope }) => toHex(statementDigest(envelope.payload)) === activated)?.index ?? -1;
  }
}

/** The first rule that admits the token, of those for this deployment. @throws AuthorityError no-rule */
function ruleFor({ bundle }: ActivePolicy, { claims }: WorkloadToken, audiences: readonly string[]): TrustRule {
  const file = bundle.files.find(({ path }) => path === trustRulesFile);
  const rules = file ? parseTrustRules(file.bytes) : [];
  const rule = rules.find((one) => audiences.includes(one.audience) && whyNotAdmitted(one, claims) === null);
  if (!rule) {
    const what = `issuer, audience, subject and claims as in ${trustRulesFile} of the policy in force`;
    throw new AuthorityError('no-rule', `no trust rule admits this workload token: it needs ${what}`);
  }
  return rule;
}

/** @throws AuthorityError definition */
function definitionOf({ definition }: Enrolment, rule: TrustRule): string | null {
  const digest =
    definition === null
      ? null
      : 'text' in definition
        ? reading('definition', () => digestOfDefinition(utf8(definition.text)))
        : definition.sha256;
  if (rule.definitions !== undefined && !rule.definitions.includes(digest ?? '')) {
    throw new AuthorityError('definition', `rule ${rule.name} admits other definitions than this one`);
  }
  return digest;
}

function reading<T>(code: 'workload-token' | 'definition', read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof DeedError)) throw cause;
    throw new AuthorityError(code, cause.message, { cause });
  }
}

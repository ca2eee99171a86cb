import { newId, type PredicateBody, sha256, type Tier, toHex, utf8 } from '@deed/evidence';
import { AuthorityError } from './errors.ts';
import { type Ground, serverAct } from './ground.ts';
import { isAbove } from './policy/evaluate.ts';

const dayMs = 86_400_000;

/** A grant-decision: what was proven, and up to which tier that carries. */
export interface Grant {
  /** Digest of its statement: how everything cites it. */
  readonly digest: string;
  readonly id: string;
  readonly verdict: PredicateBody<'grant-decision'>['verdict'];
  /** An agent's id, or `*`. */
  readonly agent: string;
  readonly capability: string;
  readonly grade: string;
  readonly ceiling: Tier;
  readonly expiresMs: number;
}

interface Row {
  readonly digest: string;
  readonly id: string;
  readonly verdict: Grant['verdict'];
  readonly agent: string;
  readonly capability: string;
  readonly grade: string;
  readonly ceiling: Tier;
  readonly expires_ms: number;
}

/** The grants in force. Until something was earned that is the waiver of the first day. */
export class Grants {
  private readonly ground: Ground;
  /** The newest decision for each agent, and for `*`. */
  private readonly newest = new Map<string, Grant>();

  constructor(ground: Ground) {
    this.ground = ground;
    const columns = 'digest, id, verdict, agent, capability, grade, ceiling, expires_ms';
    for (const { expires_ms, ...row } of ground.db.all<Row>(`SELECT ${columns} FROM grants ORDER BY at`)) {
      this.newest.set(row.agent, { ...row, expiresMs: expires_ms });
    }
  }

  /** Allows everything up to policy for some days without proof, and says so: verdict WAIVED, grade E0, ceiling record. */
  waive(days: number, reason = 'nothing was earned yet'): Promise<Grant> {
    if (!(days > 0 && days <= 366)) throw new AuthorityError('grant-expired', 'a waiver lasts 1 to 366 days');
    return this.decide({
      verdict: 'WAIVED',
      agent: '*',
      capability: '*',
      grade: 'E0',
      ceiling: 'record',
      expires: new Date(this.ground.clock.now() + days * dayMs).toISOString(),
      reason,
    });
  }

  /** Records a decision. It is in force from this call on. */
  async decide(decision: Omit<PredicateBody<'grant-decision'>, 'grant'>): Promise<Grant> {
    const { clock } = this.ground;
    const body = { grant: newId('grant', clock.now()), ...decision };
    const expiresMs = Date.parse(body.expires);
    const { grant: id, verdict, agent, capability, grade, ceiling } = body;
    const recorded = this.ground.record({
      ...serverAct,
      predicate: 'grant-decision',
      place: { series: 'grants' },
      subject: { name: `grant:${id}`, sha256: toHex(sha256(utf8(JSON.stringify(body)))) },
      body,
      apply: (tx, { digest, index }) => {
        tx.run(
          'INSERT INTO grants (digest, id, at, verdict, agent, capability, grade, ceiling, expires_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
          ...[digest, id, index, verdict, agent, capability, grade, ceiling, expiresMs],
        );
      },
    });
    const grant = { digest: recorded.digest, id, verdict, agent, capability, grade, ceiling, expiresMs };
    this.newest.set(agent, grant);
    await recorded.durable;
    return grant;
  }

  /** The newest decision of each agent and of `*`. */
  list(): readonly Grant[] {
    return [...this.newest.values()];
  }

  /** The newest decision about an agent (null: not enrolled), else that for every agent. It may have expired. */
  newestFor(agent: string | null): Grant | undefined {
    return (agent === null ? undefined : this.newest.get(agent)) ?? this.newest.get('*');
  }

  /** The grant in force. @throws AuthorityError grant-expired (none, expired, denied or revoked) */
  current(agent: string | null): Grant {
    const grant = this.newestFor(agent);
    if (!grant || !this.isInForce(grant)) {
      throw new AuthorityError('grant-expired', 'no grant is in force: renew it with `deed grant waive --days 30`');
    }
    return grant;
  }

  isInForce(grant: Grant): boolean {
    const given = grant.verdict !== 'DENIED' && grant.verdict !== 'REVOKED';
    return given && this.ground.clock.now() < grant.expiresMs;
  }
}

/**
 * What a grant says to a tier: a waiver never denies, it labels what runs above its ceiling as not earned; every other
 * grant denies above its ceiling.
 */
export function judgeTier(grant: Grant, tier: Tier): { readonly denied: boolean; readonly unearned: boolean } {
  const above = isAbove(tier, grant.ceiling);
  return grant.verdict === 'WAIVED' ? { denied: false, unearned: above } : { denied: above, unearned: false };
}

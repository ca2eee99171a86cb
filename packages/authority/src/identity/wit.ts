import { jwkOf, jwkThumbprint, randomBytes, sha256, toBase64Url, utf8 } from '@deed/evidence';
import { SignJWT } from 'jose';
import { z } from 'zod';
import type { Agent, Agents } from '../agents.ts';
import { AuthorityError } from '../errors.ts';
import type { Ground } from '../ground.ts';
import { readJwt, skewSeconds } from '../tokens/jwt.ts';
import { maxProofSeconds, proofType } from '../tokens/proof.ts';
import { UsedOnce } from '../tokens/used-once.ts';

export const witType = 'wit+jwt';
export const maxWitSeconds = 3600;
export const witHeader = 'workload-identity-token';
export const wptHeader = 'workload-proof-token';

const seconds = z.number().int().min(0);
const coordinate = z.string().regex(/^[A-Za-z0-9_-]{43}$/);
const digest = coordinate;
const jwk = z.strictObject({
  kty: z.literal('EC'),
  crv: z.literal('P-256'),
  alg: z.literal('ES256'),
  x: coordinate,
  y: coordinate,
});
const witSchema = z.strictObject({
  iss: z.string(),
  sub: z.string(),
  cnf: z.strictObject({ jwk }),
  jti: z.string().min(16).max(128),
  iat: seconds,
  exp: seconds,
});
const wptSchema = z.strictObject({
  aud: z.string(),
  wth: digest,
  /** Of the access token that comes with it. */
  ath: digest.optional(),
  /** Of the body: not a claim of WIMSE, and asked for wherever there is a body. */
  deed_bdh: digest.optional(),
  jti: z
    .string()
    .regex(/^[A-Za-z0-9_-]+$/)
    .min(22)
    .max(128),
  iat: seconds.optional(),
  exp: seconds,
});

export interface IssuedWit {
  readonly wit: string;
  readonly expiresMs: number;
}

/** A request whose caller is to be known. */
export interface WorkloadRequest {
  /** A header's value, by its name in lower case; of one that came twice both, which is no token. */
  header(name: string): string | null | undefined;
  /** What the proof's `aud` may be: the URL that was asked, without query. */
  readonly audiences: readonly string[];
  readonly body: Uint8Array;
  /** The access token that came with it: the proof covers it then. */
  readonly accessToken?: string;
}

export interface KnownCaller {
  readonly agent: Agent;
  /** Seconds since 1970. */
  readonly witExpires: number;
}

/** Workload identity tokens (draft-ietf-wimse-workload-creds), and who a caller is by one and a proof (draft-ietf-wimse-wpt). */
export class Wits {
  private readonly ground: Ground;
  private readonly agents: Agents;
  private readonly used = new UsedOnce();

  constructor(ground: Ground, agents: Agents) {
    this.ground = ground;
    this.agents = agents;
  }

  /** @throws AuthorityError unknown-agent, agent-revoked */
  async issue(agentId: string, ttlSeconds = maxWitSeconds): Promise<IssuedWit> {
    const { origin, clock, keys } = this.ground;
    const agent = this.agents.requireLive(agentId);
    const iat = Math.floor(clock.now() / 1000);
    const exp = iat + Math.min(ttlSeconds, maxWitSeconds);
    const claims = {
      iss: origin,
      sub: agent.spiffe,
      cnf: { jwk: cnfOf(agent.spki) },
      jti: toBase64Url(randomBytes(16)),
      iat,
      exp,
    };
    const wit = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'ES256', typ: witType, kid: jwkThumbprint(keys.token.spki) })
      .sign(keys.token.key);
    return { wit, expiresMs: exp * 1000 };
  }

  /**
   * Who calls: one synchronous step, each proof once. With `mayBeOver` the token's end is not looked at: the caller does.
   * @throws AuthorityError wit-invalid, wit-expired, agent-revoked, proof-invalid, proof-expired, proof-body, proof-replayed
   */
  verify(request: WorkloadRequest, mayBeOver = false): KnownCaller {
    const { origin, clock, keys } = this.ground;
    const now = clock.now() / 1000;
    const wit = request.header(witHeader);
    if (!wit) throw new AuthorityError('wit-invalid', 'there is no Workload-Identity-Token: enrol to get one');
    const claims = readJwt(wit, witType, [keys.token.spki], witSchema, 'wit-invalid');
    const agent = this.agents.byJkt(thumbprintOf(claims.cnf.jwk));
    if (claims.iss !== origin || agent?.spiffe !== claims.sub || claims.iat > now + skewSeconds) {
      throw new AuthorityError('wit-invalid', 'the workload identity token is for another agent or deployment');
    }
    if (agent.revoked) throw new AuthorityError('agent-revoked', 'the agent was revoked: enrol a new key');
    if (claims.exp <= now && !mayBeOver)
      throw new AuthorityError('wit-expired', 'the workload identity token has expired');
    this.checkProof(request, wit, agent, now);
    return { agent, witExpires: claims.exp };
  }

  private checkProof(request: WorkloadRequest, wit: string, agent: Agent, now: number): void {
    const { audiences, body, accessToken } = request;
    const claims = readJwt(proofOf(request), proofType, [agent.spki], wptSchema, 'proof-invalid');
    const hash = (bytes: Uint8Array) => toBase64Url(sha256(bytes));
    const ath = accessToken === undefined ? undefined : hash(utf8(accessToken));
    if (!audiences.includes(claims.aud) || claims.wth !== hash(utf8(wit)) || claims.ath !== ath) {
      throw new AuthorityError('proof-invalid', 'the proof is for another address or another token');
    }
    const { exp, iat = exp - maxProofSeconds } = claims;
    if (exp <= now) throw new AuthorityError('proof-expired', 'the proof has expired: sign a new one for each request');
    if (exp > now + maxProofSeconds + skewSeconds || iat > now + skewSeconds || exp - iat > maxProofSeconds) {
      throw new AuthorityError(
        'proof-invalid',
        `a proof lives at most ${maxProofSeconds} s and is not made ahead of time`,
      );
    }
    const covers = claims.deed_bdh === undefined ? body.length === 0 : claims.deed_bdh === hash(body);
    if (!covers) throw new AuthorityError('proof-body', 'the proof is for another body: deed_bdh is its SHA-256');
    if (!this.used.take(`${agent.jkt}.${claims.jti}`, exp, now * 1000)) {
      throw new AuthorityError('proof-replayed', 'this proof was used before');
    }
  }
}

/** The proof of a request: in its own header, or as credentials of the scheme WPT, to which the draft moves; never in both. */
function proofOf(request: WorkloadRequest): string {
  const own = request.header(wptHeader);
  const scheme = /^WPT +(\S+)$/i.exec(request.header('authorization') ?? '')?.[1];
  if (own && scheme) throw new AuthorityError('proof-invalid', 'there are two proofs: send one');
  const proof = own ?? scheme;
  if (!proof) throw new AuthorityError('proof-invalid', 'there is no Workload-Proof-Token with the identity token');
  return proof;
}

function cnfOf(spki: Uint8Array): z.infer<typeof jwk> {
  const { kty, crv, x, y } = jwkOf(spki);
  return { kty, crv, alg: 'ES256', x, y };
}

function thumbprintOf({ crv, kty, x, y }: z.infer<typeof jwk>): string {
  return toBase64Url(sha256(utf8(JSON.stringify({ crv, kty, x, y }))));
}

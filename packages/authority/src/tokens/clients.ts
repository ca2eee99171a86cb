import { type CompactJwt, parseJwt } from '@deed/evidence';
import { z } from 'zod';
import type { Agent, Agents } from '../agents.ts';
import { AuthorityError } from '../errors.ts';
import type { Ground } from '../ground.ts';
import type { Tasks } from '../tasks/tasks.ts';
import { skewSeconds } from './jwt.ts';
import { readTaskToken, type TaskTokenClaims } from './task-token.ts';
import { UsedOnce } from './used-once.ts';

const maxAssertionSeconds = 300;

const seconds = z.number().int().min(0);
const schema = z.object({
  iss: z.string().max(512),
  sub: z.string().max(512),
  aud: z.union([z.string(), z.array(z.string()).min(1).max(1)]),
  jti: z.string().min(1).max(256),
  exp: seconds,
  iat: seconds.optional(),
  nbf: seconds.optional(),
});

/** What a live token says of itself (RFC 7662 section 2.2). */
export interface LiveToken {
  readonly claims: TaskTokenClaims;
  /** Id of the agent that it is for. */
  readonly agent: string;
}

/** Agents as clients of the token endpoint: each shows by its enrolled key who it is (RFC 7523, private_key_jwt). */
export class Clients {
  private readonly ground: Ground;
  private readonly agents: Agents;
  private readonly tasks: Tasks;
  private readonly used = new UsedOnce();

  constructor(ground: Ground, agents: Agents, tasks: Tasks) {
    this.ground = ground;
    this.agents = agents;
    this.tasks = tasks;
  }

  /**
   * Who made a client assertion: an agent by its id. Each is used once, and lives for 300 seconds at most.
   * @param clientId the `client_id` of the request, if it has one
   * @param audience any of the URLs by which this server may be named
   * @throws AuthorityError client-invalid
   */
  authenticate(assertion: string, clientId: string | null, audience: readonly string[]): Agent {
    const nowMs = this.ground.clock.now();
    const { claims: raw, verify } = readClientJwt(assertion);
    const parsed = schema.safeParse(raw);
    if (!parsed.success) throw invalid('its claims are not as RFC 7523 says');
    const { iss, sub, aud, jti, exp, iat, nbf } = parsed.data;
    const agent = this.agents.get(sub);
    if (iss !== sub || (clientId !== null && clientId !== sub)) throw invalid('iss, sub and client_id differ');
    if (!agent || agent.revoked || !verify(agent.spki)) throw invalid(`no live agent ${sub} signed it`);
    const now = nowMs / 1000;
    const begins = Math.max(iat ?? 0, nbf ?? 0);
    if (!audience.includes(Array.isArray(aud) ? (aud[0] ?? '') : aud)) throw invalid('it is for another server');
    if (exp <= now || exp > now + maxAssertionSeconds + skewSeconds || begins > now + skewSeconds) {
      throw invalid(`it has expired, or lives for more than ${maxAssertionSeconds} seconds`);
    }
    if (!this.used.take(`${agent.jkt}.${jti}`, exp, nowMs)) throw invalid('it was used before');
    return agent;
  }

  /** What a task token opens at this instant; null for one that opens nothing, for whatever reason. */
  introspect(token: string): LiveToken | null {
    const { origin, clock, keys } = this.ground;
    let claims: TaskTokenClaims;
    try {
      claims = readTaskToken(token, { origin, key: keys.token.spki, nowMs: clock.now() }).claims;
    } catch (error) {
      if (error instanceof AuthorityError) return null;
      throw error;
    }
    const agent = this.agents.byJkt(claims.cnf.jkt);
    const task = this.tasks.isOpen(claims.task) ? this.tasks.liveTask(claims.task) : undefined;
    if (!agent || agent.revoked || task?.epoch !== claims.epoch) return null;
    return { claims, agent: agent.id };
  }
}

function readClientJwt(assertion: string): CompactJwt {
  try {
    return parseJwt(assertion, [undefined, 'JWT', 'client-authentication+jwt']);
  } catch (cause) {
    throw new AuthorityError('client-invalid', 'the client assertion is no JWT in the accepted form (ES256)', {
      cause,
    });
  }
}

function invalid(why: string): AuthorityError {
  return new AuthorityError('client-invalid', `the client assertion is not accepted: ${why}`);
}

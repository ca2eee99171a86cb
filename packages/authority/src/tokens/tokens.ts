import { type Allow, isNarrowerAllow } from '@deed/evidence';
import type { Agents } from '../agents.ts';
import { AuthorityError } from '../errors.ts';
import type { Grants } from '../grants.ts';
import type { Ground } from '../ground.ts';
import type { Policy } from '../policy/activation.ts';
import type { Tasks } from '../tasks/tasks.ts';
import type { Nonces } from './nonces.ts';
import { readAssertion } from './proof.ts';
import { makeTaskToken, maxTokenSeconds } from './task-token.ts';
import { UsedOnce } from './used-once.ts';

export interface IssuedToken {
  readonly token: string;
  readonly expiresMs: number;
  /** What the token allows. */
  readonly allow: Allow;
  /** For proofs at tier approve. */
  readonly nonce: string;
  readonly nonceExpiresMs: number;
}

/** A token with less than the task has. */
export interface LessAsked {
  /** Narrower than the task's, see `isNarrowerAllow`. Its counts are the task's. */
  readonly allow?: Allow;
  /** Who asks, where that was shown otherwise: the same agent as the assertion's. */
  readonly client?: string;
}

/** Issues task tokens: short projections of a task, bound to the key of its agent. */
export class Tokens {
  private readonly ground: Ground;
  private readonly agents: Agents;
  private readonly tasks: Tasks;
  private readonly grants: Grants;
  private readonly policy: Policy;
  private readonly nonces: Nonces;
  private readonly used = new UsedOnce();

  constructor(ground: Ground, agents: Agents, tasks: Tasks, grants: Grants, policy: Policy, nonces: Nonces) {
    this.ground = ground;
    this.agents = agents;
    this.tasks = tasks;
    this.grants = grants;
    this.policy = policy;
    this.nonces = nonces;
  }

  /** SPKI of the key that signs tokens. */
  get key(): Uint8Array {
    return this.ground.keys.token.spki;
  }

  /**
   * Gives the task's agent a token, on its own signed request ({@link makeAssertion}), used once.
   * @throws AuthorityError unknown-task, task-closed, agent-revoked, assertion-invalid, proof-expired, proof-replayed, grant-expired,
   *   outside-grant (more was asked for than the task allows)
   */
  async issue(taskId: string, assertion: string, less: LessAsked = {}): Promise<IssuedToken> {
    const { origin, clock } = this.ground;
    const task = this.tasks.get(taskId);
    if (!task || task.agent === null) throw new AuthorityError('unknown-task', `no task ${taskId} has an agent`);
    const agent = this.agents.requireLive(task.agent);
    const nowMs = clock.now();
    const expected = { origin, key: agent.spki, spiffe: agent.spiffe, task: taskId, nowMs };
    const { jti, exp } = readAssertion(assertion, expected);
    if (!this.used.take(`${agent.jkt}.${jti}`, exp, nowMs)) {
      throw new AuthorityError('proof-replayed', 'this assertion was used before');
    }
    if (less.client !== undefined && less.client !== agent.id) {
      throw new AuthorityError('assertion-invalid', 'the assertion is by another agent than who asks');
    }
    return this.project(taskId, less.allow);
  }

  /**
   * The token of an open task, for its agent's key: nobody else has a use for it.
   * @throws AuthorityError unknown-task, task-closed, agent-revoked, grant-expired, outside-grant
   */
  async project(taskId: string, less?: Allow): Promise<IssuedToken> {
    const { origin, clock, keys } = this.ground;
    const task = this.tasks.get(taskId);
    if (!task || task.agent === null) throw new AuthorityError('unknown-task', `no task ${taskId} has an agent`);
    const agent = this.agents.requireLive(task.agent);
    const nowMs = clock.now();
    if (!this.tasks.isOpen(taskId)) throw new AuthorityError('task-closed', `task ${taskId} is closed`);
    const allow = less ?? task.allow;
    if (!isNarrowerAllow(allow, task.allow)) {
      throw new AuthorityError('outside-grant', 'asked for was more than the task allows');
    }
    const ttlSeconds = Math.min(maxTokenSeconds, Math.ceil((task.deadlineMs - nowMs) / 1000));
    const token = await makeTaskToken(
      keys.token.key,
      {
        iss: origin,
        aud: origin,
        sub: task.principalId,
        act: { sub: agent.spiffe },
        task: taskId,
        epoch: task.epoch,
        obj: task.objective.sha256,
        cnf: { jkt: agent.jkt },
        authorization_details: allow.map((entry) => ({ type: 'deed-actions' as const, ...entry })),
        policy: this.policy.current().bundle.digest,
        grant: this.grants.current(agent.id).digest,
      },
      nowMs,
      ttlSeconds,
    );
    const { nonce, expiresMs: nonceExpiresMs } = this.nonces.current(agent.jkt);
    return { token, expiresMs: (Math.floor(nowMs / 1000) + ttlSeconds) * 1000, allow, nonce, nonceExpiresMs };
  }
}

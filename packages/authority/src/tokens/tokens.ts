import type { Agents } from '../agents.ts';
import { AuthorityError } from '../errors.ts';
import type { Grants } from '../grants.ts';
import type { Ground } from '../ground.ts';
import type { Policy } from '../policy/activation.ts';
import type { Tasks } from '../tasks/tasks.ts';
import { readAssertion } from './proof.ts';
import { makeTaskToken, maxTokenSeconds } from './task-token.ts';

export interface IssuedToken {
  readonly token: string;
  readonly expiresMs: number;
}

/** Issues task tokens: short projections of a task, bound to the key of its agent. */
export class Tokens {
  private readonly ground: Ground;
  private readonly agents: Agents;
  private readonly tasks: Tasks;
  private readonly grants: Grants;
  private readonly policy: Policy;
  /** Assertions that were used, by agent and id, until they expire. In memory: one lives for a minute, and gives only a token. */
  private readonly assertions = new Map<string, number>();

  constructor(ground: Ground, agents: Agents, tasks: Tasks, grants: Grants, policy: Policy) {
    this.ground = ground;
    this.agents = agents;
    this.tasks = tasks;
    this.grants = grants;
    this.policy = policy;
  }

  /**
   * Gives the task's agent a token, on its own signed request ({@link makeAssertion}), used once.
   * @throws AuthorityError unknown-task, task-closed, agent-revoked, assertion-invalid, proof-expired, proof-replayed, grant-expired
   */
  async issue(taskId: string, assertion: string): Promise<IssuedToken> {
    const { origin, clock, keys } = this.ground;
    const task = this.tasks.get(taskId);
    if (!task || task.agent === null) throw new AuthorityError('unknown-task', `no task ${taskId} has an agent`);
    const agent = this.agents.requireLive(task.agent);
    const nowMs = clock.now();
    const expected = { origin, key: agent.spki, spiffe: agent.spiffe, task: taskId, nowMs };
    const { jti, exp } = readAssertion(assertion, expected);
    this.useOnce(`${agent.jkt}.${jti}`, exp, nowMs);
    if (!this.tasks.isOpen(taskId)) throw new AuthorityError('task-closed', `task ${taskId} is closed`);
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
        authorization_details: task.allow.map((entry) => ({ type: 'deed-actions' as const, ...entry })),
        policy: this.policy.current().bundle.digest,
        grant: this.grants.current(agent.id).digest,
      },
      nowMs,
      ttlSeconds,
    );
    return { token, expiresMs: (Math.floor(nowMs / 1000) + ttlSeconds) * 1000 };
  }

  private useOnce(key: string, expSeconds: number, nowMs: number): void {
    for (const [known, exp] of this.assertions) if (exp * 1000 <= nowMs) this.assertions.delete(known);
    if (this.assertions.has(key)) throw new AuthorityError('proof-replayed', 'this assertion was used before');
    this.assertions.set(key, expSeconds);
  }
}

import { type Allow, isNarrowerAllow } from '@deed/evidence';
import type { Agent, Agents } from '../agents.ts';
import { type Hop, lineOf } from '../delegation/hop.ts';
import type { Hops } from '../delegation/hops.ts';
import { AuthorityError } from '../errors.ts';
import type { Grants } from '../grants.ts';
import type { Ground } from '../ground.ts';
import type { Policy } from '../policy/activation.ts';
import type { Task } from '../tasks/task.ts';
import type { Tasks } from '../tasks/tasks.ts';
import { isSignedJwt } from './jwt.ts';
import type { Nonces } from './nonces.ts';
import { assertionType, readAssertion } from './proof.ts';
import { type ActClaim, makeTaskToken, maxTokenSeconds } from './task-token.ts';
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
  private readonly hops: Hops;
  private readonly grants: Grants;
  private readonly policy: Policy;
  private readonly nonces: Nonces;
  private readonly used = new UsedOnce();

  constructor(
    ground: Ground,
    agents: Agents,
    tasks: Tasks,
    hops: Hops,
    grants: Grants,
    policy: Policy,
    nonces: Nonces,
  ) {
    this.ground = ground;
    this.agents = agents;
    this.tasks = tasks;
    this.hops = hops;
    this.grants = grants;
    this.policy = policy;
    this.nonces = nonces;
  }

  /** SPKI of the key that signs tokens. */
  get key(): Uint8Array {
    return this.ground.keys.token.spki;
  }

  /**
   * Gives an agent a token for what it may do in a task, on its own signed request ({@link makeAssertion}), used once: the
   * task's own agent, or a delegate by the hop that it accepted. By several hops it may only if the request names one.
   * @throws AuthorityError unknown-task, task-closed, agent-revoked, assertion-invalid, proof-expired, proof-replayed,
   *   grant-expired, outside-grant (more was asked for than it may), hop (several, and none named), hop-ended
   */
  async issue(taskId: string, assertion: string, less: LessAsked = {}): Promise<IssuedToken> {
    const { origin, clock } = this.ground;
    const task = this.tasks.get(taskId);
    if (!task || task.agent === null) throw new AuthorityError('unknown-task', `no task ${taskId} has an agent`);
    const agent = this.asking(task, assertion);
    const nowMs = clock.now();
    const expected = { origin, key: agent.spki, spiffe: agent.spiffe, task: taskId, nowMs };
    const { jti, exp, hop } = readAssertion(assertion, expected);
    if (!this.used.take(`${agent.jkt}.${jti}`, exp, nowMs)) {
      throw new AuthorityError('proof-replayed', 'this assertion was used before');
    }
    if (less.client !== undefined && less.client !== agent.id) {
      throw new AuthorityError('assertion-invalid', 'the assertion is by another agent than who asks');
    }
    const hops = this.lineFor(task, agent, hop);
    const held = (hops.at(-1) ?? task).allow;
    const allow = less.allow ?? held;
    if (!isNarrowerAllow(allow, held)) {
      throw new AuthorityError('outside-grant', 'asked for was more than the task allows');
    }
    return this.make(task, agent, { hops, allow }, nowMs);
  }

  /**
   * The token of an open task, for its own agent's key: nobody else has a use for it.
   * @throws AuthorityError unknown-task, task-closed, agent-revoked, grant-expired
   */
  async project(taskId: string): Promise<IssuedToken> {
    const task = this.tasks.get(taskId);
    if (!task || task.agent === null) throw new AuthorityError('unknown-task', `no task ${taskId} has an agent`);
    const agent = this.agents.requireLive(task.agent);
    return this.make(task, agent, { hops: [], allow: task.allow }, this.ground.clock.now());
  }

  /** Which of those who may act in the task signed the request. @throws AuthorityError agent-revoked, assertion-invalid */
  private asking(task: Task, assertion: string): Agent {
    const ids = new Set([task.agent ?? '', ...this.hops.ofTask(task.id).map(({ delegate }) => delegate)]);
    const signer = [...ids]
      .flatMap((id) => this.agents.get(id) ?? [])
      .find(({ spki }) => isSignedJwt(assertion, assertionType, spki));
    if (!signer)
      throw new AuthorityError('assertion-invalid', `nobody who may act in task ${task.id} signed this request`);
    return this.agents.requireLive(signer.id);
  }

  /** @throws AuthorityError hop, hop-ended */
  private lineFor(task: Task, agent: Agent, asked: string | undefined): readonly Hop[] {
    if (agent.id === task.agent && asked === undefined) return [];
    if (asked !== undefined) {
      const hop = this.hops.find(task.id, asked);
      if (!hop || hop.delegate !== agent.id || hop.accepted === null)
        throw new AuthorityError('hop', `the agent accepted no hop ${asked} in this task`);
      const dead = this.hops.hinders(task, lineOf(hop));
      if (dead) throw new AuthorityError(dead.code, dead.detail);
      return lineOf(hop);
    }
    const [held, ...others] = this.hops.heldBy(task, agent.id);
    if (!held) throw new AuthorityError('hop-ended', 'nothing of this task is passed on to the agent now');
    if (others.length > 0) throw new AuthorityError('hop', 'the agent holds several hops of this task: name one');
    return lineOf(held);
  }

  /** The claims of a token, all of them: what the task is, who acts for whom, and the least of what its line allows. */
  private async make(
    task: Task,
    agent: Agent,
    { hops, allow }: { readonly hops: readonly Hop[]; readonly allow: Allow },
    nowMs: number,
  ): Promise<IssuedToken> {
    const { origin, keys } = this.ground;
    if (!this.tasks.isOpen(task.id)) throw new AuthorityError('task-closed', `task ${task.id} is closed`);
    const hop = hops.at(-1)?.accepted ?? undefined;
    const deadlineMs = Math.min(task.deadlineMs, ...hops.map((each) => each.deadlineMs));
    const ttlSeconds = Math.min(maxTokenSeconds, Math.ceil((deadlineMs - nowMs) / 1000));
    const token = await makeTaskToken(
      keys.token.key,
      {
        iss: origin,
        aud: origin,
        sub: task.principalId,
        act: actOf(this.agents, task, hops),
        task: task.id,
        ...(hop === undefined ? {} : { hop }),
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

/** Who acts, and inside who passed it on, down to the task's own agent. @throws AuthorityError unknown-agent */
export function actOf(agents: Agents, task: Task, hops: readonly Hop[]): ActClaim {
  const spiffe = (id: string): string => {
    const agent = agents.get(id);
    if (!agent) throw new AuthorityError('unknown-agent', `no agent ${id} is enrolled`);
    return agent.spiffe;
  };
  const own: ActClaim = { sub: spiffe(task.agent ?? '') };
  return hops.reduce<ActClaim>((act, { delegate }) => ({ sub: spiffe(delegate), act }), own);
}

import { isDeepStrictEqual } from 'node:util';
import { fromUtf8, newId, parseStrictJson, utf8 } from '@deed/evidence';
import type { Agent, Agents } from '../agents.ts';
import type { HopHindrance, Hops } from '../delegation/hops.ts';
import { AuthorityError } from '../errors.ts';
import type { Ground } from '../ground.ts';
import type { Task } from '../tasks/task.ts';
import type { Tasks } from '../tasks/tasks.ts';
import type { Nonces } from '../tokens/nonces.ts';
import { readProof } from '../tokens/proof.ts';
import { readTaskToken } from '../tokens/task-token.ts';
import { actOf } from '../tokens/tokens.ts';
import type { ProofUse, ProofUses } from './proof-uses.ts';
import type { Admitted, Caller } from './proposal.ts';
import type { Refusals } from './refusals.ts';
import type { Rejects } from './rejects.ts';

export type TokenCaller = Extract<Caller, { kind: 'token' }>;

export interface AdmitParts {
  readonly ground: Ground;
  readonly agents: Agents;
  readonly nonces: Nonces;
  readonly tasks: Tasks;
  readonly hops: Hops;
  readonly proofs: ProofUses;
  readonly rejects: Rejects;
  readonly refusals: Refusals;
}

/**
 * Lets a message in, or throws. What fails before token, proof, binding and expiry all hold comes from a stranger and is only
 * counted; from there on a no is the task's own and is recorded: the first replay of a proof, and a closed task.
 * One synchronous step: of any number of sends of one proof exactly one passes.
 * @throws AuthorityError token-invalid, token-expired, token-epoch, proof-invalid, proof-expired, proof-body,
 *   proof-replayed, agent-revoked, task-closed, unknown-task
 */
export function admit(parts: AdmitParts, caller: Caller): Admitted {
  if (caller.kind === 'implicit') return admitImplicit(parts, caller);
  const checked = checkStranger(parts, caller);
  const { task, agent, hops, jti, exp } = checked;
  const evidence = utf8(
    JSON.stringify({ v: 1, token: caller.token, proof: caller.proof, message: fromUtf8(caller.body) }),
  );
  const { first, use } = parts.proofs.reserve(agent.jkt, jti, exp, task.id);
  const { epoch } = task;
  const { allow, isFresh } = checked;
  const admitted = {
    task,
    epoch,
    allow,
    isFresh,
    agent,
    hops,
    pop: caller.pop ?? ('shim' as const),
    evidence,
    proof: use,
  };
  if (!first) return refuseReplay(parts, admitted, use, caller.body);
  if (!parts.tasks.isOpen(task.id)) return refuseClosed(parts, admitted, methodOf(caller.body));
  const dead = parts.hops.hinders(task, hops);
  if (dead) return refuseDead(parts, admitted, methodOf(caller.body), dead);
  return admitted;
}

/**
 * Checks token and proof of a message without using the proof up: who starts a session. Returns task and agent.
 * @throws AuthorityError as {@link admit}, counted
 */
export function authenticate(
  parts: AdmitParts,
  caller: TokenCaller,
): { readonly task: string; readonly agent: string } {
  const { task, agent } = checkStranger(parts, caller);
  return { task: task.id, agent: agent.id };
}

function admitImplicit(
  parts: AdmitParts,
  { task: id, message = null }: { readonly task: string; readonly message?: Uint8Array | null },
): Admitted {
  const { tasks, rejects } = parts;
  const task = tasks.get(id);
  if (!task?.implicit) throw rejects.count(new AuthorityError('unknown-task', 'there is no such implicit task'));
  const admitted = {
    task,
    epoch: task.epoch,
    allow: null,
    isFresh: false,
    agent: null,
    hops: [],
    pop: 'none' as const,
    evidence: message,
    proof: null,
  };
  if (!tasks.isOpen(id)) return refuseClosed(parts, admitted, 'unknown');
  return admitted;
}

/** A message of which token, proof, binding and expiry hold. */
interface Stranger extends Pick<Admitted, 'allow' | 'isFresh' | 'hops'> {
  readonly task: Task;
  readonly agent: Agent;
  readonly jti: string;
  readonly exp: number;
}

/** Everything that does not depend on the task being open. */
function checkStranger(
  { ground, agents, nonces, tasks, hops, rejects }: AdmitParts,
  { token, proof, body }: TokenCaller,
): Stranger {
  try {
    const { origin, clock, keys } = ground;
    const nowMs = clock.now();
    const { claims, allow } = readTaskToken(token, { origin, key: keys.token.spki, nowMs });
    const task = tasks.get(claims.task);
    const agent = agents.byJkt(claims.cnf.jkt);
    const line = claims.hop === undefined ? [] : hops.line(claims.task, claims.hop);
    const holder = line?.at(-1)?.delegate ?? task?.agent;
    if (!task || !agent || !line || holder !== agent.id || !isDeepStrictEqual(claims.act, actOf(agents, task, line))) {
      throw new AuthorityError('token-invalid', 'the task token names another task, hop or agent');
    }
    if (agent.revoked) throw new AuthorityError('agent-revoked', 'the agent was revoked: enrol a new key');
    const expected = { origin, key: agent.spki, token, body, nowMs };
    const { jti, exp, nonce } = readProof(proof, expected);
    readMessage(body);
    if (task.state === 'open' && claims.epoch !== task.epoch) {
      throw new AuthorityError('token-epoch', 'the task token is of an older epoch: ask for a new one');
    }
    return { task, agent, hops: line, jti, exp, allow, isFresh: nonces.holds(nonce, agent.jkt) };
  } catch (error) {
    throw rejects.count(error);
  }
}

function readMessage(body: Uint8Array): void {
  try {
    fromUtf8(body);
  } catch (cause) {
    throw new AuthorityError('proof-body', 'the message is not UTF-8', { cause });
  }
}

function refuseReplay({ rejects, refusals }: AdmitParts, admitted: Admitted, use: ProofUse, body: Uint8Array): never {
  if (use.replayed) rejects.add('proof-replayed');
  else {
    use.replayed = true;
    const method = methodOf(body);
    const record = (cites: string) => refusals.replay(admitted, use, method, cites);
    if (use.statement === null) use.onStatement = record;
    else record(use.statement);
  }
  throw new AuthorityError('proof-replayed', 'this proof was used before: sign a new one for each message');
}

function refuseClosed({ ground, refusals }: AdmitParts, admitted: Admitted, method: string): never {
  refusals.record(
    admitted,
    { action: newId('action', ground.clock.now()), method, tool: null, record: null },
    { reason: 'task-closed', detail: 'the task was closed before this message came' },
  );
  throw new AuthorityError('task-closed', `task ${admitted.task.id} is closed`);
}

function refuseDead({ ground, refusals }: AdmitParts, admitted: Admitted, method: string, dead: HopHindrance): never {
  const action = newId('action', ground.clock.now());
  refusals.record(admitted, { action, method, tool: null, record: null }, { reason: 'denied', detail: dead.detail });
  throw new AuthorityError(dead.code, dead.detail);
}

/** The method that an authenticated message names, for the record of its refusal. */
function methodOf(body: Uint8Array): string {
  try {
    const value = parseStrictJson(body).value;
    const method = typeof value === 'object' && value !== null && 'method' in value ? value.method : undefined;
    return typeof method === 'string' && method.length > 0 && method.length <= 512 ? method : 'unknown';
  } catch {
    return 'unknown';
  }
}

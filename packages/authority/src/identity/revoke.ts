import { type PredicateBody, utf8 } from '@deed/evidence';
import type { Actions } from '../actions/actions.ts';
import type { Rejects } from '../actions/rejects.ts';
import type { Agent, Agents } from '../agents.ts';
import type { Secret } from '../brokers/broker.ts';
import type { Credentials } from '../credentials.ts';
import { AuthorityError } from '../errors.ts';
import type { Grants } from '../grants.ts';
import type { Ground } from '../ground.ts';
import type { Tasks } from '../tasks/tasks.ts';
import type { Clients } from '../tokens/clients.ts';
import type { Tokens } from '../tokens/tokens.ts';
import type { Workloads } from './enrol.ts';
import { witHeader, wptHeader } from './wit.ts';

/** Something that worked a moment before, tried again after the revocation. */
export interface Tried {
  /** In words. */
  readonly what: string;
  /** The agent, task or credential (blinded) that it is of. */
  readonly of: string;
  /** The code of the refusal; null: it still works. */
  readonly refused: string | null;
  /** Digest of the statement by which it is refused. */
  readonly because: string | null;
}

export interface Revocation {
  /** Digest of the statement that bars the name; null where one instance was revoked. */
  readonly name: string | null;
  readonly agents: readonly { readonly agent: string; readonly spiffe: string; readonly statement: string }[];
  readonly tasks: readonly { readonly task: string; readonly closed: string }[];
  readonly grants: readonly { readonly grant: string; readonly statement: string }[];
  readonly credentials: readonly { readonly credential: string; readonly broker: string; readonly state: string }[];
  readonly tried: readonly Tried[];
  /** What still lives, in words: empty, or the revocation is not over. */
  readonly alive: readonly string[];
}

export interface RevokeParts {
  readonly ground: Ground;
  readonly agents: Agents;
  readonly tasks: Tasks;
  readonly tokens: Tokens;
  readonly clients: Clients;
  readonly grants: Grants;
  readonly credentials: Credentials;
  readonly actions: Actions;
  readonly rejects: Rejects;
  readonly workloads: Workloads;
}

/**
 * Ends everything of one instance (by id), or of all instances of a name, and shows it: what worked a moment before is tried
 * again and has to be refused. Revoking what is revoked tries again.
 * @throws AuthorityError unknown-agent
 */
export async function revokeAgent(parts: RevokeParts, nameOrId: string, reason: string): Promise<Revocation> {
  const { agents, tasks, grants, credentials } = parts;
  const wholeName = agents.get(nameOrId) ? null : nameOrId;
  agents.instancesOf(nameOrId); // nobody has it: nothing is barred
  // From the next line on nobody comes in under the name, so that none is missed.
  const name = wholeName === null ? null : agents.revokeName(wholeName, reason);
  const instances = agents.instancesOf(nameOrId);
  const ids = new Set(instances.map(({ id }) => id));
  const kept = await keep(parts, instances);
  const revoked = await Promise.all(
    instances.map(async ({ id, spiffe }) => {
      const known = agents.get(id)?.revoked;
      return { agent: id, spiffe, statement: known ?? (await agents.revoke(id, reason)) };
    }),
  );
  // From here on none of them opens a task.
  const open = tasks.openTasks().filter(({ agent }) => agent !== null && ids.has(agent));
  const closed = await Promise.all(
    open.map(async ({ id }) => ({ task: id, closed: await tasks.close(id, 'operator') })),
  );
  const ended = await Promise.all(
    grants
      .list()
      .filter((grant) => ids.has(grant.agent) && grants.isInForce(grant))
      .map(async ({ id, agent, capability, grade, ceiling, expiresMs }) => {
        const expires = new Date(expiresMs).toISOString();
        const decision = await grants.decide({
          verdict: 'REVOKED',
          agent,
          capability,
          grade: grade as PredicateBody<'grant-decision'>['grade'],
          ceiling,
          expires,
          reason,
        });
        return { grant: id, agent, statement: decision.digest };
      }),
  );
  const held = tasksOf(parts, ids).flatMap((task) => credentials.ofTask(task));
  for (const { task } of held) credentials.revokeAll(task);
  await Promise.all(held.map(({ task }) => credentials.settled(task)));

  const barred = await name;
  const because = new Map(revoked.map(({ agent, statement }) => [agent, statement]));
  const tried = [
    ...(await Promise.all(instances.map((agent) => tryAgent(parts, agent, because.get(agent.id) ?? null)))).flat(),
    ...(await Promise.all(kept.flatMap((one) => tryKept(parts, one, because.get(one.agent) ?? null)))),
    ...(await Promise.all(
      ended.map(({ agent, statement }) => attempt('its own grant', agent, statement, () => grants.current(agent))),
    )),
    ...(wholeName === null || barred === null ? [] : [await tryName(parts, wholeName, barred)]),
  ];
  const sessions = await Promise.all(held.map((one) => tryCredential(parts, one.id, kept, because)));
  const all = [...tried, ...sessions];
  return {
    name: barred,
    agents: revoked,
    tasks: closed,
    grants: ended.map(({ grant, statement }) => ({ grant, statement })),
    credentials: held.map(({ id, blinded, broker }) => ({
      credential: blinded,
      broker,
      state: credentials.get(id)?.state ?? 'gone',
    })),
    tried: all,
    alive: all.filter(({ refused }) => refused === null).map(({ what, of }) => `${what} (${of})`),
  };
}

/** What an agent had a moment before. */
type Kept =
  | { readonly kind: 'wit'; readonly agent: string; readonly wit: string }
  | { readonly kind: 'token'; readonly agent: string; readonly task: string; readonly token: string }
  | { readonly kind: 'credential'; readonly agent: string; readonly id: string; readonly secret: Secret };

/** Fresh tokens of each kind, made by the server itself, and the secrets it holds: to be tried afterwards. */
async function keep(
  { tasks, tokens, credentials, workloads }: RevokeParts,
  instances: readonly Agent[],
): Promise<readonly Kept[]> {
  const kept: Kept[] = [];
  for (const { id: agent, revoked } of instances) {
    if (revoked) continue;
    kept.push({ kind: 'wit', agent, wit: (await workloads.wits.issue(agent)).wit });
    for (const task of tasks.openTasks().filter((one) => one.agent === agent)) {
      const { token } = await tokens.project(task.id);
      kept.push({ kind: 'token', agent, task: task.id, token });
      for (const { broker } of credentials.ofTask(task.id)) {
        const credential = credentials.secret(task.id, broker);
        if (credential) kept.push({ kind: 'credential', agent, ...credential });
      }
    }
  }
  return kept;
}

function tasksOf({ ground }: RevokeParts, agents: ReadonlySet<string>): readonly string[] {
  const all = [...agents].flatMap((agent) =>
    ground.db.all<{ id: string }>('SELECT id FROM tasks WHERE agent = ?', agent),
  );
  return all.map(({ id }) => id);
}

/** What anybody with its key would ask for next. */
function tryAgent({ workloads, tasks }: RevokeParts, { id }: Agent, because: string | null): Promise<readonly Tried[]> {
  const task = {
    ...{ objective: 'tried after a revocation', agent: id, allow: [] },
    principal: { kind: 'service', id: 'revocation', authenticated: 'none' } as const,
  };
  return Promise.all([
    attempt('a new identity token', id, because, () => workloads.wits.issue(id)),
    attempt('a new task', id, because, () => tasks.open(task)),
  ]);
}

const message = utf8('{"jsonrpc":"2.0","id":1,"method":"tools/list"}');

function tryKept(
  { workloads, actions, rejects, tokens, clients }: RevokeParts,
  one: Kept,
  because: string | null,
): readonly Promise<Tried>[] {
  if (one.kind === 'wit') {
    const headers = new Map([
      [witHeader, one.wit],
      [wptHeader, one.wit],
    ]);
    const request = { header: (name: string) => headers.get(name), audiences: [], body: new Uint8Array() };
    return [attempt('the identity token it had', one.agent, because, () => workloads.wits.verify(request))];
  }
  if (one.kind === 'credential') return [];
  const { task, token } = one;
  return [
    attempt('the task token it had', task, because, () =>
      rejects.quietly(() => actions.admit({ kind: 'token', token, proof: token, body: message })),
    ),
    attempt('the task token it had, introspected', task, because, () => requireActive(clients.introspect(token))),
    attempt('a new task token', task, because, () => tokens.project(task)),
  ];
}

function tryName({ workloads }: RevokeParts, name: string, because: string): Promise<Tried> {
  return attempt('an enrolment under its name', name, because, () => workloads.requireTrusted(name));
}

/** A brokered session is over when its broker says so, and, where the broker can try it, when the target refuses it. */
async function tryCredential(
  { credentials }: RevokeParts,
  id: string,
  kept: readonly Kept[],
  because: ReadonlyMap<string, string>,
): Promise<Tried> {
  const known = kept.find((one) => one.kind === 'credential' && one.id === id);
  const now = credentials.get(id);
  const opens = known?.kind === 'credential' ? await credentials.stillOpens(id, known.secret) : null;
  const over = now === undefined || now.state === 'revoked';
  return {
    what: opens === null ? 'its credential, by its broker' : 'its credential, at the target',
    of: now?.blinded ?? id,
    refused: over && opens !== true ? 'revoked' : null,
    because: known ? (because.get(known.agent) ?? null) : null,
  };
}

function requireActive(live: unknown): void {
  if (live === null) throw new AuthorityError('inactive', 'the token opens nothing');
}

async function attempt(what: string, of: string, because: string | null, run: () => unknown): Promise<Tried> {
  try {
    await run();
    return { what, of, refused: null, because: null };
  } catch (error) {
    if (!(error instanceof AuthorityError)) throw error;
    return { what, of, refused: error.code, because };
  }
}

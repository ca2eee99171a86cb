import type { Duplex } from 'node:stream';
import { AuthorityError, type Caller, type TokenCaller } from '@deed/authority';
import { McpSession, type RefusedPush, type RelaySession } from '@deed/gateway';
import type { Deployment } from './deployment.ts';

/** An implicit task ends after this long without a message, in milliseconds. */
const idleMs = 15 * 60_000;

/** Refused pushes of one session that are recorded one by one. */
const maxRefusedPushes = 20;

export interface McpRequest {
  /** The command of the tool server, as its operator registered it. */
  readonly argv: readonly string[];
  /** The task that the agent works on; null: an implicit one. */
  readonly task: string | null;
}

/**
 * Joins a shim's connection to a tool process and to the walk of its calls.
 * @throws GatewayError tool-unregistered, tool-executable
 */
export function attachMcp(deployment: Deployment, request: McpRequest, stream: Duplex): McpSession {
  const { authority, relay } = deployment;
  const tool = deployment.tools.match(request.argv);
  const implicit = new ImplicitTask(deployment, tool.name);
  let idle: NodeJS.Timeout | undefined;
  let forgetTask = () => {};

  const withToken = (header: string, body: Uint8Array): TokenCaller => {
    const [token, proof, ...rest] = header.split(' ');
    if (!token || !proof || rest.length > 0)
      throw new AuthorityError('proof-invalid', 'a message without token and proof');
    return { kind: 'token', token, proof, body, pop: 'shim' };
  };
  const caller = async (header: string, body: Uint8Array): Promise<Caller> =>
    request.task === null ? { kind: 'implicit', task: await implicit.open() } : withToken(header, body);

  const begin = async (header: string, body: Uint8Array): Promise<RelaySession | null> => {
    if (request.task === null) return null;
    const task = authority.actions.authenticate(withToken(header, body));
    if (task !== request.task)
      throw new AuthorityError('token-invalid', 'the token is for another task than the session');
    for (const forge of deployment.config.forges) {
      const credential = authority.credentials.secret(task, forge.name);
      if (!credential) continue;
      const session = relay.open({ forgeUrl: forge.url, credential, onRefused: refusedPushes(deployment, task) });
      forgetTask = authority.tasks.onClose((closed) => closed === task && session.close());
      return session;
    }
    return null;
  };

  const session = new McpSession({
    tool,
    task: request.task,
    walk: deployment.walk,
    pins: deployment.pins,
    limits: deployment.limits,
    caller,
    begin,
    isOpen: () => request.task === null || authority.tasks.isOpen(request.task),
    end: () => {
      forgetTask();
      return implicit.close('disconnect');
    },
    reply: (bytes) => void stream.write(bytes),
    hangUp: () => stream.end(),
    log: (text) => process.stderr.write(`deed: ${tool.name}: ${text}\n`),
  });
  const touch = () => {
    clearTimeout(idle);
    if (request.task === null) idle = setTimeout(() => void implicit.close('idle'), idleMs).unref();
  };
  stream.on('data', (chunk: Uint8Array) => {
    touch();
    session.receive(chunk);
  });
  const end = () => {
    clearTimeout(idle);
    void session.close().then(() => stream.destroy());
  };
  stream.once('end', end);
  stream.once('close', end);
  stream.on('error', end);
  return session;
}

/** Records the pushes that the relay refuses a tool, up to a bound: a tool that tries without end writes no endless chain. */
export function refusedPushes({ authority, ledger }: Deployment, task: string) {
  let left = maxRefusedPushes;
  return ({ repository, updates, why }: RefusedPush): void => {
    if (left-- <= 0 || !ledger.isReady) return;
    const refs = updates.map(({ ref, old, new: target }) => `${ref} ${old}..${target}`).join(', ');
    authority.actions.refuseAttempt(task, 'git-receive-pack', `a push to ${repository} of ${refs}: ${why}`);
  };
}

/** The task of a client that knows nothing of Deed: opened at its first decided call, closed when it goes. */
class ImplicitTask {
  private readonly deployment: Deployment;
  private readonly tool: string;
  private opening: Promise<string> | undefined;

  constructor(deployment: Deployment, tool: string) {
    this.deployment = deployment;
    this.tool = tool;
  }

  open(): Promise<string> {
    this.opening ??= this.deployment.authority.tasks
      .open({
        objective: `(implicit: a session with ${this.tool} by an agent that is not enrolled)`,
        principal: { kind: 'unknown', id: 'unknown', authenticated: 'nothing: whoever could reach the socket' },
        agent: null,
        allow: [],
        implicit: true,
      })
      .then(({ id }) => id);
    return this.opening;
  }

  async close(reason: 'disconnect' | 'idle'): Promise<void> {
    const id = await this.opening?.catch(() => undefined);
    this.opening = undefined;
    if (id !== undefined) await this.deployment.authority.tasks.close(id, reason);
  }
}

import type { Duplex } from 'node:stream';
import { AuthorityError, type Caller, type TokenCaller } from '@deed/authority';
import { McpSession, type RefusedPush, type RelaySession, type Surroundings } from '@deed/gateway';
import type { Deployment } from './deployment.ts';
import { ServerError } from './errors.ts';
import { ImplicitTask, idleMs } from './implicit-task.ts';
import { credentialsOf, implicitCredentials } from './tool-credentials.ts';

/** What a client that does not read may leave waiting, in bytes, before a tool's stderr is dropped. */
const maxWaitingStderr = 1024 * 1024;
/** A line that shows a tool's stderr begins with this, and no JSON text does. */
export const stderrMark = '!';

/** Refused pushes of one session that are recorded one by one. */
const maxRefusedPushes = 20;

export interface McpRequest {
  /** The tool server, as its operator registered it: by its command, or by its name. */
  readonly tool: { readonly argv: readonly string[] } | { readonly name: string };
  /** The task that the agent works on; null: an implicit one. */
  readonly task: string | null;
  /** Whether the shim tells lines of the tool's stderr from messages. */
  readonly showsStderr: boolean;
}

/**
 * Joins a shim's connection to a tool process and to the walk of its calls.
 * @throws GatewayError tool-unregistered, tool-executable
 */
export function attachMcp(deployment: Deployment, request: McpRequest, stream: Duplex): McpSession {
  const { authority, relay } = deployment;
  const { tools } = deployment;
  const tool = 'name' in request.tool ? tools.named(request.tool.name) : tools.match(request.tool.argv);
  if (tool.operations.length > 0)
    throw new ServerError('request', `${tool.name} is no MCP server: agents have it called with POST /v1/execute`);
  const implicit = new ImplicitTask(authority, `a session with ${tool.name}`, tool.name);
  let idle: NodeJS.Timeout | undefined;
  let forgetTask = () => {};

  const withToken = (header: string, body: Uint8Array): TokenCaller => {
    const [token, proof, ...rest] = header.split(' ');
    if (!token || !proof || rest.length > 0)
      throw new AuthorityError('proof-invalid', 'a message without token and proof');
    return { kind: 'token', token, proof, body, pop: 'shim' };
  };
  const caller = async (header: string, body: Uint8Array): Promise<Caller> =>
    request.task === null ? { kind: 'implicit', task: await implicit.open(), message: body } : withToken(header, body);

  const begin = async (header: string, body: Uint8Array): Promise<Surroundings> => {
    if (request.task === null) {
      const env = await implicitCredentials(deployment, tool, () => implicit.open());
      return { relay: null, env };
    }
    const { task } = authority.actions.authenticate(withToken(header, body));
    if (task !== request.task)
      throw new AuthorityError('token-invalid', 'the token is for another task than the session');
    const env = credentialsOf(deployment, tool, task);
    const way = forgeOf(task);
    forgetTask = authority.tasks.onClose((closed) => {
      if (closed !== task) return;
      way?.close();
      if (tool.credentials.length > 0) void session.retire();
    });
    return { relay: way, env };
  };
  const forgeOf = (task: string): RelaySession | null => {
    for (const forge of deployment.config.forges) {
      const held = authority.credentials.secret(task, forge.name);
      if (!held) continue;
      const credential = { id: held.id, secret: held.secret.password ?? '' };
      return relay.open({ forgeUrl: forge.url, credential, onRefused: refusedPushes(deployment, task) });
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
    stderr: (line) => {
      if (!request.showsStderr || stream.writableLength > maxWaitingStderr) return;
      stream.write(Buffer.concat([Buffer.from(stderrMark), line, Buffer.from('\n')]));
    },
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

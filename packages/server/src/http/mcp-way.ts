import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TokenCaller } from '@deed/authority';
import { DeedError, parseStrictJson } from '@deed/evidence';
import { errorReply, filledHeaders, HttpEndpoint, type Tool, type Visitor } from '@deed/gateway';
import type { Deployment } from '../deployment.ts';
import { ServerError } from '../errors.ts';
import { ImplicitTask, idleMs } from '../implicit-task.ts';
import { credentialsOf, implicitCredentials } from '../tool-credentials.ts';
import { notWriting, type Way } from './listen.ts';

/** Where tool servers that have an address are reached through the gateway, by Streamable HTTP. */
export interface McpWay extends Way {
  close(): Promise<void>;
}

/** The headers by which an agent shows its task token and the proof of this very message. */
export const tokenHeader = 'deed-task-token';
export const proofHeader = 'workload-proof-token';

const path = /^\/mcp\/([a-z0-9][a-z0-9._-]{0,62})(?:\/([A-Za-z0-9_-]{1,128}))?$/;

interface Session {
  readonly task: ImplicitTask;
  idle: NodeJS.Timeout | undefined;
}

/** @param hosts what the header Host may say */
export function mcpWay(deployment: Deployment, hosts: () => ReadonlySet<string>): McpWay {
  const endpoints = new Map<string, { readonly endpoint: HttpEndpoint; readonly executable: string }>();
  const sessions = new Map<string, Session>();

  const endpointOf = (tool: Tool): HttpEndpoint => {
    const known = endpoints.get(tool.name);
    if (known?.executable === tool.executable) return known.endpoint;
    const { walk, pins, limits } = deployment;
    const log = (text: string) => process.stderr.write(`deed: ${tool.name}: ${text}\n`);
    const endpoint = new HttpEndpoint({ tool, walk, pins, limits, log, now: Date.now });
    endpoints.set(tool.name, { endpoint, executable: tool.executable });
    void known?.endpoint.close();
    return endpoint;
  };

  const endSession = async (key: string, reason: 'disconnect' | 'idle') => {
    const session = sessions.get(key);
    sessions.delete(key);
    clearTimeout(session?.idle);
    await session?.task.close(reason);
  };

  /** The task of nobody in particular that a key's session has. */
  const implicitOf = (tool: Tool, key: string): ImplicitTask => {
    const session = sessions.get(key) ?? {
      task: new ImplicitTask(deployment.authority, `a session with ${tool.name} over the network`, tool.name),
      idle: undefined,
    };
    clearTimeout(session.idle);
    session.idle = setTimeout(() => void endSession(key, 'idle').catch(() => {}), idleMs).unref();
    sessions.set(key, session);
    return session.task;
  };

  const visitorOf = (request: IncomingMessage, tool: Tool, inPath: string | undefined): Visitor => {
    const { [tokenHeader]: token, [proofHeader]: proof } = request.headers;
    if (typeof token === 'string' && typeof proof === 'string') return tokenVisitor(deployment, tool, token, proof);
    const bearer = /^Bearer ([A-Za-z0-9_-]+)$/i.exec(request.headers.authorization ?? '')?.[1];
    const id = deployment.endpointKeys.opens(bearer ?? inPath ?? '', tool.name);
    if (id === null)
      throw new ServerError(
        'forbidden',
        `show a key of this endpoint (deed mcp key ${tool.name}), or a task token and its proof`,
      );
    const session = request.headers['mcp-session-id']?.toString() ?? '';
    const key = `${id} ${session}`;
    const open = () => implicitOf(tool, key).open();
    if (request.method === 'DELETE') request.once('close', () => void endSession(key, 'disconnect').catch(() => {}));
    return {
      key: id,
      task: null,
      caller: async (message) => ({ kind: 'implicit', task: await open(), message }),
      check: async () => {},
      isOpen: () => true,
      headers: async () => filledHeaders(tool, await implicitCredentials(deployment, tool, open)),
    };
  };

  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    requireKnownHost(request, hosts());
    if (!deployment.ledger.isReady) throw new ServerError('not-ready', notWriting);
    const match = path.exec(request.url ?? '');
    const tool = match?.[1] === undefined ? undefined : deployment.tools.named(match[1]);
    if (!tool?.url || tool.operations.length > 0)
      throw new ServerError('not-found', 'no tool server with an address has this name');
    await endpointOf(tool).take(request, response, visitorOf(request, tool, match?.[2]));
  };

  return {
    prefix: '/mcp/',
    handle: (request, response) =>
      void take(request, response).catch((error: unknown) => refuse(request, response, error)),
    async close() {
      await Promise.all([...endpoints.values()].map(({ endpoint }) => endpoint.close()));
      await Promise.all([...sessions.keys()].map((key) => endSession(key, 'disconnect')));
    },
  };
}

function tokenVisitor(deployment: Deployment, tool: Tool, token: string, proof: string): Visitor {
  const { authority } = deployment;
  const { task, key } = claimsOf(token); // believed once token and proof hold
  const caller = (body: Uint8Array): TokenCaller => ({ kind: 'token', token, proof, body, pop: 'agent' });
  return {
    key: `${task} ${key}`,
    task: null,
    caller: async (body) => caller(body),
    check: async (body) => void authority.actions.authenticate(caller(body)),
    isOpen: () => authority.tasks.isOpen(task),
    headers: async () => filledHeaders(tool, credentialsOf(deployment, tool, task)),
  };
}

function claimsOf(token: string): { readonly task: string; readonly key: string } {
  try {
    const claims = parseStrictJson(Buffer.from(token.split('.')[1] ?? '', 'base64url')).value;
    const { task, cnf } = claims as { readonly task?: unknown; readonly cnf?: { readonly jkt?: unknown } };
    if (typeof task === 'string' && typeof cnf?.jkt === 'string') return { task, key: cnf.jkt };
  } catch (error) {
    if (!(error instanceof DeedError || error instanceof TypeError)) throw error;
  }
  throw new ServerError('forbidden', 'the task token is none');
}

/** Keeps pages of other sites out, whatever name they make a browser believe this machine has. */
function requireKnownHost({ headers }: IncomingMessage, hosts: ReadonlySet<string>): void {
  const origin = headers.origin === undefined ? undefined : hostOf(headers.origin);
  if (!hosts.has((headers.host ?? '').toLowerCase()))
    throw new ServerError('origin', 'the header Host names another machine: see publicUrl in config.json');
  if (origin !== undefined && (origin === null || !hosts.has(origin)))
    throw new ServerError('origin', 'pages of another site do not reach tool servers');
}

function hostOf(origin: string): string | null {
  return URL.canParse(origin) ? new URL(origin).host : null;
}

function refuse(request: IncomingMessage, response: ServerResponse, error: unknown): void {
  const { code = 'internal', message } = error as Error & { readonly code?: string };
  if (!(error instanceof DeedError)) process.stderr.write(`deed: ${(error as Error).stack}\n`);
  const status =
    code === 'not-found' || code === 'tool-unregistered'
      ? 404
      : code === 'tool-executable' || code === 'not-ready'
        ? 503
        : 403;
  if (response.headersSent) return void response.destroy();
  request.resume();
  const body = errorReply(null, -32001, error instanceof DeedError ? message : 'the server failed', code);
  response.writeHead(error instanceof DeedError ? status : 500, {
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
  });
  response.end(body);
}

import { rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { DeedError, parseStrictJson } from '@deed/evidence';
import type { McpSession } from '@deed/gateway';
import type { Ledger } from '@deed/ledger';
import { getRequestListener } from '@hono/node-server';
import type { Hono } from 'hono';
import { z } from 'zod';
import type { Deployment } from '../deployment.ts';
import { ServerError } from '../errors.ts';
import { attachMcp, type McpRequest } from '../mcp-attach.ts';
import { problem } from './problem.ts';

/** Said where something would have to be recorded and cannot be. */
export const notWriting = 'the server cannot write to its log: nothing goes through';

/** The protocol that a shim asks for with `Upgrade`. */
export const mcpProtocol = 'deed-mcp';

/** Takes a request whose target begins with its prefix. */
export interface Way {
  /** As `/mcp/`. */
  readonly prefix: string;
  handle(request: IncomingMessage, response: ServerResponse): void;
}

/** What is served at the moment. */
export interface Served {
  readonly ledger: Ledger;
  /** The administration. */
  readonly app: Hono;
  /** What is open to the network beside the log, once there is anything. */
  readonly open: Hono | null;
  /** Ways open to the network that pass bytes on as they come, and so take the connection itself. */
  readonly ways: readonly Way[];
  /** Null while it waits for its witnesses. */
  readonly deployment: Deployment | null;
}

export interface SocketServer {
  readonly server: Server;
  /** Ends the shims' sessions: held calls are cancelled, dispatched ones get a moment, tools are stopped. */
  endSessions(): Promise<void>;
}

/** Serves the administration and the shims on the unix socket. The folder it lies in lets nobody else in. */
export async function listenOnSocket(path: string, served: () => Served): Promise<SocketServer> {
  const sessions = new Map<McpSession, Duplex>();
  const server = createServer(getRequestListener(withLog(served, (request) => served().app.fetch(request))));
  server.on('upgrade', (request, stream, head) => {
    const session = upgrade(served().deployment, request, stream, head);
    if (!session) return;
    sessions.set(session, stream);
    stream.once('close', () => sessions.delete(session));
  });
  rmSync(path, { force: true }); // a former server's: this one holds the folder's lock
  await listening(server, () => server.listen(path));
  const endSession = async ([session, stream]: [McpSession, Duplex]) => {
    await session.close();
    stream.destroy(); // the server does not know it any more as a connection of its own
  };
  return { server, endSessions: async () => void (await Promise.all([...sessions].map(endSession))) };
}

/** Serves the log and what is open to the network on TCP, and never the administration. @returns the server and its URL */
export async function listenOnTcp(
  host: string,
  port: number,
  served: () => Served,
): Promise<{ readonly server: Server; readonly url: string }> {
  const answer = getRequestListener(
    withLog(
      served,
      (request) => served().open?.fetch(request) ?? problem(503, 'not-ready', 'only /log/ is served yet'),
    ),
  );
  const server = createServer((request, response) => {
    const way = served().ways.find(({ prefix }) => request.url?.startsWith(prefix));
    if (way) way.handle(request, response);
    else void answer(request, response);
  });
  await listening(server, () => server.listen(port, host));
  const address = server.address() as AddressInfo;
  return {
    server,
    url: `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`,
  };
}

interface Received {
  readonly incoming: { readonly url?: string | undefined };
}

function withLog(served: () => Served, otherwise: (request: Request) => Response | Promise<Response>) {
  return (request: Request, { incoming }: Received): Response | Promise<Response> => {
    const path = incoming.url ?? ''; // as it was sent: the URL of a Request is tidied up
    if (!path.startsWith('/log/')) return otherwise(request);
    const { status, headers, body } = served().ledger.logResponse(request.method, path);
    return new Response(new Uint8Array(body), { status, headers });
  };
}

function listening(server: Server, listen: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.once('listening', () => resolve());
    listen();
  });
}

/** A shim says which tool and task in headers, then the connection is its own. */
function upgrade(
  deployment: Deployment | null,
  request: IncomingMessage,
  stream: Duplex,
  head: Buffer,
): McpSession | null {
  stream.on('error', () => stream.destroy());
  try {
    const asked = readUpgrade(request);
    if (!deployment) throw new ServerError('not-ready', 'the server waits for its witnesses; try again');
    if (!deployment.ledger.isReady) throw new ServerError('not-ready', notWriting);
    stream.cork(); // attached first: it throws when nobody registered the command
    const session = attachMcp(deployment, asked, stream);
    stream.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: ${mcpProtocol}\r\nConnection: Upgrade\r\n\r\n`);
    stream.uncork();
    if (head.length > 0) session.receive(head);
    return session;
  } catch (error) {
    if (!(error instanceof DeedError)) process.stderr.write(`deed: ${(error as Error).stack}\n`);
    const { code = 'internal', message } = error as Error & { code?: string };
    const body = JSON.stringify({ title: code, detail: message });
    stream.uncork();
    const status = code === 'not-ready' ? '503 Service Unavailable' : '403 Forbidden';
    stream.end(`HTTP/1.1 ${status}\r\nContent-Type: application/problem+json\r\nConnection: close\r\n\r\n${body}`);
    return null;
  }
}

function readUpgrade({ headers }: IncomingMessage): McpRequest {
  if (headers.upgrade !== mcpProtocol) throw new ServerError('request', `only ${mcpProtocol} is spoken here`);
  const task = headers['deed-task'];
  const name = headers['deed-server'];
  const tool = typeof name === 'string' ? { name } : { argv: readCommand(String(headers['deed-command'] ?? '')) };
  return { tool, task: typeof task === 'string' ? task : null, showsStderr: headers['deed-stderr'] === 'lines' };
}

const command = z.array(z.string()).min(1);

/** A JSON list of words in base64url. */
function readCommand(text: string): readonly string[] {
  try {
    return command.parse(parseStrictJson(Buffer.from(text, 'base64url')).value);
  } catch (cause) {
    throw new ServerError('request', 'no command was named: a JSON list of words, in base64url', { cause });
  }
}

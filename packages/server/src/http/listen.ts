import { rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { DeedError } from '@deed/evidence';
import { logResponse, TileFolder } from '@deed/ledger';
import { getRequestListener } from '@hono/node-server';
import type { Hono } from 'hono';
import type { Deployment } from '../deployment.ts';
import { attachMcp } from '../mcp-attach.ts';

/** The protocol that a shim asks for with `Upgrade`. */
export const mcpProtocol = 'deed-mcp';

/** Serves the administration and the shims on the unix socket. The folder it lies in lets nobody else in. */
export async function listenOnSocket(path: string, deployment: Deployment, app: Hono): Promise<Server> {
  const server = createServer(getRequestListener(withLog(deployment, (request) => app.fetch(request))));
  server.on('upgrade', (request, stream, head) => upgrade(deployment, request, stream, head));
  rmSync(path, { force: true }); // a former server's: this one holds the folder's lock
  await listening(server, () => server.listen(path));
  return server;
}

/** Serves the log, and nothing else, on TCP. @returns the server and its URL */
export async function listenOnTcp(
  host: string,
  port: number,
  deployment: Deployment,
): Promise<{ readonly server: Server; readonly url: string }> {
  const server = createServer(
    getRequestListener(withLog(deployment, () => new Response('only /log/ is served here\n', { status: 404 }))),
  );
  await listening(server, () => server.listen(port, host));
  const address = server.address() as AddressInfo;
  return {
    server,
    url: `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`,
  };
}

function withLog({ ledger }: Deployment, otherwise: (request: Request) => Response | Promise<Response>) {
  const folder = new TileFolder(ledger.logFolder);
  return (request: Request): Response | Promise<Response> => {
    const { pathname } = new URL(request.url);
    if (!pathname.startsWith('/log/')) return otherwise(request);
    const { status, headers, body } = logResponse(folder, request.method, pathname);
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
function upgrade(deployment: Deployment, request: IncomingMessage, stream: Duplex, head: Buffer): void {
  stream.on('error', () => stream.destroy());
  const refuse = (status: string, code: string, detail: string) =>
    stream.end(
      `HTTP/1.1 ${status}\r\nContent-Type: application/problem+json\r\nConnection: close\r\n\r\n${JSON.stringify({ title: code, detail })}`,
    );
  if (request.headers.upgrade !== mcpProtocol)
    return void refuse('400 Bad Request', 'request', `only ${mcpProtocol} is spoken here`);
  try {
    const argv: unknown = JSON.parse(
      Buffer.from(String(request.headers['deed-command'] ?? ''), 'base64url').toString() || 'null',
    );
    if (!Array.isArray(argv) || argv.length === 0 || !argv.every((word) => typeof word === 'string')) {
      return void refuse('400 Bad Request', 'request', 'no command was named');
    }
    const task = request.headers['deed-task'];
    // Attached first: it throws when nobody registered the command. What it writes comes after the next line.
    stream.cork();
    const session = attachMcp(deployment, { argv, task: typeof task === 'string' ? task : null }, stream);
    stream.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: ${mcpProtocol}\r\nConnection: Upgrade\r\n\r\n`);
    stream.uncork();
    if (head.length > 0) session.receive(head);
  } catch (error) {
    stream.uncork();
    if (!(error instanceof DeedError)) process.stderr.write(`deed: ${(error as Error).stack}\n`);
    const { code, message } = error as Error & { code?: string };
    refuse('403 Forbidden', code ?? 'internal', message);
  }
}

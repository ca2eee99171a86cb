import { spawn } from 'node:child_process';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { gitEnvironment } from './repositories.ts';

const maxHeaderBytes = 16_384;

export interface BackendCall {
  readonly dir: string;
  readonly path: string;
  readonly query: string;
  readonly user: string;
  readonly requestId: string;
}

/**
 * Runs `git http-backend` (CGI, RFC 3875) for one request, streaming both ways. Without CONTENT_LENGTH (a chunked
 * body) it reads to the end of its input; a gzip body is inflated by git itself. Resolves when the process has ended,
 * so every hook it ran is done; a process that ends before its header block becomes a 502.
 */
export function runHttpBackend(request: IncomingMessage, response: ServerResponse, call: BackendCall): Promise<void> {
  const header = (name: string) => request.headers[name]?.toString() ?? '';
  const chunked = request.headers['transfer-encoding'] !== undefined;
  const child = spawn('git', ['http-backend'], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: {
      ...gitEnvironment(),
      GIT_PROJECT_ROOT: join(call.dir, 'repositories'),
      GIT_HTTP_EXPORT_ALL: '1',
      REQUEST_METHOD: request.method ?? 'GET',
      PATH_INFO: call.path,
      QUERY_STRING: call.query,
      CONTENT_TYPE: header('content-type'),
      ...(!chunked && header('content-length') !== '' ? { CONTENT_LENGTH: header('content-length') } : {}),
      HTTP_CONTENT_ENCODING: header('content-encoding'),
      GIT_PROTOCOL: header('git-protocol'),
      REMOTE_USER: call.user,
      REMOTE_ADDR: request.socket.remoteAddress ?? '',
      REQUEST_ID: call.requestId,
    },
  });
  // The backend may stop reading early (a refused push) and the client may go away: neither may end this server.
  child.stdin.on('error', () => request.resume());
  request.on('error', () => child.stdin.destroy());
  request.on('close', () => {
    if (!request.complete) child.stdin.destroy();
  });
  response.on('close', () => child.stdout.resume());
  request.pipe(child.stdin);

  let head = Buffer.alloc(0);
  const onHead = (chunk: Buffer): void => {
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) {
      if (head.length > maxHeaderBytes) child.kill();
      return;
    }
    child.stdout.off('data', onHead);
    for (const line of head.subarray(0, end).toString('latin1').split('\r\n')) {
      const colon = line.indexOf(':');
      const value = line.slice(colon + 1).trim();
      if (line.slice(0, colon).toLowerCase() === 'status') response.statusCode = Number.parseInt(value, 10);
      else response.setHeader(line.slice(0, colon), value);
    }
    response.write(head.subarray(end + 4));
    child.stdout.pipe(response);
  };
  child.stdout.on('data', onHead);

  return new Promise((resolve) => {
    const done = (): void => {
      if (!response.headersSent) response.writeHead(502).end('git http-backend failed\n');
      resolve();
    };
    child.on('error', done);
    child.on('close', done);
  });
}

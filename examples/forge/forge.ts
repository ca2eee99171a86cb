import { randomBytes } from 'node:crypto';
import { appendFileSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { answerAdmin } from './admin.ts';
import { Credentials } from './credentials.ts';
import { runHttpBackend } from './http-backend.ts';

const { values } = parseArgs({
  options: {
    dir: { type: 'string' },
    port: { type: 'string', default: '0' },
    'admin-token-file': { type: 'string' },
    'with-parent': { type: 'boolean', default: false },
  },
});
if (values.dir === undefined) {
  console.error('usage: node examples/forge/forge.ts --dir DIR [--port 0] [--admin-token-file FILE] [--with-parent]');
  process.exit(2);
}
const dir = resolve(values.dir);
mkdirSync(join(dir, 'repositories'), { recursive: true });
const accessLog = openSync(join(dir, 'access.jsonl'), 'a');
appendFileSync(join(dir, 'pushes.jsonl'), '');
const adminToken = randomBytes(24).toString('base64url');
const credentials = new Credentials();

/** Start times, by request id, of the requests that have not ended: Map keeps them oldest first. */
const open = new Map<string, string>();
const gitPath = /^\/([A-Za-z0-9][A-Za-z0-9._-]*)\.git\/(info\/refs|git-upload-pack|git-receive-pack)$/;

interface AccessNote {
  service: string | null;
  repository: string | null;
  claimed: string | null;
  user: string | null;
  reason: string | null;
}

async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const requestId = randomBytes(12).toString('hex');
  const started = new Date().toISOString();
  open.set(requestId, started);
  const ended = new Promise<void>((done) => response.once('close', () => done()));
  const note: AccessNote = { service: null, repository: null, claimed: null, user: null, reason: null };
  response.setHeader('X-Request-Id', requestId);
  const [path = '/', query = ''] = (request.url ?? '/').split('?', 2);
  try {
    await route(request, response, { path, query, requestId, note });
  } catch {
    if (!response.headersSent) reply(response, 500, 'failed');
    else response.destroy();
  }
  await ended;
  open.delete(requestId);
  // Written only now, so that all lines before this one are final. `open` is the start of the oldest request still
  // under way: what happened before it (or before `time`, when nothing is open) is in the records of this folder.
  const line = { time: new Date().toISOString(), started, open: open.values().next().value ?? null, requestId };
  const rest = { method: request.method, path, ...note, status: response.statusCode };
  writeSync(accessLog, `${JSON.stringify({ ...line, ...rest })}\n`);
}

async function route(
  request: IncomingMessage,
  response: ServerResponse,
  call: { readonly path: string; readonly query: string; readonly requestId: string; readonly note: AccessNote },
): Promise<void> {
  const { path, query, note } = call;
  if (path.startsWith('/admin/')) {
    note.service = 'admin';
    const answer = await answerAdmin(request, path, { dir, adminToken, credentials });
    return reply(response, answer.status, answer.text);
  }
  const match = gitPath.exec(path);
  const service = match?.[2] === 'info/refs' ? /^service=(git-(?:upload|receive)-pack)$/.exec(query)?.[1] : match?.[2];
  note.repository = match?.[1] ?? null;
  note.service = service ?? null;

  const caller = credentials.check(request.headers.authorization);
  if (caller.kind !== 'known') {
    if (caller.kind === 'refused') {
      note.claimed = caller.claimed;
      note.reason = caller.reason;
    }
    response.setHeader('WWW-Authenticate', 'Basic realm="forge"');
    return reply(
      response,
      401,
      caller.kind === 'refused' ? `credential refused: ${caller.reason}` : 'credential needed',
    );
  }
  note.claimed = caller.id;
  note.user = caller.id;
  if (note.repository === null || service === undefined) return reply(response, 404, 'not found');
  if (!caller.repositories.has(note.repository)) {
    note.reason = 'repository';
    return reply(response, 403, 'this credential is not for this repository');
  }
  await runHttpBackend(request, response, { dir, path, query, user: caller.id, requestId: call.requestId });
}

function reply(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' }).end(`${text}\n`);
}

const server = createServer((request, response) => void handle(request, response));
server.listen(Number(values.port), '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  const file = values['admin-token-file'];
  if (file !== undefined) writeFileSync(file, adminToken, { mode: 0o600 });
  const admin = file === undefined ? { admin: adminToken } : {};
  console.log(JSON.stringify({ url: `http://127.0.0.1:${port}/`, ...admin }));
});
process.on('SIGINT', () => process.exit(0));
if (values['with-parent']) process.stdin.on('end', () => process.exit(0)).resume();

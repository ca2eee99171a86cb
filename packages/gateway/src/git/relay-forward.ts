import { type ClientRequest, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { GitError } from './errors.ts';
import { PktLineReader, pktText } from './pkt-line.ts';
import type { ForgeAnswer } from './push-window.ts';
import { type ReceivePackHead, ReportReader } from './receive-pack.ts';

/** Where a session's requests go, and what is added to them. */
export interface Upstream {
  readonly forge: URL;
  readonly authorization: string;
  readonly maxPackBytes: number;
  readonly maxReadBytes: number;
  readonly idleMs: number;
}

interface Target {
  readonly repository: string;
  readonly action: string;
}

export interface IncomingPush {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly head: ReceivePackHead;
  /** Bytes already taken from `body`. */
  readonly read: Uint8Array;
  readonly body: AsyncIterator<Uint8Array>;
}

/** Nothing else of the tool's request goes on: no Authorization, Cookie or Host of its making. */
const requestHeaders = [
  'accept',
  'content-length',
  'content-type',
  'content-encoding',
  'accept-encoding',
  'git-protocol',
  'user-agent',
];
const responseHeaders = ['content-type', 'content-encoding', 'cache-control', 'expires', 'pragma', 'x-request-id'];
const maxAdvertisedBytes = 64 * 1_048_576;

function connect(upstream: Upstream, target: Target, method: string, headers: Record<string, string>): ClientRequest {
  const url = new URL(`${target.repository}.git/${target.action}`, upstream.forge);
  const open = url.protocol === 'https:' ? httpsRequest : httpRequest;
  // A connection of its own: a reused one may be dead already, and a push must not be sent twice to find out.
  const out = open(url, { method, headers: { ...headers, authorization: upstream.authorization }, agent: false });
  out.setTimeout(upstream.idleMs, () => out.destroy(new GitError('timeout', 'the forge stayed silent')));
  return out;
}

function answerOf(out: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    out.once('response', resolve);
    out.on('error', (cause) => {
      reject(cause instanceof GitError ? cause : new GitError('git', 'the forge did not answer', { cause }));
    });
  });
}

function pick(from: IncomingMessage['headers'], names: readonly string[]): Record<string, string> {
  const picked: Record<string, string> = {};
  for (const name of names) {
    const value = from[name];
    if (typeof value === 'string') picked[name] = value;
  }
  return picked;
}

/** A 401 becomes a 403: git would otherwise look for a credential of its own. A redirect is not followed. */
function begin(response: ServerResponse, answer: IncomingMessage): boolean {
  const status = answer.statusCode ?? 502;
  const headers = pick(answer.headers, responseHeaders);
  if (status === 200) return response.writeHead(200, headers) !== undefined;
  answer.resume();
  const text = status === 401 ? 'the forge refused the credential of this task' : `the forge answered ${status}`;
  response.writeHead(status === 401 ? 403 : status < 400 ? 502 : status, { 'content-type': 'text/plain' });
  response.end(`${text}\n`);
  return false;
}

async function* limited(body: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > maxBytes) throw new GitError('limit', `more than ${maxBytes} bytes in one request`);
    yield chunk;
  }
}

/** Passes a read on and its answer back, streaming. @throws GitError git, timeout, limit */
export async function forwardRead(
  upstream: Upstream,
  target: Target,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const out = connect(upstream, target, request.method ?? 'GET', pick(request.headers, requestHeaders));
  response.once('close', () => out.destroy());
  const answered = answerOf(out);
  await Promise.all([
    pipeline(limited(request, upstream.maxReadBytes), out),
    answered.then(async (answer) => {
      if (begin(response, answer)) await pipeline(answer, response);
    }),
  ]);
}

/**
 * Passes a push on, streaming, and reads the forge's report from the answer as it goes back. Never throws: a forge
 * that dies, or a tool that goes away, leaves an answer without a report. Once the pack is sent, the forge is heard
 * to the end even if the tool no longer listens.
 */
export async function forwardPush(upstream: Upstream, target: Target, push: IncomingPush): Promise<ForgeAnswer> {
  const { request, response, head } = push;
  const headers = { ...pick(request.headers, requestHeaders), 'accept-encoding': 'identity' };
  const out = connect(upstream, target, 'POST', headers);
  const rest = { [Symbol.asyncIterator]: () => push.body };
  const body = async function* (): AsyncGenerator<Uint8Array> {
    yield push.read;
    yield* limited(rest, upstream.maxPackBytes);
  };
  const sent = pipeline(Readable.from(body(), { objectMode: false }), out).catch((cause: unknown) => cause);
  let httpStatus: number | null = null;
  let requestId: string | null = null;
  try {
    const answer = await answerOf(out);
    httpStatus = answer.statusCode ?? null;
    requestId = answer.headers['x-request-id']?.toString() ?? null;
    if (!begin(response, answer)) return { httpStatus, requestId, message: `the forge answered ${httpStatus}` };
    const reader = new ReportReader(head.capabilities);
    for await (const chunk of answer as AsyncIterable<Uint8Array>) {
      reader.push(chunk);
      if (!response.destroyed && !response.write(chunk)) await drained(response);
    }
    response.end();
    return { httpStatus, requestId, report: reader.end(), message: 'the forge reported nothing about this ref' };
  } catch (cause) {
    const text = 'the connection to the forge broke before its report was complete';
    if (response.headersSent) response.destroy();
    else response.writeHead(502, { 'content-type': 'text/plain' }).end(`${text}\n`);
    return { httpStatus, requestId, message: `${text} (${cause instanceof Error ? cause.message : 'unknown'})` };
  } finally {
    out.destroy();
    // Not awaited: the tool may still be sending, and goes on once it has read this answer.
    void sent.then(() => request.resume());
  }
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.once('drain', done).once('close', done);
  });
}

/** Asks the forge itself which refs a repository has (gitprotocol-http, smart reply v0). @throws GitError git, timeout, limit */
export async function advertisedRefs(upstream: Upstream, repository: string): Promise<ReadonlyMap<string, string>> {
  const out = connect(upstream, { repository, action: 'info/refs?service=git-receive-pack' }, 'GET', {});
  const answered = answerOf(out);
  out.end();
  const answer = await answered;
  if (answer.statusCode !== 200) {
    out.destroy();
    throw new GitError('git', `the forge answered ${answer.statusCode} for repository ${repository}`);
  }
  const reader = new PktLineReader();
  const refs = new Map<string, string>();
  let flushes = 0;
  for await (const chunk of limited(answer, maxAdvertisedBytes)) {
    reader.push(chunk);
    for (let line = reader.next(); line !== undefined; line = reader.next()) {
      if (line === null) flushes++;
      else if (flushes === 1) {
        const nul = line.indexOf(0);
        const [, id, ref] = /^([0-9a-f]{40,64}) (.+)$/.exec(pktText(nul < 0 ? line : line.subarray(0, nul))) ?? [];
        if (id === undefined || ref === undefined) throw new GitError('git', 'the forge advertised an unreadable ref');
        if (ref !== 'capabilities^{}') refs.set(ref, id);
      }
    }
  }
  if (flushes !== 2) throw new GitError('git', 'the forge ended inside its list of refs');
  return refs;
}

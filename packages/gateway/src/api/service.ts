import { type Effects, parseStrictJson } from '@deed/evidence';
import type { Answer, Call } from '../call.ts';
import { GatewayError } from '../errors.ts';
import { Upstream, wholeOf } from '../mcp/http/upstream.ts';
import { bodyDigest, type Operation, requestOf, type ServiceRequest } from '../tools/operation.ts';
import type { Tool } from '../tools/registry.ts';

/** Longest answer that is kept, in bytes. */
const maxAnswerBytes = 8 * 1024 * 1024;

/** Where services name their own id of a request, the first that is there counts. */
const requestIds = ['request-id', 'x-request-id', 'x-amzn-requestid', 'x-ms-request-id', 'x-github-request-id'];

/** Nothing was sent: what the system says of a connection that never was. */
const neverSent: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);

export interface ServiceCall {
  readonly action: string;
  readonly tool: Tool;
  readonly operation: Operation;
  readonly raw: string;
  /** What each request carries: the credential. */
  readonly headers: Readonly<Record<string, string>>;
  readonly answerMs: number;
}

/** What of a {@link Call} follows from the operation that it names. */
export function serviceCall({
  action,
  tool,
  operation,
  raw,
  headers,
  answerMs,
}: ServiceCall): Required<Pick<Call, 'operands' | 'dispatch'>> {
  const request = () => requestOf(tool.url ?? '', operation, parseStrictJson(raw, { refuseCaseVariants: true }));
  return {
    operands: () => {
      const { method, url, body } = request();
      return { kind: 'http', method, url, body: bodyDigest({ method, url, body }) };
    },
    dispatch: () => send(request(), { ...headers, ...ownHeaders(action, operation) }, answerMs),
  };
}

/** A service that knows idempotency keys does one action once, even if its answer is lost. */
function ownHeaders(action: string, { method }: Operation): Readonly<Record<string, string>> {
  return { 'deed-action': action, ...(method === 'GET' || method === 'HEAD' ? {} : { 'idempotency-key': action }) };
}

/** Asks once, follows no redirect, and does not throw: what did not come back is `unknown`. */
async function send(
  { method, url, body }: ServiceRequest,
  headers: Readonly<Record<string, string>>,
  answerMs: number,
): Promise<Answer> {
  const upstream = new Upstream(url);
  try {
    const signal = AbortSignal.timeout(answerMs);
    const typed = body ? { 'content-type': body.type } : {};
    const sent = { method, headers: { accept: 'application/json', ...typed, ...headers }, signal };
    const incoming = await upstream.send(body ? { ...sent, body: body.bytes } : sent);
    const code = incoming.statusCode ?? 0;
    const request = requestIds.map((name) => incoming.headers[name]).find((id) => typeof id === 'string');
    const effects: Effects = {
      v: 1,
      effects: [
        {
          kind: 'http',
          method,
          url,
          status: code,
          request: typeof request === 'string' ? request.slice(0, 256) : null,
        },
      ],
    };
    const bytes = await wholeOf(incoming, maxAnswerBytes).catch(() => null);
    const type = incoming.headers['content-type']?.slice(0, 256) ?? 'application/octet-stream';
    return { status: bytes ? statusOf(code) : 'unknown', bytes, type, effects };
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    const { code = '' } = (error.cause ?? {}) as NodeJS.ErrnoException;
    return { status: neverSent.has(code) ? 'error' : 'unknown', bytes: null };
  } finally {
    upstream.close();
  }
}

/** A service that failed does not say whether it did what was asked. */
function statusOf(code: number): Answer['status'] {
  if (code >= 200 && code < 300) return 'ok';
  return code >= 300 && code < 500 ? 'error' : 'unknown';
}

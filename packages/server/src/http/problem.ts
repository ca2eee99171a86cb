import { DeedError } from '@deed/evidence';
import type { Hono } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';

/** RFC 9457. */
export function problem(
  status: ContentfulStatusCode,
  code: string,
  detail: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(JSON.stringify({ type: `https://w3id.org/deed/problem/${code}`, title: code, status, detail }), {
    status,
    headers: { 'content-type': 'application/problem+json', ...headers },
  });
}

/** The refusal of an action: 403 unless the code says another. */
export function refusalProblem(code: string, detail: string, members: Readonly<Record<string, string>>): Response {
  const status = statuses[code] ?? 403;
  const body = { type: `https://w3id.org/deed/problem/${code}`, title: code, status, detail, ...members };
  return Response.json(body, { status, headers: { 'content-type': 'application/problem+json' } });
}

const statuses: Readonly<Record<string, ContentfulStatusCode>> = {
  'not-found': 404,
  'unknown-task': 404,
  'unknown-agent': 404,
  'unknown-hold': 404,
  'unknown-hop': 404,
  'hop-ended': 403,
  'unknown-person': 403,
  'not-approver': 403,
  origin: 403,
  forbidden: 403,
  passkey: 403,
  oidc: 403,
  'signed-out': 401,
  people: 403,
  'unknown-payload': 404,
  'unknown-action': 404,
  'tool-unregistered': 404,
  'tool-unknown': 404,
  'tool-executable': 503,
  credential: 403,
  idempotency: 422,
  ended: 409,
  'task-closed': 409,
  'token-epoch': 401,
  'task-open': 409,
  'task-busy': 409,
  held: 409,
  erased: 410,
  'token-invalid': 401,
  'token-expired': 401,
  'assertion-invalid': 401,
  'agent-revoked': 403,
  'workload-token': 401,
  'workload-token-used': 409,
  'no-rule': 403,
  'proof-of-key': 401,
  issuer: 502,
  'wit-invalid': 401,
  'wit-expired': 401,
  'proof-invalid': 401,
  'proof-expired': 401,
  'proof-body': 401,
  'proof-replayed': 401,
  'not-ready': 503,
  overloaded: 429,
  stopped: 503,
};

function statusOf(code: string): ContentfulStatusCode {
  return statuses[code] ?? 400;
}

/** What an application answers to what it does not know or cannot do. */
export function withProblems(app: Hono): Hono {
  app.notFound((c) => problem(404, 'not-found', `there is no ${c.req.path}`));
  app.onError((error) => {
    if (error instanceof DeedError) return problem(statusOf(error.code), error.code, error.message);
    process.stderr.write(`deed: ${error.stack ?? error.message}\n`);
    return problem(500, 'internal', 'the server failed; its log says why');
  });
  return app;
}

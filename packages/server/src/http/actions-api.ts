import { toBase64, utf8 } from '@deed/evidence';
import { type ApiAnswer, messageOfGet, type ServiceResponse, type Shown } from '@deed/gateway';
import { type Context, Hono } from 'hono';
import { ServerError } from '../errors.ts';
import { notWriting } from './listen.ts';
import { proofHeader, tokenHeader } from './mcp-way.ts';
import { openApi } from './openapi.ts';
import { refusalProblem } from './problem.ts';
import type { PublicDoor } from './public-door.ts';

/** Longest that a request waits, in seconds. */
export const longestWaitSeconds = 25;

/**
 * Where agents in any language ask to act (docs/formats/http-api.md). Each request shows a task token and a proof over its exact body;
 * a GET over its method and path.
 */
export function actionsApi({ deployment, url }: PublicDoor): Hono {
  const { api, ledger } = deployment;
  const app = new Hono();
  const ready = () => {
    if (!ledger.isReady) throw new ServerError('not-ready', notWriting);
  };
  app.get('/v1/openapi.json', (c) => c.json(openApi(url())));
  app.post('/v1/actions', async (c) => {
    ready();
    return answer(await api.act(shownOf(c), await bytesOf(c)));
  });
  app.post('/v1/execute', async (c) => {
    ready();
    return answer(await api.execute(shownOf(c), await bytesOf(c), waitOf(c) * 1000));
  });
  app.get('/v1/actions/:id', async (c) => {
    const message = utf8(messageOfGet(new URL(c.req.url).pathname));
    return answer(await api.state(shownOf(c), message, c.req.param('id'), waitOf(c) * 1000));
  });
  app.post('/v1/actions/:id/result', async (c) => {
    ready();
    return answer(await api.result(shownOf(c), await bytesOf(c), c.req.param('id')));
  });
  app.post('/v1/tasks/:id/close', async (c) => {
    const task = c.req.param('id');
    const since = await api.askToClose(shownOf(c), await bytesOf(c), task);
    return c.json({ task, asked: since }, 202);
  });
  return app;
}

function shownOf(c: Context): Shown {
  const [token, proof] = [c.req.header(tokenHeader), c.req.header(proofHeader)];
  if (token && proof) return { token, proof };
  throw new ServerError(
    'signed-out',
    'show a task token in the header Deed-Task-Token and a proof of this very message in Workload-Proof-Token',
  );
}

async function bytesOf(c: Context): Promise<Uint8Array> {
  return new Uint8Array(await c.req.raw.arrayBuffer());
}

/** How long it may wait: `wait` in the query, else `Prefer: wait` (RFC 7240). In seconds. */
function waitOf(c: Context): number {
  const preferred = /(?:^|[,;\s])wait=(\d{1,4})(?:$|[,;\s])/.exec(c.req.header('prefer') ?? '')?.[1];
  const seconds = Number(c.req.query('wait') ?? preferred ?? 0);
  if (!Number.isFinite(seconds) || seconds < 0) throw new ServerError('request', 'wait is a number of seconds');
  return Math.min(seconds, longestWaitSeconds);
}

function answer(answered: ApiAnswer): Response {
  if (answered.kind === 'refused') return refusalProblem(answered.code, answered.message, { action: answered.action });
  if (answered.kind === 'held') {
    const { page, expires, message } = answered.hold;
    const held = { action: answered.action, state: 'held', approval: { page, expires, message } };
    const location = `/v1/actions/${answered.action}`;
    return Response.json(held, { status: 202, headers: { location, 'retry-after': '1', ...noStore } });
  }
  const { kind: _, response, ...state } = answered;
  return Response.json({ ...state, response: response && responseView(response) }, { headers: noStore });
}

const noStore = { 'cache-control': 'no-store' };

/** Bytes as text where they are text, else in base64. */
function responseView({ status, type, body }: ServiceResponse) {
  try {
    return { status, type, text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body) };
  } catch {
    return { status, type, base64: toBase64(body) };
  }
}

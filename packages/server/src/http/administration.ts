import { deploymentTask, readTaskKey } from '@deed/authority';
import { hmacSha256, makePayload, utf8 } from '@deed/evidence';
import type { Ledger } from '@deed/ledger';
import type { MiddlewareHandler } from 'hono';
import { routePath } from 'hono/route';

/**
 * The POST routes whose acts leave a statement of their own that says on whose word, or that change nothing. Every other one,
 * known here or not, is stated as `administered`.
 */
export const tellsItself: Readonly<Record<string, string>> = {
  '/v1/agents/redeem': 'agent-enrolled: the act of the agent, on a code that somebody was stated to have given',
  '/v1/tasks': 'task-opened: names the principal',
  '/v1/tasks/:id/close': 'task-closed: says on whose word',
  '/v1/tasks/:id/token': 'nothing: a token for the agent, which it asks for with its own key',
  '/v1/tasks/:id/hops': 'hop, or the refusal of one, with the word of the agent that passes it on',
  '/v1/tasks/:id/hops/accept': 'hop-accepted, with the word of the agent that is to act',
  '/v1/tasks/:id/hops/end': 'hop-ended: says on whose word',
  '/v1/tasks/:id/reconcile': 'reconciled: what the server itself found',
  '/v1/reconcile': 'the same of each task of which there is something new',
  '/v1/sources/:id/check': 'nothing: looks whether a source has what it needs',
  '/v1/tasks/:id/case': 'case-exported',
  '/v1/tasks/:id/erasure': 'nothing: what an erasure would do',
  '/v1/tasks/:id/erase': 'erased: names the person',
  '/v1/hooks/claude-code': 'intent, outcome or refusal: what a client does, and no act of an operator',
  '/v1/approvals/:id': 'approval or refusal, with the signed word',
  '/v1/policy': 'policy-activated, with the signed word',
  '/v1/holds': 'hold, with the signed word',
  '/v1/findings': 'finding-changed, with the signed word',
  '/v1/secrets': 'configuration-stated: a digest of the request would let a weak secret be guessed',
  '/v1/wraps': 'configuration-stated: what is sent holds secrets, as above',
  '/v1/wraps/written': "nothing: the configuration of a client is not the server's",
  '/v1/people/offer': 'nothing: a key that came in counts once it is ordered',
  '/v1/people/orders':
    'person-enrolled or person-changed, with the signed words; nothing while a second word is awaited',
};

/** States each administrative act that succeeded, before it is answered: what was asked for, and how the caller was known. */
export function stateActs(dir: string, ledger: Ledger): MiddlewareHandler {
  return async (c, next) => {
    const route = routePath(c, -1);
    if (c.req.method !== 'POST' || route in tellsItself) return next();
    const asked = new Uint8Array(await c.req.raw.clone().arrayBuffer());
    await next();
    if (!c.res.ok) return;
    const target = c.req.param('id') ?? null;
    const secret = hmacSha256(readTaskKey(dir, deploymentTask), utf8('administration'));
    const request = {
      sha256: makePayload(asked, secret).name,
      size: asked.length,
      type: 'application/json',
      kept: false,
    };
    await ledger.record({
      predicate: 'administered',
      place: { series: 'deployment' },
      subject: { name: `deployment:${ledger.origin}`, sha256: request.sha256 },
      observed: 'gateway-executed',
      separation: { agent: 'none', tool: 'none' },
      body: { act: `POST ${route}`, target, by: 'socket', request },
    }).durable;
  };
}

import { receiveDelivery } from '@deed/reconcile';
import { Hono } from 'hono';
import { problem } from './problem.ts';
import type { PublicDoor } from './public-door.ts';

/** What other systems send by webhook: each delivery is authenticated by the scheme of its sender, over its exact bytes, before it is parsed. */
export function inboxApi({ deployment }: PublicDoor): Hono {
  const app = new Hono();
  app.post('/v1/inbox/:source', async (c) => {
    const bytes = new Uint8Array(await c.req.raw.arrayBuffer());
    const header = (name: string) => c.req.header(name);
    const received = receiveDelivery(deployment.ledger.database, c.req.param('source'), header, bytes);
    if (received === 'kept') return c.body(null, 204);
    if (received === 'no-json') return problem(415, 'request', 'the body is no JSON: have it sent as application/json');
    if (received === 'full')
      return problem(503, 'overloaded', 'too many deliveries are unread', { 'retry-after': '600' });
    return problem(401, 'signature', 'there is no such source, or the signature is not that of its sender');
  });
  return app;
}

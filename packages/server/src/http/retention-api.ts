import { Hono } from 'hono';
import type { Deployment } from '../deployment.ts';
import { ServerError } from '../errors.ts';
import { body } from './body.ts';
import * as shapes from './shapes.ts';

/** Erasure, holds and retention, below `/v1`. */
export function retentionApi({ authority }: Deployment): Hono {
  const { erasures, legalHolds, retention } = authority;
  const app = new Hono();
  app.post('/v1/tasks/:id/erasure', async (c) => {
    const { payloads } = await body(c.req.raw, shapes.erasurePlan);
    return c.json(erasures.plan({ task: c.req.param('id'), payloads }));
  });
  app.post('/v1/tasks/:id/erase', async (c) => {
    const { reason, payloads, by } = await body(c.req.raw, shapes.erase);
    const person = by ?? onlyOperator(authority.people.list());
    const order = { task: c.req.param('id'), payloads, by: { kind: 'person', person }, why: reason } as const;
    return c.json(await erasures.erase(order));
  });
  app.get('/v1/holds', (c) => c.json({ holds: legalHolds.list() }));
  app.post('/v1/holds', async (c) => c.json(await legalHolds.say((await body(c.req.raw, shapes.hold)).word)));
  app.post('/v1/retention', async (c) => c.json(await retention.run(await body(c.req.raw, shapes.retention))));
  return app;
}

function onlyOperator(people: readonly { readonly id: string; readonly roles: readonly string[] }[]): string {
  const operators = people.filter(({ roles }) => roles.includes('operator'));
  const [first] = operators;
  if (!first || operators.length > 1)
    throw new ServerError('request', 'there are several operators: say whose order this is (by, --by)');
  return first.id;
}

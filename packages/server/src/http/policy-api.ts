import { recordedDecisions } from '@deed/authority';
import { toBase64 } from '@deed/evidence';
import { Hono } from 'hono';
import type { Deployment } from '../deployment.ts';
import { ServerError } from '../errors.ts';
import { body } from './body.ts';
import * as shapes from './shapes.ts';

/** Policy, on the operator's socket: what is in force, another one, and the decisions that were made. */
export function policyApi({ authority, ledger }: Deployment): Hono {
  const app = new Hono();
  app.get('/v1/policy', (c) => {
    const { bundle, version: active, activated } = authority.policy.current();
    return c.json({
      bundle: bundle.digest,
      version: active,
      activated,
      next: authority.policy.nextVersion(),
      origin: ledger.origin,
    });
  });
  app.post('/v1/policy', async (c) => {
    const { folder, word } = await body(c.req.raw, shapes.activate);
    const { bundle, version: active } = await authority.policy.activate(folder, word);
    return c.json({ bundle: bundle.digest, version: active });
  });
  app.get('/v1/policy/decisions', async (c) => {
    const asked = shapes.decisions.safeParse(c.req.query());
    if (!asked.success) throw new ServerError('request', asked.error.message);
    const decisions = await recordedDecisions({ ledger, vault: authority.vault }, asked.data);
    return c.json({
      decisions: decisions.map(({ inputs, ...rest }) => ({ ...rest, inputs: inputs && toBase64(inputs) })),
    });
  });
  return app;
}

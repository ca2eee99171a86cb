import type { Ledger } from '@deed/ledger';
import { Hono } from 'hono';
import { consistencyFrom, proofOf } from '../proofs.ts';
import { query } from './body.ts';
import * as shapes from './shapes.ts';

/** How long a proof waits for the witness, in milliseconds. */
const witnessMs = 20_000;

/** What the log alone can tell. */
export function logApi(ledger: Ledger): Hono {
  const app = new Hono();
  app.get('/v1/log/proofs/:entry', async (c) => {
    const { under } = query(c.req.query(), shapes.proof);
    return c.json(await proofOf(ledger, c.req.param('entry'), under, witnessMs));
  });
  app.get('/v1/log/consistency', (c) => {
    const { from, under } = query(c.req.query(), shapes.consistency);
    return c.json(consistencyFrom(ledger, from, under));
  });
  return app;
}

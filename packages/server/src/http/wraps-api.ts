import { sha256Hex } from '@deed/evidence';
import { Hono } from 'hono';
import { z } from 'zod';
import type { Deployment } from '../deployment.ts';
import { allWraps, prepareWrap, removeWrap, required, wrapRequest, wrapWritten } from '../wraps.ts';
import { body } from './body.ts';

const path = z.string().min(1).max(4096);
const named = z.strictObject({ path });
const written = z.strictObject({ path, sha256: sha256Hex });

/** Configuration files of clients whose servers run behind Deed, below `/v1`. The files themselves are the caller's to write. */
export function wrapsApi(deployment: Deployment): Hono {
  const app = new Hono();
  app.get('/v1/wraps', (c) =>
    c.json({
      wraps: allWraps(deployment).map(({ path: at, wrap: { original: _, ...rest } }) => ({ path: at, ...rest })),
    }),
  );
  app.post('/v1/wraps', async (c) =>
    c.json({ servers: prepareWrap(deployment, await body(c.req.raw, wrapRequest)) }, 201),
  );
  app.post('/v1/wraps/written', async (c) => {
    const { path: at, sha256 } = await body(c.req.raw, written);
    wrapWritten(deployment, at, sha256);
    return c.json({ path: at });
  });
  app.post('/v1/wraps/open', async (c) => c.json(required(deployment, (await body(c.req.raw, named)).path)));
  app.post('/v1/wraps/remove', async (c) => {
    const { path: at } = await body(c.req.raw, named);
    return c.json({ path: at, kept: removeWrap(deployment, at) });
  });
  return app;
}

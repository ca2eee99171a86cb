import { Hono } from 'hono';
import { z } from 'zod';
import { brokerName } from '../brokers.ts';
import { callbackTopics } from '../callbacks/event.ts';
import { webhookSecret } from '../callbacks/standard-webhooks.ts';
import type { Deployment } from '../deployment.ts';
import { body } from './body.ts';

const none = z.strictObject({});
const added = z
  .strictObject({
    name: brokerName,
    url: z
      .url({ protocol: /^https?$/ })
      .max(2000)
      .regex(/^[^\s@#]+$/, 'a URL without user and fragment'),
    /** `private`: the operator says that it is on a network of his own. */
    network: z.enum(['public', 'private']).default('public'),
    topics: z
      .array(z.enum(callbackTopics))
      .min(1)
      .refine((topics) => new Set(topics).size === topics.length, 'each once'),
    secret: webhookSecret.optional(),
  })
  .refine(({ url, network }) => network === 'private' || url.startsWith('https:'), {
    message: 'https, except on a private network',
  });

/** Who is told what, below `/v1`. */
export function callbacksApi({ callbacks }: Deployment): Hono {
  const app = new Hono();
  app.get('/v1/callbacks', (c) => c.json({ callbacks: callbacks.list() }));
  app.post('/v1/callbacks', async (c) => {
    const { secret, ...callback } = await body(c.req.raw, added);
    return c.json({ ...callback, secret: callbacks.add(callback, secret) }, 201);
  });
  app.get('/v1/callbacks/:id/dead', (c) => c.json({ dead: callbacks.dead(c.req.param('id')) }));
  app.post('/v1/callbacks/:id/test', async (c) => {
    await body(c.req.raw, none);
    return c.json(await callbacks.test(c.req.param('id')));
  });
  app.post('/v1/callbacks/:id/retry', async (c) => {
    await body(c.req.raw, none);
    return c.json({ again: callbacks.retry(c.req.param('id')) });
  });
  app.post('/v1/callbacks/:id/remove', async (c) => {
    await body(c.req.raw, none);
    callbacks.remove(c.req.param('id'));
    return c.json({ removed: c.req.param('id') });
  });
  return app;
}

import { fromBase64 } from '@deed/evidence';
import type { HookSpeaker } from '@deed/gateway';
import { Hono } from 'hono';
import { z } from 'zod';
import type { Deployment } from '../deployment.ts';
import { body } from './body.ts';
import { problem } from './problem.ts';

const hook = z.strictObject({
  /** Null: the session is an implicit task. */
  speaker: z
    .strictObject({ task: z.string(), token: z.string().min(1).max(16_384), proof: z.string().min(1).max(16_384) })
    .nullable(),
  /** Base64 of the message, as it was signed. */
  message: z
    .string()
    .min(1)
    .max(16 * 1024 * 1024),
});

/** Where the hooks of an agent's client ask before a call and tell afterwards, below `/v1`. */
export function hooksApi({ hooks }: Deployment): Hono {
  const app = new Hono();
  app.post('/v1/hooks/claude-code', async (c) => {
    const { speaker, message } = await body(c.req.raw, hook);
    const answer = await hooks.take(speaker satisfies HookSpeaker, fromBase64(message));
    return answer.kind === 'refused' ? problem(403, answer.code, answer.message) : c.json(answer);
  });
  return app;
}

import { createHmac, randomBytes } from 'node:crypto';
import { z } from 'zod';

const prefix = 'whsec_';

/** A secret as Standard Webhooks writes it: `whsec_` and the base64 of 24 to 64 bytes. */
export const webhookSecret = z
  .string()
  .startsWith(prefix)
  .refine((text) => {
    const bytes = Buffer.from(text.slice(prefix.length), 'base64');
    return bytes.length >= 24 && bytes.length <= 64 && bytes.toString('base64') === text.slice(prefix.length);
  }, 'whsec_ and the base64 of 24 to 64 bytes');

export function newWebhookSecret(): string {
  return prefix + randomBytes(32).toString('base64');
}

/** The headers that sign a message (Standard Webhooks 1.0, symmetric scheme): proof to who has the secret, and to nobody else. */
export function webhookHeaders(secret: string, id: string, body: string, nowMs: number) {
  const timestamp = String(Math.floor(nowMs / 1000));
  const key = Buffer.from(secret.slice(prefix.length), 'base64');
  const mac = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${mac}` };
}

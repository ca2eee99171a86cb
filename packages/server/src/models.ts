import { z } from 'zod';
import { brokerName } from './brokers.ts';

const headerName = z.string().regex(/^[A-Za-z0-9-]{1,128}$/, 'the name of a header');
const headerValue = z.string().regex(/^[\x20-\x7e]{1,4096}$/, 'the value of a header, in printable ASCII');

/** A provider of models that agents reach through here. No secrets. */
export const model = z
  .strictObject({
    name: brokerName,
    /** What stands before each request's path. In the clear only on this machine: prompts and credentials go there. */
    url: z
      .url({ protocol: /^https?$/ })
      .max(2048)
      .regex(/^[^\s?#@]+$/, 'a URL without user, query or fragment')
      .refine((text) => {
        const { protocol, hostname } = new URL(text);
        return protocol === 'https:' || ['127.0.0.1', '[::1]', 'localhost'].includes(hostname);
      }, 'https, except on this machine'),
    /** Put in the place of the client's; `${deed:NAME}` stands for the variable of the secret. */
    headers: z.record(headerName, headerValue).default({}),
    /** A static secret, so that the agent needs no credential of the provider. */
    secret: brokerName.optional(),
  })
  .refine(({ headers, secret }) => secret !== undefined || Object.keys(headers).length === 0, {
    message: 'headers are for a secret: name it',
  });
export type ModelConfig = z.infer<typeof model>;

/** Where the providers that have a name of their own are, unless the operator says otherwise. */
export const knownModels: Readonly<Record<string, string>> = {
  openai: 'https://api.openai.com',
  anthropic: 'https://api.anthropic.com',
  gemini: 'https://generativelanguage.googleapis.com',
};

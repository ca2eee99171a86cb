import type { CredentialBroker } from '@deed/authority';
import { Hono } from 'hono';
import { z } from 'zod';
import { configureBroker, putSecret, removeBroker, removeSecret } from '../broker-config.ts';
import { broker, brokerName, variable } from '../brokers.ts';
import type { Deployment } from '../deployment.ts';
import { ServerError } from '../errors.ts';
import { body } from './body.ts';

const secret = z.strictObject({ name: brokerName, value: z.string().min(1), variable: variable.optional() });
const none = z.strictObject({});

/** Brokers and static secrets, below `/v1`. */
export function brokersApi(deployment: Deployment): Hono {
  const { authority } = deployment;
  const app = new Hono();
  const required = (name: string): CredentialBroker => {
    const found = isConfigured(deployment, name) ? authority.credentials.broker(name) : undefined;
    if (!found) throw new ServerError('not-found', `there is no broker ${name}`);
    return found;
  };

  app.get('/v1/brokers', (c) =>
    c.json({
      brokers: [...deployment.config.forges, ...deployment.config.brokers].map(({ name }) =>
        view(deployment, required(name)),
      ),
    }),
  );
  app.post('/v1/brokers', async (c) => {
    const config = await body(c.req.raw, broker);
    if (config.kind === 'static') throw new ServerError('request', 'a static secret is added with deed secret add');
    configureBroker(deployment, config);
    return c.json(view(deployment, required(config.name)), 201);
  });
  app.post('/v1/brokers/:name/check', async (c) => {
    await body(c.req.raw, none);
    const found = required(c.req.param('name'));
    const checks = (await found.check?.()) ?? [];
    return c.json({ checks: [...checks, ...(await strays(deployment, found))] });
  });
  app.post('/v1/brokers/:name/remove', async (c) => {
    await body(c.req.raw, none);
    removeBroker(deployment, c.req.param('name'), 'other');
    return c.json({ removed: c.req.param('name') });
  });

  app.post('/v1/secrets', async (c) => {
    const { name, value, variable: given } = await body(c.req.raw, secret);
    putSecret(deployment, { name, value, variable: given });
    return c.json(view(deployment, required(name)), 201);
  });
  app.post('/v1/secrets/:name/remove', async (c) => {
    await body(c.req.raw, none);
    removeSecret(deployment, c.req.param('name'));
    return c.json({ removed: c.req.param('name') });
  });
  return app;
}

function isConfigured({ config }: Deployment, name: string): boolean {
  return [...config.forges, ...config.brokers].some((one) => one.name === name);
}

function view({ authority, brokerGround, config }: Deployment, { name, kind, debt, env }: CredentialBroker) {
  const unrevoked = authority.credentials.unrevoked(name);
  const open = unrevoked.filter(({ task }) => authority.tasks.isOpen(task)).length;
  const since = config.brokers.find((one) => one.name === name && one.kind === 'static');
  return {
    ...{ name, kind, debt, env, servers: brokerGround.tools.withCredential(name) },
    /** Credentials of open tasks, and those of closed ones that the target has not yet taken back. */
    ...{ live: open, owed: unrevoked.length - open },
    since: since?.kind === 'static' ? since.since : null,
  };
}

/** Credentials that the target has and Deed does not know, or knows as revoked. */
async function strays({ authority }: Deployment, found: CredentialBroker) {
  if (!found.held) return [];
  const what = 'nothing was left behind';
  try {
    const known = new Set(authority.credentials.unrevoked(found.name).map(({ id }) => id));
    const left = (await found.held()).filter((id) => !known.has(id));
    const detail =
      left.length === 0
        ? 'every credential there belongs to a task'
        : `${left.join(', ')}: of this deployment, and not known to it; look who uses it, then drop it by hand`;
    return [{ what, ok: left.length === 0, detail }];
  } catch (error) {
    return [{ what, ok: false, detail: (error as Error).message }];
  }
}

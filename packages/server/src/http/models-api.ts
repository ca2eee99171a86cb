import { Hono } from 'hono';
import { z } from 'zod';
import { brokerName } from '../brokers.ts';
import type { Deployment } from '../deployment.ts';
import { ServerError } from '../errors.ts';
import { addModel, removeModel } from '../model-config.ts';
import { knownModels, model } from '../models.ts';
import { body } from './body.ts';

const none = z.strictObject({});
const added = z.looseObject({ name: brokerName, url: z.string().optional() });
const key = z.strictObject({ task: z.string().min(1).max(64).optional() });

/** The providers of models and the keys to them, below `/v1`. */
export function modelsApi(deployment: Deployment, url: () => string | null): Hono {
  const { modelKeys, authority } = deployment;
  const app = new Hono();
  app.get('/v1/models', (c) => c.json({ models: deployment.config.models }));
  app.post('/v1/models', async (c) => {
    const fields = await body(c.req.raw, added);
    const where = fields.url ?? knownModels[fields.name];
    if (where === undefined) throw new ServerError('request', `say where ${fields.name} is: --url https://…`);
    const parsed = model.safeParse({ ...fields, url: where });
    if (!parsed.success) throw new ServerError('request', z.prettifyError(parsed.error));
    return c.json(addModel(deployment, parsed.data), 201);
  });
  app.post('/v1/models/:name/remove', async (c) => {
    await body(c.req.raw, none);
    removeModel(deployment, c.req.param('name'));
    return c.json({ removed: c.req.param('name') });
  });
  app.get('/v1/model-keys', (c) => c.json({ keys: modelKeys.list() }));
  app.post('/v1/model-keys', async (c) => {
    const { task = null } = await body(c.req.raw, key);
    if (task !== null && !authority.tasks.isOpen(task)) throw new ServerError('request', `no task ${task} is open`);
    const made = modelKeys.make(task, new Date());
    const base = url();
    const addresses = deployment.config.models.map(({ name }) => ({
      name,
      url: base && `${base}/model/${made.key}/${name}`, // null: nothing is served to the network
    }));
    return c.json({ ...made, models: addresses }, 201);
  });
  app.post('/v1/model-keys/:id/remove', async (c) => {
    await body(c.req.raw, none);
    const id = c.req.param('id');
    if (!modelKeys.remove(id)) throw new ServerError('not-found', `there is no key ${id}`);
    return c.json({ removed: id });
  });
  return app;
}

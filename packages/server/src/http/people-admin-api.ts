import type { Invitation } from '@deed/authority';
import { fingerprintOf, personKey, personRoles, word } from '@deed/evidence';
import { Hono } from 'hono';
import { z } from 'zod';
import { oidc, writeConfig } from '../config.ts';
import type { Deployment } from '../deployment.ts';
import { ServerError } from '../errors.ts';
import { body } from './body.ts';

const text = z.string().min(1).max(512);
const invite = z.union([
  z.strictObject({ label: text, roles: personRoles }),
  z.strictObject({ person: text }), // another key of somebody who is enrolled
]);
const setOidc = z.strictObject({ oidc });
export const code = z.string().min(1).max(128);
export const offer = z.strictObject({ code, key: personKey });

/** The people, for operators: below `/v1/people`. `url`: how others reach this server, null if they cannot. */
export function peopleAdminApi(deployment: Deployment, url: () => string | null): Hono {
  const { authority, ledger } = deployment;
  const { people } = authority;
  const { invitations } = people;
  const app = new Hono();
  app.get('/v1/people', (c) => {
    const { word: _, ...waiting } = people.waitingOrder() ?? { word: undefined };
    return c.json({
      origin: ledger.origin,
      /** What a word about the people is bound to. */
      after: people.head(),
      people: people.list().map(({ id, keys, roles, label }) => ({
        ...{ id, roles, label },
        keys: keys.map((key) => ({ ...key, fingerprint: fingerprintOf(key) })),
      })),
      invited: invitations.list().map(invitationView),
      waiting: 'id' in waiting ? waiting : null,
    });
  });
  app.post('/v1/people/invite', async (c) => {
    const asked = await body(c.req.raw, invite);
    const { code, person, expiresMs } = invitations.invite('person' in asked ? forKey(asked.person) : asked);
    const base = url();
    return c.json({ code, person, expiresMs, url: base === null ? null : `${base}/people/join#${code}` }, 201);
  });
  app.post('/v1/people/offer', async (c) => {
    const { code, key } = await body(c.req.raw, offer);
    return c.json(invitationView(invitations.offer(code, key)), 201);
  });
  app.post('/v1/people/orders', async (c) =>
    c.json(await people.order((await body(c.req.raw, z.strictObject({ word }))).word)),
  );
  app.post('/v1/people/:id/link', async (c) => {
    const person = c.req.param('id');
    if (!people.get(person)) throw new ServerError('not-found', `no person ${person} is enrolled`);
    people.logins.linkByCode((await body(c.req.raw, z.strictObject({ code }))).code, person);
    return c.json({ linked: person });
  });
  app.post('/v1/people/oidc', async (c) => {
    const { config, dir } = deployment;
    deployment.config = writeConfig(dir, { ...config, oidc: (await body(c.req.raw, setOidc)).oidc });
    return c.json({ oidc: deployment.config.oidc });
  });
  app.post('/v1/people/:id/withdraw', (c) => {
    if (!invitations.withdraw(c.req.param('id'))) throw new ServerError('not-found', 'nobody with this id is invited');
    return c.json({ withdrawn: c.req.param('id') });
  });
  app.post('/v1/people/:id/erase', (c) => {
    people.erase(c.req.param('id'));
    return c.json({ erased: c.req.param('id') });
  });
  return app;

  function forKey(person: string) {
    const known = people.get(person);
    if (!known) throw new ServerError('not-found', `no person ${person} is enrolled`);
    return { person, label: known.label || 'a key' };
  }
}

/** What an operator and the invited person see of an invitation. */
export function invitationView({ person, roles, label, expiresMs, offered, passkey }: Invitation) {
  return {
    ...{ person, roles, label, expires: new Date(expiresMs).toISOString(), passkey },
    offered: offered && { ...offered, fingerprint: fingerprintOf(offered) },
  };
}

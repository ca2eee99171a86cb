import { fingerprintOf, fromBase64, parsePeopleWord, word } from '@deed/evidence';
import { Hono } from 'hono';
import { z } from 'zod';
import { ServerError } from '../errors.ts';
import { ordersPage } from '../pages/people-pages.ts';
import { body } from './body.ts';
import { requireOwnPage } from './own-page.ts';
import type { PublicDoor } from './public-door.ts';
import { requireSameOrigin } from './session.ts';

const ordered = z.strictObject({ word });

/** The second word for a change among the people, by passkey: for who was asked and has no terminal at the server. */
export function ordersApi({ deployment, url, sessions }: PublicDoor): Hono {
  const { ledger, authority } = deployment;
  const { people } = authority;
  const app = new Hono();
  const signedIn = (request: Request) => {
    const who = sessions.personOf(request);
    if (!who) throw new ServerError('signed-out', 'nobody is signed in: sign in at /people/sign-in');
    return who.person;
  };
  app.get('/people/orders', async (c) =>
    sessions.personOf(c.req.raw) ? ordersPage() : c.redirect('/people/sign-in#/people/orders', 303),
  );
  app.get('/v1/my/orders', (c) => {
    const { id } = signedIn(c.req.raw);
    const order = people.waitingOrder();
    const key = order && 'key' in order.change ? order.change.key : null;
    return c.json({
      ...{ person: id, origin: ledger.origin, after: people.head(), passkeys: people.passkeysOf(id) },
      waiting: order
        ? { person: order.person, change: order.change, by: order.by, fingerprint: key && fingerprintOf(key) }
        : null,
    });
  });
  app.post('/v1/my/orders', async (c) => {
    requireSameOrigin(c.req.raw, url());
    const { id } = signedIn(c.req.raw);
    const { word } = await body(c.req.raw, ordered);
    requireOwnPage(word, url());
    if (parsePeopleWord(fromBase64(word.bytes)).by !== id)
      throw new ServerError('forbidden', 'you are signed in as another person than who signed');
    return c.json(await people.order(word));
  });
  return app;
}

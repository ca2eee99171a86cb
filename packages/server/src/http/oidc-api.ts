import { Hono } from 'hono';
import { ServerError } from '../errors.ts';
import { Oidc } from '../oidc.ts';
import { cameBackPage } from '../pages/people-pages.ts';
import type { PublicDoor } from './public-door.ts';
import { cookieOf, isSecure } from './session.ts';

/**
 * Sign-in at the provider of the configuration. A login that nobody has is a stranger's: who has a passkey links his own
 * when he is signed in with it, for others an operator does it by the code that the stranger is shown.
 */
export function oidcApi({ deployment, url, sessions }: PublicDoor): Hono {
  const { people } = deployment.authority;
  const app = new Hono();
  let known: { readonly of: string; readonly oidc: Oidc } | undefined;
  const oidc = () => {
    const { config } = deployment;
    if (!config.oidc) throw new ServerError('not-found', 'no provider is set: deed person oidc set');
    const of = JSON.stringify([config.oidc, url()]);
    if (known?.of !== of) known = { of, oidc: new Oidc(config.oidc, url()) };
    return known.oidc;
  };
  // The browser comes back from another site: a strict cookie would stay behind.
  const cookieName = () => (isSecure(url()) ? '__Host-deed-oidc' : 'deed-oidc');
  const cookie = (value: string, seconds: number) =>
    `${cookieName()}=${value}; Path=/; HttpOnly; SameSite=Lax; Max-Age=${seconds}${isSecure(url()) ? '; Secure' : ''}`;

  app.get('/people/oidc', async (c) => {
    const who = sessions.personOf(c.req.raw);
    const { location, state } = await oidc().begin(who?.how === 'passkey' ? who.person.id : null);
    c.header('set-cookie', cookie(state, 600));
    c.header('cache-control', 'no-store');
    return c.redirect(location, 303);
  });
  app.get('/people/oidc/callback', async (c) => {
    const query = new URL(c.req.url).search;
    const { link, ...login } = await oidc().finish(query, cookieOf(c.req.raw, cookieName()));
    if (link !== null) {
      people.logins.link(login, link);
      return cleared(
        await cameBackPage('Linked', 'From now on your organisation’s sign-in is yours here too.', '/people/me'),
      );
    }
    const person = people.logins.personOf(login);
    if (person === undefined || !people.get(person)) {
      const code = people.logins.stranger(login);
      const text = `Nobody here has this login yet. Give this code to an operator, who links it to you: ${code}. It is good for 15 minutes.`;
      return cleared(await cameBackPage('Not known yet', text, null));
    }
    const page = await cameBackPage('Signed in', 'You are signed in.', '/people/me');
    page.headers.append(
      'set-cookie',
      sessions.begin(person, 'oidc', () => people.logins.personOf(login) === person),
    );
    return cleared(page);
  });
  return app;

  function cleared(page: Response): Response {
    page.headers.append('set-cookie', cookie('', 0));
    return page;
  }
}

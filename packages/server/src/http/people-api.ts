import { readSshPublicKeyLine, toBase64 } from '@deed/evidence';
import { Hono } from 'hono';
import { z } from 'zod';
import { ServerError } from '../errors.ts';
import { joinPage, mePage, signInPage } from '../pages/people-pages.ts';
import { Passkeys } from '../passkeys.ts';
import { body } from './body.ts';
import { code, invitationView } from './people-admin-api.ts';
import type { PublicDoor } from './public-door.ts';
import { requireSameOrigin } from './session.ts';

const response = z.looseObject({ id: z.string().min(1).max(2048), type: z.literal('public-key') });
const opened = z.strictObject({ code });
const withPasskey = z.strictObject({ code, response });
const withKey = z.strictObject({ code, line: z.string().min(1).max(4096) });
const signIn = z.strictObject({ response });

/** For people with a browser: to hand in a key on a code, to sign in and out. Who may, the code or the passkey says. */
export function peopleApi({ deployment, url, sessions }: PublicDoor): Hono {
  const { people } = deployment.authority;
  const { invitations } = people;
  const passkeys = new Passkeys(url);
  const app = new Hono();
  const posted = <T>(request: Request, shape: z.ZodType<T>) => {
    requireSameOrigin(request, url());
    return body(request, shape);
  };

  app.get('/people/join', () => joinPage());
  app.get('/people/sign-in', () => signInPage({ oidc: deployment.config.oidc !== undefined }));
  app.get('/people/me', async (c) => {
    const who = sessions.personOf(c.req.raw);
    return who ? mePage(who, { oidc: deployment.config.oidc !== undefined }) : c.redirect('/people/sign-in', 303);
  });

  app.post('/v1/join/open', async (c) => {
    const invited = invitations.open((await posted(c.req.raw, opened)).code);
    const options = await passkeys.creation(invited.person, invited.label);
    return c.json({ ...invitationView(invited), options });
  });
  app.post('/v1/join/passkey', async (c) => {
    const { code, response } = await posted(c.req.raw, withPasskey);
    invitations.open(code);
    const { key, passkey } = await passkeys.created(response);
    return c.json(invitationView(invitations.offer(code, key, passkey)), 201);
  });
  app.post('/v1/join/key', async (c) => {
    const { code, line } = await posted(c.req.raw, withKey);
    const key = { kind: 'sshsig', public: toBase64(readSshPublicKeyLine(line)) } as const;
    return c.json(invitationView(invitations.offer(code, key)), 201);
  });

  app.post('/v1/sign-in/options', async (c) => {
    requireSameOrigin(c.req.raw, url());
    return c.json(await passkeys.signIn());
  });
  app.post('/v1/sign-in', async (c) => {
    const { response } = await posted(c.req.raw, signIn);
    const person = await passkeys.signedIn(response, (credential) => people.passkey(credential));
    if (!people.get(person)) throw new ServerError('passkey', 'nobody here has this passkey');
    const isHis = () => people.passkey(response.id)?.person === person;
    c.header('set-cookie', sessions.begin(person, 'passkey', isHis));
    return c.json({ person, how: 'passkey' });
  });
  app.post('/v1/sign-out', (c) => {
    requireSameOrigin(c.req.raw, url());
    c.header('set-cookie', sessions.end(c.req.raw));
    return c.json({ signedOut: true });
  });
  app.get('/v1/me', (c) => {
    const who = sessions.personOf(c.req.raw);
    if (!who) throw new ServerError('signed-out', 'nobody is signed in: sign in at /people/sign-in');
    const { person, how, sinceMs } = who;
    return c.json({ person: person.id, roles: person.roles, how, since: new Date(sinceMs).toISOString() });
  });
  return app;
}

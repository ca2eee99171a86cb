import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { clientSecret, startProvider } from './support/identity-provider.ts';
import { joined, order, signIn } from './support/people.ts';
import { atLocalhost, Visitor } from './support/visitor.ts';
import { World } from './support/world.ts';

let world: World;
let url: string;
let provider: Awaited<ReturnType<typeof startProvider>>;
let oidc: { issuer: string; clientId: string; clientSecretFile: string };
beforeAll(async () => {
  vi.spyOn(console, 'info').mockImplementation(() => {}); // the provider tells that it is not made for production as it stands
  vi.spyOn(console, 'warn').mockImplementation(() => {});
  world = await World.begin({ listen: { host: '127.0.0.1', port: 0 } });
  url = atLocalhost(world);
  provider = await startProvider(`${url}/people/oidc/callback`);
  const clientSecretFile = join(world.base, 'client-secret');
  writeFileSync(clientSecretFile, `${clientSecret}\n`, { mode: 0o600 });
  oidc = { issuer: provider.issuer, clientId: 'deed', clientSecretFile };
  await world.post('/v1/people/oidc', { oidc });
});
afterAll(async () => {
  vi.restoreAllMocks();
  provider.close();
  await world.end();
});

const begin = async (visitor: Visitor) => (await visitor.get('/people/oidc')).headers.get('location') ?? '';
const signInAs = async (visitor: Visitor, name: string) =>
  visitor.get(await provider.signIn(await begin(visitor), name));
const refusal = ({ status, body }: { status: number; body: { title: string } }) => [status, body.title];
const codeIn = (text: string) => /code to an operator, who links it to you: ([\w-]{12})\./.exec(text)?.[1] ?? '';

test('who is known to the provider and not here is nobody, until an operator links the login', async () => {
  const visitor = new Visitor(url);
  const stranger = await signInAs(visitor, 'ada');
  expect(stranger.text).toContain('Not known yet');
  expect((await visitor.get('/v1/me')).status).toBe(401);
  const { person } = world.made;
  await world.post(`/v1/people/${person}/link`, { code: codeIn(stranger.text) });
  const known = await signInAs(visitor, 'ada');
  expect(known.headers.get('refresh')).toBe('0; url=/people/me');
  expect(known.headers.getSetCookie().join()).toMatch(/deed-session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict/);
  expect((await visitor.get('/v1/me')).body).toMatchObject({ person, how: 'oidc' });
  const again = await world.api('POST', `/v1/people/${person}/link`, { code: codeIn(stranger.text) });
  expect(again.body.title).toBe('code');
  expect((await signInAs(new Visitor(url), 'eve')).text).toContain('Not known yet');
});

test('who is signed in with a passkey links his own login, and nobody takes one that is linked', async () => {
  const grace = await joined(world, url, 'Grace');
  await signIn(url, grace.visitor, grace.passkey);
  expect((await signInAs(grace.visitor, 'grace')).text).toContain('Linked');
  const elsewhere = new Visitor(url);
  await signInAs(elsewhere, 'grace');
  expect((await elsewhere.get('/v1/me')).body).toMatchObject({ person: grace.person, how: 'oidc' });
  const mallory = await joined(world, url, 'Mallory');
  await signIn(url, mallory.visitor, mallory.passkey);
  expect(refusal(await signInAs(mallory.visitor, 'grace'))).toEqual([400, 'login']);
  // a session that the provider began links nothing: whoever runs the provider could have begun it
  expect((await signInAs(elsewhere, 'eve')).text).toContain('Not known yet');
  await order(world, grace.person, { kind: 'removed' });
  expect((await elsewhere.get('/v1/me')).status).toBe(401);
  expect((await signInAs(new Visitor(url), 'grace')).text).toContain('Not known yet');
});

test('a browser is sent with PKCE, state and nonce, and asks for nothing but the subject', async () => {
  const to = new URL(await begin(new Visitor(url)));
  expect(to.origin).toBe(provider.issuer);
  expect(Object.fromEntries(to.searchParams)).toMatchObject({
    response_type: 'code',
    scope: 'openid',
    code_challenge_method: 'S256',
    state: expect.stringMatching(/^[\w-]{43}$/),
    nonce: expect.stringMatching(/^[\w-]{43}$/),
    redirect_uri: `${url}/people/oidc/callback`,
  });
});

test('an answer counts once, and only in the browser that began', async () => {
  const visitor = new Visitor(url);
  const back = await provider.signIn(await begin(visitor), 'ada');
  expect(refusal(await new Visitor(url).get(back))).toEqual([403, 'oidc']);
  const other = new Visitor(url);
  await begin(other);
  expect(refusal(await other.get(back))).toEqual([403, 'oidc']);
  const held = visitor.cookie();
  expect((await visitor.get(back)).status).toBe(200);
  const replayed = await fetch(back, { headers: { cookie: held } });
  expect(replayed.status).toBe(403);
});

test('a code that was got for another sign-in, or that names another issuer, is not accepted', async () => {
  const eve = await provider.signIn(await begin(new Visitor(url)), 'eve');
  const visitor = new Visitor(url);
  const state = new URL(await begin(visitor)).searchParams.get('state') ?? '';
  const spliced = new URL(eve);
  spliced.searchParams.set('state', state);
  expect(refusal(await visitor.get(spliced.href))).toEqual([403, 'oidc']);
  const own = new Visitor(url);
  const mixed = new URL(await provider.signIn(await begin(own), 'ada'));
  mixed.searchParams.set('iss', 'https://elsewhere.example');
  expect(refusal(await own.get(mixed.href))).toEqual([403, 'oidc']);
});

test('a provider that calls itself by another name, or does not answer, signs nobody in', async () => {
  const { deployment } = world.serving;
  const { config } = deployment;
  for (const issuer of [`${provider.issuer}/realm`, 'http://localhost:1', 'http://id.example']) {
    deployment.config = { ...config, oidc: { ...oidc, issuer } };
    expect(refusal(await new Visitor(url).get('/people/oidc'))).toEqual([403, 'oidc']);
  }
  const { oidc: _, ...without } = config;
  deployment.config = without;
  expect(refusal(await new Visitor(url).get('/people/oidc'))).toEqual([404, 'not-found']);
  deployment.config = config;
});

test('the log has no subject and no issuer, and an erasure takes the login away', async () => {
  const { ledger } = world.serving.deployment;
  for (let index = 0; index < ledger.size; index++) {
    const payload = Buffer.from(ledger.entry(index)?.envelope.payload ?? []).toString();
    expect(payload).not.toMatch(/\bada\b|localhost:/);
  }
  const visitor = new Visitor(url);
  await signInAs(visitor, 'ada');
  expect((await visitor.get('/v1/me')).status).toBe(200);
  await world.post(`/v1/people/${world.made.person}/erase`);
  expect((await visitor.get('/v1/me')).status).toBe(401);
  expect((await signInAs(new Visitor(url), 'ada')).text).toContain('Not known yet');
});

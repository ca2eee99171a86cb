import { openPayload } from '@deed/evidence';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newP256, spkiOf } from '../src/index.ts';
import { Authenticator, notVerified } from './support/authenticator.ts';
import { joined, order, signIn } from './support/people.ts';
import { atLocalhost, Visitor } from './support/visitor.ts';
import { World } from './support/world.ts';

let world: World;
let url: string;
beforeAll(async () => {
  world = await World.begin({ listen: { host: '127.0.0.1', port: 0 } });
  url = atLocalhost(world);
});
afterAll(() => world.end());

const at = (challenge: string) => ({ origin: url, rpId: 'localhost', challenge });
const refusal = ({ status, body }: { status: number; body: { title: string } }) => [status, body.title];

async function invite(who: object = { label: 'Ada', roles: ['approver'] }) {
  const invitation = await world.post('/v1/people/invite', who);
  expect(invitation.url).toBe(`${url}/people/join#${invitation.code}`);
  return invitation as { code: string; person: string };
}

test('who was invited hands in a passkey, counts once an operator ordered it, signs in and out', async () => {
  const { code, person } = await invite();
  const visitor = new Visitor(url);
  const opened = (await visitor.post('/v1/join/open', { code })).body;
  expect(opened).toMatchObject({ person, label: 'Ada', roles: ['approver'], options: { attestation: 'none' } });
  expect(opened.options.authenticatorSelection).toMatchObject({
    userVerification: 'required',
    residentKey: 'preferred',
  });
  expect(opened.options.pubKeyCredParams).toEqual([{ alg: -7, type: 'public-key' }]);
  const passkey = new Authenticator();
  const made = await visitor.post('/v1/join/passkey', { code, response: passkey.create(at(opened.options.challenge)) });
  expect(made.body).toMatchObject({ passkey: { credential: passkey.id, backedUp: true } });
  expect(refusal((await signIn(url, visitor, passkey)).answer)).toEqual([403, 'passkey']);
  const { invited } = (await world.api('GET', '/v1/people')).body;
  expect(invited).toMatchObject([{ person, offered: { fingerprint: made.body.offered.fingerprint } }]);
  const { kind, public: key } = made.body.offered;
  expect([kind, key]).toEqual(['webauthn', passkey.public]);
  await order(world, person, { kind: 'enrolled', key: { kind, public: key }, roles: ['approver'] });
  const { answer } = await signIn(url, visitor, passkey);
  expect(answer.body).toEqual({ person, how: 'passkey' });
  expect(answer.headers.get('set-cookie')).toMatch(
    /^deed-session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=28800$/,
  );
  expect((await visitor.get('/v1/me')).body).toMatchObject({ person, roles: ['approver'], how: 'passkey' });
  expect((await visitor.get('/people/me')).text).toContain('Ada');
  const held = visitor.cookie();
  await visitor.post('/v1/sign-out');
  expect(refusal(await visitor.get('/v1/me'))).toEqual([401, 'signed-out']);
  const kept = await fetch(`${url}/v1/me`, { headers: { cookie: held } });
  expect(kept.status).toBe(401);
});

test('a passkey is not taken for another site, an old challenge, or an unverified user', async () => {
  const { code } = await invite();
  const visitor = new Visitor(url);
  const challenge = async () => (await visitor.post('/v1/join/open', { code })).body.options.challenge as string;
  const tried = async (over: object) => {
    const response = new Authenticator().create({ ...at(await challenge()), ...over });
    return refusal(await visitor.post('/v1/join/passkey', { code, response }));
  };
  expect(await tried({ origin: 'https://elsewhere.example' })).toEqual([403, 'passkey']);
  expect(await tried({ rpId: 'elsewhere.example' })).toEqual([403, 'passkey']);
  expect(await tried({ flags: notVerified })).toEqual([403, 'passkey']);
  expect(await tried({ challenge: 'AAAA' })).toEqual([403, 'passkey']);
  const good = new Authenticator().create(at(await challenge()));
  expect((await visitor.post('/v1/join/passkey', { code, response: good })).status).toBe(201);
  expect(refusal(await visitor.post('/v1/join/open', { code }))).toEqual([400, 'code']);
});

test('a sign-in serves once, for a verified user, and ends when the person is removed', async () => {
  const { person, passkey, visitor } = await joined(world, url, 'Grace');
  const { response, answer } = await signIn(url, visitor, passkey);
  expect(answer.status).toBe(200);
  expect(refusal(await visitor.post('/v1/sign-in', { response }))).toEqual([403, 'passkey']);
  expect(refusal((await signIn(url, visitor, passkey, notVerified)).answer)).toEqual([403, 'passkey']);
  expect(refusal((await signIn(url, visitor, new Authenticator())).answer)).toEqual([403, 'passkey']);
  expect((await visitor.get('/v1/me')).status).toBe(200);
  await order(world, person, { kind: 'removed' });
  expect((await visitor.get('/v1/me')).status).toBe(401);
  expect(refusal((await signIn(url, visitor, passkey)).answer)).toEqual([403, 'passkey']);
});

test('a passkey that only the database gives to somebody signs nobody in', async () => {
  const { ledger } = world.serving.deployment;
  const slipped = new Authenticator();
  ledger.database.transaction((tx) =>
    tx.run(
      'INSERT INTO person_passkey (credential, person, public, aaguid, backed_up, made_ms) VALUES (?, ?, ?, ?, 0, 0)',
      ...[slipped.id, world.made.person, slipped.public, 'x'],
    ),
  );
  expect(refusal((await signIn(url, new Visitor(url), slipped)).answer)).toEqual([403, 'passkey']);
});

test('what a page of another site sends is refused, and so is what says nothing of its origin', async () => {
  const visitor = new Visitor(url);
  const { code } = await invite();
  for (const headers of [
    { origin: 'https://elsewhere.example', 'sec-fetch-site': 'cross-site' },
    { origin: url, 'sec-fetch-site': 'same-site' },
    { origin: 'null' },
    {},
  ]) {
    for (const path of [
      '/v1/join/open',
      '/v1/join/passkey',
      '/v1/join/key',
      '/v1/sign-in',
      '/v1/sign-in/options',
      '/v1/sign-out',
    ])
      expect([path, ...refusal(await visitor.post(path, { code }, headers as never))]).toEqual([path, 403, 'origin']);
  }
});

test('a task that a signed-in operator opens says who he is and how he was authenticated; nobody else opens one', async () => {
  const { vault } = world.serving.deployment.authority;
  const agent = (await world.enrol()).id;
  const asked = { objective: 'Mend the typo', agent, allow: [{ server: 'fixture' }] };
  const { visitor, passkey, person } = await joined(world, url, 'Barbara');
  expect(refusal(await visitor.post('/v1/my/tasks', asked))).toEqual([401, 'signed-out']);
  await signIn(url, visitor, passkey);
  expect(refusal(await visitor.post('/v1/my/tasks', asked))).toEqual([403, 'forbidden']);
  await order(world, person, { kind: 'roles', roles: ['operator'] });
  const { task } = (await visitor.post('/v1/my/tasks', asked)).body;
  const principalOf = (id: string) => {
    const [opened] = world.of(id, 'task-opened');
    const name = opened?.body.principal.sha256 ?? '';
    return JSON.parse(Buffer.from(openPayload(vault.get(name), name).bytes).toString());
  };
  expect(principalOf(task)).toMatchObject({ kind: 'person', id: person, how: 'passkey' });
  const other = await world.worker();
  expect(principalOf(other.task)).toMatchObject({ id: 'owner', how: 'socket' });
  expect(refusal(await visitor.post(`/v1/my/tasks/${other.task}/close`))).toEqual([404, 'not-found']);
  expect(refusal(await visitor.post('/v1/my/tasks', asked, { origin: 'https://x.example' } as never))).toEqual([
    403,
    'origin',
  ]);
  expect(refusal(await visitor.post('/v1/my/tasks', { ...asked, principal: { id: 'x' } }))).toEqual([400, 'request']);
  await visitor.post(`/v1/my/tasks/${task}/close`);
  expect(world.of(task, 'task-closed')).toMatchObject([{ body: { reason: 'principal' } }]);
});

test('an SSH key is handed in by its line, and nothing that is none', async () => {
  const { code, person } = await invite({ label: 'Edsger', roles: ['auditor'] });
  const visitor = new Visitor(url);
  const wire = Buffer.concat([lengthed('ssh-ed25519'), lengthed(spkiOf(newP256()).subarray(-32))]);
  expect(refusal(await visitor.post('/v1/join/key', { code, line: 'ssh-rsa AAAA' }))).toEqual([400, 'key']);
  const { status, body } = await visitor.post('/v1/join/key', {
    code,
    line: `ssh-ed25519 ${wire.toString('base64')} e@x`,
  });
  expect([status, body.person, body.offered.kind]).toEqual([201, person, 'sshsig']);
});

test('a request from the network that is too long is not read', async () => {
  const visitor = new Visitor(url);
  const long = await visitor.post('/v1/join/key', { code: 'x', line: 'x'.repeat(300_000) });
  expect(refusal(long)).toEqual([413, 'request']);
});

test('no page names another origin, and each says that nothing of it is kept', async () => {
  const visitor = new Visitor(url);
  for (const path of ['/people/join', '/people/sign-in']) {
    const { headers } = await visitor.get(path);
    expect(headers.get('content-security-policy')).toMatch(/^default-src 'none'; script-src 'sha256-/);
    expect(headers.get('cache-control')).toBe('no-store');
  }
  expect((await visitor.get('/people/me')).headers.get('location')).toBe('/people/sign-in');
});

test('nothing of how people are called or sign in is in the log', async () => {
  const { ledger } = world.serving.deployment;
  for (let index = 0; index < ledger.size; index++) {
    const payload = Buffer.from(ledger.entry(index)?.envelope.payload ?? []).toString();
    expect(payload).not.toMatch(/Ada|Grace|Edsger/);
  }
});

test('an administration that nobody reaches over TCP stays so', async () => {
  const visitor = new Visitor(url);
  for (const path of ['/v1/people/invite', '/v1/people/orders', '/v1/people/oidc', '/v1/tools'])
    expect((await visitor.post(path, {})).status).toBe(404);
});

function lengthed(content: string | Uint8Array): Buffer {
  const bytes = Buffer.from(content as Uint8Array);
  const size = Buffer.alloc(4);
  size.writeUInt32BE(bytes.length);
  return Buffer.concat([size, bytes]);
}

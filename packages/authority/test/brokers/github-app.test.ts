import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sha256, toBase64, utf8 } from '@deed/evidence';
import { jwtVerify } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { githubAppBroker } from '../../src/brokers/github-app.ts';
import { FakeService } from './fake.ts';

const github = new FakeService();
const now = Date.UTC(2026, 10, 23, 12, 0, 0);
const token = 'ghs_16C7e42F292c6912E7710c838347Ae178B4a';
const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const keyFile = join(mkdtempSync(join(tmpdir(), 'deed-app-')), 'app.pem');
writeFileSync(keyFile, privateKey.export({ format: 'pem', type: 'pkcs1' }), { mode: 0o600 });
let apiUrl: string;

const broker = () =>
  githubAppBroker({
    ...{ name: 'hub', apiUrl, clientId: 'Iv1.0123456789abcdef', installation: 42, keyFile, now: () => now },
    ...{ permissions: { contents: 'write' }, servers: () => ['github'] },
  });
const mint = (targets: readonly string[] = ['acme/site', 'acme/docs']) =>
  broker().mint({ task: 'tsk', id: 'crd', targets, deadlineMs: now + 60_000 });
const created = (over: object = {}) => ({
  status: 201,
  body: JSON.stringify({
    ...{ token, expires_at: '2026-11-23T13:00:00Z', permissions: { contents: 'write', metadata: 'read' } },
    ...{ repository_selection: 'selected', repositories: [{ id: 1296269, full_name: 'acme/site' }] },
    ...over,
  }),
});
const said = (status: number, message: string, headers: Readonly<Record<string, string>> = {}) => ({
  status,
  headers,
  body: JSON.stringify({ message, documentation_url: 'https://docs.github.com/rest' }),
});

beforeAll(async () => {
  apiUrl = await github.start();
});
afterAll(() => github.stop());

test('a token for the repositories of the task and the permissions of the broker, asked for with the app’s own JWT', async () => {
  github.answer = () => created();
  expect(await mint()).toEqual({
    id: toBase64(sha256(utf8(token))),
    secret: { token },
    expiresMs: Date.UTC(2026, 10, 23, 13, 0, 0),
  });
  const { method, path, headers, body } = github.last();
  expect({ method, path }).toEqual({ method: 'POST', path: '/app/installations/42/access_tokens' });
  expect(JSON.parse(body)).toEqual({ repositories: ['site', 'docs'], permissions: { contents: 'write' } });
  expect(headers).toMatchObject({
    ...{ accept: 'application/vnd.github+json', 'x-github-api-version': '2022-11-28', 'user-agent': 'deed' },
    'content-type': 'application/json',
  });
  const jwt = headers.authorization?.replace(/^Bearer /, '') ?? '';
  const { payload, protectedHeader } = await jwtVerify(jwt, publicKey, { currentDate: new Date(now) });
  expect(protectedHeader).toEqual({ alg: 'RS256', typ: 'JWT' });
  expect(payload).toEqual({ iss: 'Iv1.0123456789abcdef', iat: now / 1000 - 60, exp: now / 1000 + 540 });
});

test('the allowed actions of its servers name the repositories; without one there is no token', () => {
  const git = { repositories: ['acme/site'], refs: ['refs/heads/main'] };
  const other = { repositories: ['acme/other'], refs: ['refs/heads/main'] };
  expect(
    broker().targets([
      { server: 'github', git },
      { server: 'git', git: other },
    ]),
  ).toEqual(['acme/site']);
  expect(broker().targets([{ server: 'github' }])).toEqual([]);
});

test.each([
  ['all repositories', { repository_selection: 'all' }],
  ['another permission', { permissions: { contents: 'write', secrets: 'write' } }],
  ['a higher permission', { permissions: { contents: 'admin' } }],
])('a token that came with %s is ended at once and not handed out', async (_what, over) => {
  github.answer = ({ method }) => (method === 'DELETE' ? { status: 204 } : created(over));
  await expect(mint()).rejects.toThrow(/may do more/);
  expect(github.last()).toMatchObject({ method: 'DELETE', path: '/installation/token' });
  expect(github.last().headers.authorization).toBe(`Bearer ${token}`);
});

test.each([[['acme/site', 'other/docs']], [['site']], [['acme/../site']], [['acme/site?x']]])(
  'repositories %j are asked of nobody',
  async (targets) => {
    const before = github.asked.length;
    await expect(mint(targets)).rejects.toMatchObject({ code: 'broker' });
    expect(github.asked).toHaveLength(before);
  },
);

test.each([
  [
    'a repository that the installation has not',
    said(422, 'There is at least one repository that does not exist'),
    /422: There is/,
  ],
  ['an app that was suspended', said(403, 'This installation has been suspended'), /suspended$/],
  [
    'a clock that is off',
    said(401, "'Expiration time' claim ('exp') is too far in the future", {
      date: new Date(now - 600_000).toUTCString(),
    }),
    /this clock is 600 s off theirs/,
  ],
  [
    'the primary limit',
    said(403, 'API rate limit exceeded', { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '1795435200' }),
    /open the task again at 2026-11-23T12:00:00/,
  ],
  [
    'a secondary limit',
    said(429, 'You have exceeded a secondary rate limit', { 'retry-after': '60' }),
    /again in 60 s/,
  ],
  ['no token', { status: 201, body: '{}' }, /no token/],
  ['a page in between', { status: 502, body: '<html>' }, /no reason that could be read/],
])('%s mints nothing and says why', async (_what, answer, why) => {
  github.answer = () => answer;
  await expect(mint()).rejects.toMatchObject({ message: expect.stringMatching(why) });
});

test('a token is revoked by itself; one that is gone already is revoked; one that was never seen cannot be', async () => {
  github.answer = () => ({ status: 204 });
  await broker().revoke('hash', { token });
  expect(github.last()).toMatchObject({ method: 'DELETE', path: '/installation/token' });
  github.answer = () => said(401, 'Bad credentials');
  await broker().revoke('hash', { token });
  github.answer = () => said(500, 'no');
  await expect(broker().revoke('hash', { token })).rejects.toMatchObject({ code: 'broker' });
  await expect(broker().revoke('crd', null)).rejects.toThrow(/within the hour/);
});

test('a probe lists what the token sees', async () => {
  github.answer = () => ({ status: 200, body: '{"total_count":0,"repositories":[]}' });
  expect(await broker().probe('hash', { token })).toMatchObject({ refused: false });
  expect(github.last()).toMatchObject({ method: 'GET', path: '/installation/repositories?per_page=1' });
  github.answer = () => said(401, 'Bad credentials');
  expect(await broker().probe('hash', { token })).toEqual({ refused: true, detail: 'Bad credentials' });
});

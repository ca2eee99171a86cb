import { toBase64Url, utf8 } from '@deed/evidence';
import { SignJWT } from 'jose';
import { expect, test } from 'vitest';
import { newP256, spkiOf } from '../../src/keys/p256.ts';
import { makeProof, readProof } from '../../src/tokens/proof.ts';
import { makeTaskToken, readTaskToken } from '../../src/tokens/task-token.ts';
import { testClock } from '../clock.ts';
import { refused } from '../refused.ts';

const origin = 'deed.local/test';
const clock = testClock();
const [server, agent] = [newP256(), newP256()];
const serverSpki = spkiOf(server);
const claims = {
  iss: origin,
  aud: origin,
  sub: 'per_x',
  act: { sub: 'spiffe://deed.local/agent/coder' },
  task: 'tsk_01KAP0VQX0DEEDDEEDDEEDDEED',
  epoch: 0,
  obj: '0'.repeat(64),
  cnf: { jkt: 'x'.repeat(43) },
  authorization_details: [{ type: 'deed-actions' as const, server: 'files' }],
  policy: '1'.repeat(64),
  grant: '2'.repeat(64),
};
const body = utf8('{"jsonrpc":"2.0"}');
const token = await makeTaskToken(server, claims, clock.now());
const readToken = (text: string, ms = clock.now(), of = origin) =>
  readTaskToken(text, { origin: of, key: serverSpki, nowMs: ms }).claims;
const read = (text: string, over: object = {}) =>
  readProof(text, { origin, key: spkiOf(agent), token, body, nowMs: clock.now(), ...over });

test('a task token is read back by its own deployment until it expires', async () => {
  expect(readToken(token)).toMatchObject(claims);
  expect(await refused(() => readToken(token, clock.now() + 301_000))).toBe('token-expired');
  expect(await refused(() => readToken(token, clock.now() - 60_000))).toBe('token-invalid');
  expect(await refused(() => readToken(token, clock.now(), 'deed.local/other'))).toBe('token-invalid');
});

test('a token by another key, of another type, algorithm or shape is refused', async () => {
  const sign = (header: object, extra: object = {}, key: Parameters<SignJWT['sign']>[0] = server) =>
    new SignJWT({ ...claims, jti: 'x'.repeat(22), iat: clock.now() / 1000, exp: clock.now() / 1000 + 60, ...extra })
      .setProtectedHeader({ alg: 'ES256', typ: 'deed-task+jwt', ...header })
      .sign(key);
  readToken(await sign({}));
  const none = `${toBase64Url(utf8('{"alg":"none","typ":"deed-task+jwt"}'))}.${token.split('.')[1]}.`;
  const hmac = await sign({ alg: 'HS256' }, {}, new Uint8Array(32));
  for (const bad of [
    await sign({}, {}, newP256()),
    await sign({ typ: 'wpt+jwt' }),
    await sign({ typ: 'JWT' }),
    await sign({ b64: true, crit: ['b64'] }),
    await sign({}, { exp: clock.now() / 1000 + 3600 }),
    await sign({}, { admin: true }),
    await sign({}, { pad: 'x'.repeat(20_000) }),
    none,
    hmac,
    'x',
    '',
  ])
    expect(await refused(() => readToken(bad))).toBe('token-invalid');
});

test('a proof holds for its token, its body and its key, and for no other', async () => {
  const proof = await makeProof(agent, token, body, clock);
  expect(read(proof)).toMatchObject({ aud: origin });
  expect(await refused(() => read(proof, { body: utf8('{"jsonrpc":"2.1"}') }))).toBe('proof-body');
  expect(await refused(() => read(proof, { token: `${token}x` }))).toBe('proof-invalid');
  expect(await refused(() => read(proof, { key: spkiOf(newP256()) }))).toBe('proof-invalid');
  expect(await refused(() => read(proof, { origin: 'deed.local/other' }))).toBe('proof-invalid');
  expect(await refused(() => read(token))).toBe('proof-invalid');
});

test('a proof lives a minute and cannot be made for later', async () => {
  const proof = await makeProof(agent, token, body, clock);
  expect(await refused(() => read(proof, { nowMs: clock.now() + 60_000 }))).toBe('proof-expired');
  expect(await refused(() => read(proof, { nowMs: clock.now() - 10_000 }))).toBe('proof-invalid');
  const long = await new SignJWT({ ...read(proof), exp: clock.now() / 1000 + 600 })
    .setProtectedHeader({ alg: 'ES256', typ: 'wpt+jwt' })
    .sign(agent);
  expect(await refused(() => read(long))).toBe('proof-invalid');
});

test('claims with a key twice are refused, although a lenient reader would take one of them', async () => {
  const header = toBase64Url(utf8('{"alg":"ES256","typ":"wpt+jwt"}'));
  const double = toBase64Url(utf8('{"aud":"a","aud":"b"}'));
  expect(await refused(() => read(`${header}.${double}.${'A'.repeat(86)}`))).toBe('proof-invalid');
});

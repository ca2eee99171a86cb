import { parseJwt, sha256, toBase64Url, utf8 } from '@deed/evidence';
import { decodeJwt, decodeProtectedHeader, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Issuer } from '../../../../examples/issuer/issuer.ts';
import type { Enrolled } from '../../src/identity/enrol.ts';
import { makeWorkloadProof } from '../../src/identity/proof.ts';
import { readServerKeys } from '../../src/keys/key-folder.ts';
import { newP256 } from '../../src/keys/p256.ts';
import { makeAssertion, makeProof } from '../../src/tokens/proof.ts';
import { refused } from '../refused.ts';
import { World } from '../world.ts';
import { audience, enrolBy, jobClaims, rulesFor, trust } from './world.ts';

let world: World;
let issuer: Issuer;
let caller: Enrolled & { readonly key: ReturnType<typeof newP256> };
const url = `${audience}/v1/whoami`;
beforeAll(async () => {
  world = await World.begin();
  issuer = await Issuer.start('ES256');
  await trust(world, [rulesFor(issuer.url).githubActions]);
  caller = await enrolBy(world, issuer.token(jobClaims(world, issuer)));
});
afterAll(async () => {
  await world.end();
  await issuer.close();
});

type Sent = Readonly<Record<string, string>>;
function request(headers: Sent, body: Uint8Array = new Uint8Array(), accessToken?: string) {
  return {
    header: (name: string) => headers[name],
    ...{ audiences: [url], body },
    ...(accessToken === undefined ? {} : { accessToken }),
  };
}
const proved = async (over: Partial<Parameters<typeof makeWorkloadProof>[1]> = {}, key = caller.key) =>
  makeWorkloadProof(key, { wit: caller.wit, url, ...over }, world.clock);
const both = (proof: string, wit = caller.wit): Sent => ({
  'workload-identity-token': wit,
  'workload-proof-token': proof,
});
const verify = (headers: Sent, body?: Uint8Array, token?: string) =>
  world.authority.workloads.verify(request(headers, body, token));
const signed = (typ: string, claims: object, key = caller.key) =>
  new SignJWT({ ...claims }).setProtectedHeader({ alg: 'ES256', typ }).sign(key);

test('an identity token is of the WIMSE draft: typ, kid, subject, at most an hour, bound to the key', () => {
  expect(decodeProtectedHeader(caller.wit)).toMatchObject({ alg: 'ES256', typ: 'wit+jwt', kid: expect.any(String) });
  const { sub, iss, cnf, exp = 0, iat = 0, jti } = decodeJwt<{ cnf: { jwk: object } }>(caller.wit);
  expect({ sub, iss }).toEqual({ sub: caller.agent.spiffe, iss: world.init.origin });
  expect(cnf.jwk).toMatchObject({ kty: 'EC', crv: 'P-256', alg: 'ES256' });
  expect(exp - iat).toBe(3600);
  expect(jti).toMatch(/^.{22}$/);
  expect(parseJwt(caller.wit, 'wit+jwt').verify(readServerKeys(world.dir).token.spki)).toBe(true);
});

test('its holder is known by it and a proof for this very request, in either header of the drafts', async () => {
  expect(verify(both(await proved())).agent.id).toBe(caller.agent.id);
  const scheme = { 'workload-identity-token': caller.wit, authorization: `WPT ${await proved()}` };
  expect(verify(scheme).agent.id).toBe(caller.agent.id);
  const body = utf8('{"a":1}');
  expect(verify(both(await proved({ body })), body).agent.id).toBe(caller.agent.id);
  expect(verify(both(await proved({ accessToken: 't' })), undefined, 't').agent.id).toBe(caller.agent.id);
  expect(await refused(async () => verify({ ...both(await proved()), authorization: `WPT ${await proved()}` }))).toBe(
    'proof-invalid',
  );
});

describe('nobody is known by', () => {
  const cases: Record<string, readonly [() => Promise<unknown>, string]> = {
    'an identity token alone': [async () => verify({ 'workload-identity-token': caller.wit }), 'proof-invalid'],
    'a proof alone': [async () => verify({ 'workload-proof-token': await proved() }), 'wit-invalid'],
    'a proof by another key': [async () => verify(both(await proved({}, newP256()))), 'proof-invalid'],
    'a proof for another address': [
      async () => verify(both(await proved({ url: `${audience}/v1/wit` }))),
      'proof-invalid',
    ],
    'a proof for another identity token': [async () => verify(both(await proved({ wit: 'another' }))), 'proof-invalid'],
    'a proof for another body': [async () => verify(both(await proved({ body: utf8('a') })), utf8('b')), 'proof-body'],
    'a proof that says nothing of the body': [async () => verify(both(await proved()), utf8('b')), 'proof-body'],
    'a proof without the access token that came with it': [
      async () => verify(both(await proved()), undefined, 't'),
      'proof-invalid',
    ],
    'a proof that lives for an hour': [
      async () => {
        const { aud, wth } = decodeJwt<{ wth: string }>(await proved());
        const iat = Math.floor(world.clock.now() / 1000);
        return verify(both(await signed('wpt+jwt', { aud, wth, jti: 'j'.repeat(22), iat, exp: iat + 3600 })));
      },
      'proof-invalid',
    ],
    'a proof with tokens in it that nobody here understands': [
      async () => {
        const { aud, wth } = decodeJwt<{ wth: string }>(await proved());
        const exp = Math.floor(world.clock.now() / 1000) + 30;
        return verify(both(await signed('wpt+jwt', { aud, wth, jti: 'k'.repeat(22), exp, oth: { x: 'y' } })));
      },
      'proof-invalid',
    ],
    'an identity token that he made himself': [
      async () => {
        const wit = await signed('wit+jwt', decodeJwt(caller.wit));
        return verify(both(await proved({ wit }), wit));
      },
      'wit-invalid',
    ],
    'two identity tokens': [async () => verify(both(await proved(), `${caller.wit}, ${caller.wit}`)), 'wit-invalid'],
  };
  for (const [what, [attempt, code]] of Object.entries(cases)) {
    test(what, async () => expect(await refused(attempt)).toBe(code));
  }

  test('a proof that was used before', async () => {
    const headers = both(await proved());
    verify(headers);
    expect(await refused(() => verify(headers))).toBe('proof-replayed');
  });
});

test('no token or proof of ours passes for one of another kind', async () => {
  const { key, agent } = await world.enrol();
  const task = await world.task(agent.id);
  const of = { spiffe: agent.spiffe, origin: world.init.origin, task: task.id };
  const { token } = await world.token(key, agent, task.id);
  const body = utf8('{}');
  const kinds = {
    wit: (await world.authority.workloads.wits.issue(agent.id)).wit,
    token,
    assertion: await makeAssertion(key, of, world.clock),
    proof: await makeProof(key, token, body, world.clock),
    workload: issuer.token(jobClaims(world, issuer)),
  };
  const { wit } = kinds;
  const wpt = await makeWorkloadProof(key, { wit, url }, world.clock);
  const { tokens, actions } = world.authority;
  for (const [name, text] of Object.entries({ ...kinds, wpt })) {
    if (name !== 'wit') expect(await refused(() => verify(both(wpt, text))), name).toBe('wit-invalid');
    if (name !== 'wpt') expect(await refused(() => verify(both(text, wit))), name).toBe('proof-invalid');
    if (name !== 'assertion') expect(await refused(() => tokens.issue(task.id, text)), name).toBe('assertion-invalid');
    if (name !== 'token')
      expect(await refused(() => actions.admit({ kind: 'token', token: text, proof: kinds.proof, body })), name).toBe(
        'token-invalid',
      );
    if (name !== 'proof')
      expect(await refused(() => actions.admit({ kind: 'token', token, proof: text, body })), name).toBe(
        'proof-invalid',
      );
    if (name !== 'workload') expect(await refused(() => enrolBy(world, text)), name).toBe('workload-token');
  }
});

test('an identity token is renewed by proof while it lives; who enrolled by a code may come later, who came by a workload token enrols again', async () => {
  const { workloads } = world.authority;
  const renew = async (wit: string, key = caller.key) =>
    workloads.renew(request(both(await makeWorkloadProof(key, { wit, url }, world.clock), wit)));
  world.clock.advance(3_500_000);
  const next = await renew(caller.wit);
  expect(next.agent.id).toBe(caller.agent.id);
  expect(next.expiresMs - world.clock.now()).toBeGreaterThan(3_500_000);
  const { key, agent } = await world.enrol();
  const { wit } = await workloads.wits.issue(agent.id);
  world.clock.advance(3_700_000);
  expect(await refused(() => renew(next.wit))).toBe('wit-expired');
  expect(await refused(async () => verify(both(await makeWorkloadProof(key, { wit, url }, world.clock), wit)))).toBe(
    'wit-expired',
  );
  expect((await renew(wit, key)).agent.id).toBe(agent.id);
});

test('the hash of a token is that of its characters', async () => {
  expect(decodeJwt<{ wth: string }>(await proved()).wth).toBe(toBase64Url(sha256(utf8(caller.wit))));
});

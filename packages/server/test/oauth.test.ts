import { type KeyObject, webcrypto } from 'node:crypto';
import { jwkThumbprint } from '@deed/evidence';
import { SignJWT } from 'jose';
import * as oauth from 'oauth4webapi';
import * as openid from 'openid-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeAssertion, spkiOf, systemClock } from '../src/index.ts';
import { type Agent, World } from './support/world.ts';

const exchange = 'urn:ietf:params:oauth:grant-type:token-exchange';
const jwt = 'urn:ietf:params:oauth:token-type:jwt';
const allow = [{ server: 'fixture', tools: ['echo', 'write'], maxCount: 5 }];

let world: World;
let agent: Agent;
let url: string;
beforeAll(async () => {
  world = await World.begin({ listen: { host: '127.0.0.1', port: 0 } });
  agent = await world.enrol();
  url = world.serving.url ?? '';
});
afterAll(() => world.end());

const closed = (task: string) => world.post(`/v1/tasks/${task}/close`, { reason: 'principal' });
const opened = async () => (await world.worker(allow, agent)).task;
const assertionOf = (task: string, by = agent) =>
  makeAssertion(by.key, { spiffe: by.spiffe, origin: world.made.origin, task }, systemClock);

function webKey(key: KeyObject): Promise<webcrypto.CryptoKey> {
  const pkcs8 = key.export({ format: 'der', type: 'pkcs8' });
  return webcrypto.subtle.importKey('pkcs8', pkcs8, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']);
}

/** A client assertion (RFC 7523), made with nothing of ours. */
function clientAssertion(by: Agent, over: object = {}, header: object = {}): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: by.id, sub: by.id, aud: url, jti: crypto.randomUUID(), iat: now, exp: now + 60, ...over };
  return new SignJWT(claims).setProtectedHeader({ alg: 'ES256', ...header }).sign(by.key);
}

async function post(path: string, fields: Record<string, string>, by: Agent = agent) {
  const client = {
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: await clientAssertion(by),
  };
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    body: new URLSearchParams({ ...client, ...fields }),
  });
  // biome-ignore lint/suspicious/noExplicitAny: an answer, whatever it is
  return { status: response.status, body: (await response.json()) as any };
}

const asked = async (task: string, over: Record<string, string> = {}) => ({
  ...{ grant_type: exchange, subject_token_type: jwt, subject_token: await assertionOf(task) },
  ...over,
});

describe('clients that others wrote', () => {
  test('oauth4webapi finds the endpoints, exchanges an assertion for a task token and introspects it', async () => {
    const insecure = { [oauth.allowInsecureRequests]: true };
    const found = await oauth.discoveryRequest(new URL(url), { algorithm: 'oauth2', ...insecure });
    const as = await oauth.processDiscoveryResponse(new URL(url), found);
    const client = { client_id: agent.id };
    const auth = oauth.PrivateKeyJwt(await webKey(agent.key));
    const task = await opened();
    const parameters = new URLSearchParams({ subject_token: await assertionOf(task), subject_token_type: jwt });
    const response = await oauth.genericTokenEndpointRequest(as, client, auth, exchange, parameters, insecure);
    const recognizedTokenTypes = { n_a: () => {} };
    const issued = await oauth.processGenericTokenEndpointResponse(as, client, response, { recognizedTokenTypes });
    expect(issued).toMatchObject({ token_type: 'n_a', issued_token_type: jwt });
    expect(issued.expires_in).toBeLessThanOrEqual(300);
    const introspect = async () => {
      const answer = await oauth.introspectionRequest(as, client, auth, issued.access_token, insecure);
      return oauth.processIntrospectionResponse(as, client, answer);
    };
    expect(await introspect()).toMatchObject({ active: true, task, client_id: agent.id });
    await closed(task);
    expect(await introspect()).toEqual({ active: false });
  });

  test('openid-client does the same', async () => {
    const key = { key: await webKey(agent.key) };
    const options: openid.DiscoveryRequestOptions = { algorithm: 'oauth2', execute: [openid.allowInsecureRequests] };
    const config = await openid.discovery(new URL(url), agent.id, undefined, openid.PrivateKeyJwt(key), options);
    const task = await opened();
    const details = JSON.stringify([{ type: 'deed-actions', server: 'fixture', tools: ['echo'], maxCount: 1 }]);
    const issued = await openid.genericGrantRequest(config, exchange, {
      ...{ subject_token: await assertionOf(task), subject_token_type: jwt, authorization_details: details },
    });
    expect(issued).toMatchObject({ token_type: 'n_a', authorization_details: JSON.parse(details) });
    const introspected = await openid.tokenIntrospection(config, issued.access_token);
    expect(introspected).toMatchObject({ active: true, cnf: { jkt: jwkThumbprint(spkiOf(agent.key)) }, task });
    await closed(task);
    expect(await openid.tokenIntrospection(config, issued.access_token)).toEqual({ active: false });
  });
});

describe('the token endpoint', () => {
  test('gives a token that the agent then acts with', async () => {
    const task = await opened();
    const { status, body } = await post('/oauth/token', await asked(task));
    expect(status).toBe(200);
    expect(body.authorization_details).toEqual(allow.map((entry) => ({ type: 'deed-actions', ...entry })));
    const keys = (await (await fetch(`${url}/oauth/jwks`)).json()) as { keys: { kid: string }[] };
    expect(keys.keys).toHaveLength(1);
  });

  test('narrows what the task allows on demand, and never widens it', async () => {
    const task = await opened();
    const details = (entries: object[]) => JSON.stringify(entries.map((entry) => ({ type: 'deed-actions', ...entry })));
    const less = await post(
      '/oauth/token',
      await asked(task, { authorization_details: details([{ server: 'fixture', tools: ['echo'], maxCount: 2 }]) }),
    );
    expect(less.status).toBe(200);
    for (const more of [
      [{ server: 'fixture' }],
      [{ server: 'fixture', tools: ['echo'] }],
      [{ server: 'fixture', tools: ['echo', 'fail'], maxCount: 5 }],
      [{ server: 'other', tools: ['echo'], maxCount: 5 }],
    ]) {
      const answer = await post('/oauth/token', await asked(task, { authorization_details: details(more) }));
      expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_authorization_details' } });
    }
    const other = await asked(task, {
      authorization_details: JSON.stringify([{ type: 'payment', server: 'fixture' }]),
    });
    expect((await post('/oauth/token', other)).body.error).toBe('invalid_authorization_details');
  });

  test('says in the words of OAuth why it gives none', async () => {
    const task = await opened();
    const stranger = await world.enrol();
    const used = await asked(task);
    expect((await post('/oauth/token', used)).status).toBe(200);
    const cases: readonly (readonly [Record<string, string>, string])[] = [
      [used, 'invalid_request'],
      [await asked(task, { grant_type: 'client_credentials' }), 'unsupported_grant_type'],
      [await asked(task, { audience: 'https://elsewhere.example' }), 'invalid_target'],
      [await asked(task, { subject_token_type: 'urn:ietf:params:oauth:token-type:saml2' }), 'invalid_request'],
      [await asked(task, { subject_token: 'x' }), 'invalid_request'],
      [await asked(task, { actor_token: 'x' }), 'invalid_request'],
      [await asked(task, { subject_token: await assertionOf(task, stranger) }), 'invalid_request'],
      [await asked('tsk_none'), 'invalid_request'],
      [await asked(task, { client_assertion: 'x' }), 'invalid_client'],
      [await asked(task, { client_assertion: await clientAssertion(stranger) }), 'invalid_request'],
      [await asked(task, { client_id: stranger.id }), 'invalid_client'],
      [
        await asked(task, { client_assertion: await clientAssertion(agent, { aud: 'https://e.example' }) }),
        'invalid_client',
      ],
      [await asked(task, { client_assertion: await clientAssertion(agent, { exp: 1 }) }), 'invalid_client'],
      [await asked(task, { client_assertion: await clientAssertion(agent, {}, { typ: 'wpt+jwt' }) }), 'invalid_client'],
      [await asked(task, { client_assertion_type: 'none' }), 'invalid_client'],
    ];
    for (const [fields, error] of cases) {
      const answer = await post('/oauth/token', fields);
      expect(answer.body, JSON.stringify(fields)).toMatchObject({ error });
      expect(answer.status).toBe(error === 'invalid_client' ? 401 : 400);
    }
    await closed(task);
    expect((await post('/oauth/token', await asked(task))).body.error).toBe('invalid_request');
  });

  test('takes a client assertion once, and a form with each parameter once', async () => {
    const task = await opened();
    const client_assertion = await clientAssertion(agent);
    expect((await post('/oauth/token', await asked(task, { client_assertion }))).status).toBe(200);
    expect((await post('/oauth/token', await asked(task, { client_assertion }))).body.error).toBe('invalid_client');
    const twice = await fetch(`${url}/oauth/token`, { method: 'POST', body: new URLSearchParams('a=1&a=2') });
    expect(await twice.json()).toMatchObject({ error: 'invalid_request' });
    const json = await fetch(`${url}/oauth/token`, {
      method: 'POST',
      body: '{}',
      headers: { 'content-type': 'application/json' },
    });
    expect(await json.json()).toMatchObject({ error: 'invalid_request' });
  });
});

describe('introspection', () => {
  test('says of a token of another agent no more than of a dead one', async () => {
    const task = await opened();
    const { body } = await post('/oauth/token', await asked(task));
    const other = await world.enrol();
    for (const token of [body.access_token, 'x', await assertionOf(task)]) {
      expect((await post('/oauth/introspect', { token }, other)).body).toEqual({ active: false });
    }
    expect((await post('/oauth/introspect', { token: body.access_token })).body.active).toBe(true);
    expect((await post('/oauth/introspect', {})).body.error).toBe('invalid_request');
  });
});

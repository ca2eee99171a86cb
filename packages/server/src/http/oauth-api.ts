import { AuthorityError, maxTokenSeconds } from '@deed/authority';
import { EvidenceError, jwkOf, parseAllow, parseStrictJson } from '@deed/evidence';
import { type Context, Hono } from 'hono';
import type { PublicDoor } from './public-door.ts';

const exchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange';
const jwtBearer = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const jwtType = 'urn:ietf:params:oauth:token-type:jwt';
const detailsType = 'deed-actions';
const maxFormBytes = 64 * 1024;

type OAuthErrorCode =
  | 'invalid_request'
  | 'invalid_client'
  | 'invalid_target'
  | 'invalid_authorization_details'
  | 'unsupported_grant_type';

/** RFC 6749 section 5.2: what a client of the token endpoint is told. */
class OAuthError extends Error {
  readonly code: OAuthErrorCode;
  constructor(code: OAuthErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * The token endpoint of a deployment: task tokens by RFC 8693, introspection (RFC 7662) and metadata (RFC 8414). Clients are the
 * agents; each shows by its enrolled key who it is (docs/formats/token.md).
 */
export function oauthApi({ deployment, url }: PublicDoor): Hono {
  const { authority, ledger } = deployment;
  const app = new Hono();
  const endpoints = () => ({ token: `${url()}/oauth/token`, introspection: `${url()}/oauth/introspect` });
  const client = (form: Form) => clientOf(deployment.authority, form, [url(), ...Object.values(endpoints())]);

  app.get('/.well-known/oauth-authorization-server', (c) => {
    const auth = { methods: ['private_key_jwt'], algorithms: ['ES256'] };
    return c.json({
      issuer: url(),
      token_endpoint: endpoints().token,
      introspection_endpoint: endpoints().introspection,
      jwks_uri: `${url()}/oauth/jwks`,
      response_types_supported: [],
      grant_types_supported: [exchangeGrant],
      token_endpoint_auth_methods_supported: auth.methods,
      token_endpoint_auth_signing_alg_values_supported: auth.algorithms,
      introspection_endpoint_auth_methods_supported: auth.methods,
      introspection_endpoint_auth_signing_alg_values_supported: auth.algorithms,
      authorization_details_types_supported: [detailsType],
      deed_origin: ledger.origin,
    });
  });

  app.get('/oauth/jwks', (c) => c.json({ keys: [{ ...jwkOf(authority.tokens.key), use: 'sig', alg: 'ES256' }] }));

  app.post('/oauth/token', (c) =>
    answering(c, async () => {
      const form = await formOf(c.req.raw);
      if (form.get('grant_type') !== exchangeGrant)
        throw new OAuthError('unsupported_grant_type', `only ${exchangeGrant} is offered`);
      const agent = client(form);
      for (const name of ['audience', 'resource']) {
        const asked = form.get(name);
        if (asked !== undefined && asked !== url() && asked !== ledger.origin)
          throw new OAuthError('invalid_target', `tokens are for ${ledger.origin} alone`);
      }
      if (form.get('subject_token_type') !== jwtType || (form.get('requested_token_type') ?? jwtType) !== jwtType)
        throw new OAuthError('invalid_request', `subject_token_type and requested_token_type are ${jwtType}`);
      for (const name of ['actor_token', 'scope'])
        if (form.has(name)) throw new OAuthError('invalid_request', `${name} is not accepted here`);
      const assertion = required(form, 'subject_token');
      const allow = detailsOf(form);
      const issued = await authority.tokens
        .issue(taskOf(assertion), assertion, { client: agent.id, ...(allow ? { allow } : {}) })
        .catch((error: unknown) => {
          if (!(error instanceof AuthorityError)) throw error;
          // RFC 8693 section 2.2.2: a subject token that is not accepted makes the request invalid.
          const code = error.code === 'outside-grant' ? 'invalid_authorization_details' : 'invalid_request';
          throw new OAuthError(code, error.message);
        });
      return {
        access_token: issued.token,
        issued_token_type: jwtType,
        // Not for use as a bearer token: each message needs a proof beside it (RFC 8693 section 2.2.1).
        token_type: 'N_A',
        expires_in: Math.max(0, Math.min(maxTokenSeconds, Math.floor((issued.expiresMs - Date.now()) / 1000))),
        authorization_details: issued.allow.map((entry) => ({ type: detailsType, ...entry })),
        nonce: issued.nonce,
        nonce_expires_in: Math.max(0, Math.floor((issued.nonceExpiresMs - Date.now()) / 1000)),
      };
    }),
  );

  app.post('/oauth/introspect', (c) =>
    answering(c, async () => {
      const form = await formOf(c.req.raw);
      const agent = client(form);
      const live = authority.clients.introspect(required(form, 'token'));
      // Of tokens of others no more is said than of those that are dead (RFC 7662 section 2.2).
      if (live?.agent !== agent.id) return { active: false };
      const { claims } = live;
      return { active: true, client_id: live.agent, token_type: 'N_A', ...claims };
    }),
  );
  return app;
}

type Form = ReadonlyMap<string, string>;

async function answering(c: Context, answer: () => Promise<object>): Promise<Response> {
  c.header('cache-control', 'no-store');
  try {
    return c.json(await answer());
  } catch (error) {
    if (!(error instanceof OAuthError)) throw error;
    const status = error.code === 'invalid_client' ? 401 : 400;
    return c.json({ error: error.code, error_description: plain(error.message) }, status);
  }
}

/** RFC 6749 section 5.2 admits printable ASCII without quotation mark and backslash. */
function plain(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]|["\\]/g, '?');
}

async function formOf(request: Request): Promise<Form> {
  const type = request.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/x-www-form-urlencoded')
    throw new OAuthError('invalid_request', 'the request is a form: application/x-www-form-urlencoded');
  const text = await request.text();
  if (text.length > maxFormBytes) throw new OAuthError('invalid_request', `more than ${maxFormBytes} bytes`);
  const form = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(text)) {
    if (form.has(name)) throw new OAuthError('invalid_request', 'a parameter stands there twice');
    form.set(name, value);
  }
  return form;
}

function required(form: Form, name: string): string {
  const value = form.get(name);
  if (!value) throw new OAuthError('invalid_request', `${name} is missing`);
  return value;
}

function clientOf({ clients }: PublicDoor['deployment']['authority'], form: Form, audience: readonly string[]) {
  if (form.get('client_assertion_type') !== jwtBearer)
    throw new OAuthError('invalid_client', `a client shows who it is by a client_assertion of type ${jwtBearer}`);
  try {
    return clients.authenticate(required(form, 'client_assertion'), form.get('client_id') ?? null, audience);
  } catch (error) {
    if (error instanceof AuthorityError) throw new OAuthError('invalid_client', error.message);
    throw error;
  }
}

/** The task that an assertion names, before anything of it is believed. */
function taskOf(assertion: string): string {
  try {
    const claims = parseStrictJson(Buffer.from(assertion.split('.')[1] ?? '', 'base64url')).value;
    const task = typeof claims === 'object' && claims !== null && 'task' in claims ? claims.task : undefined;
    if (typeof task === 'string') return task;
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
  }
  throw new OAuthError('invalid_request', 'the subject_token is no assertion for a task');
}

function detailsOf(form: Form) {
  const text = form.get('authorization_details');
  if (text === undefined) return null;
  try {
    const details = parseStrictJson(text).value;
    if (!Array.isArray(details)) throw new EvidenceError('json', 'not a list');
    return parseAllow(
      details.map((each) => {
        const { type, ...entry } = (typeof each === 'object' && each !== null ? each : {}) as Record<string, unknown>;
        if (type !== detailsType) throw new EvidenceError('statement', `only the type ${detailsType} is known`);
        return entry;
      }),
    );
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    throw new OAuthError('invalid_authorization_details', error.message);
  }
}

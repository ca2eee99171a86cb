import { readFileSync } from 'node:fs';
import * as client from 'openid-client';
import type { OidcConfig } from './config.ts';
import { ServerError } from './errors.ts';

const pendingMs = 10 * 60_000;
const mostPending = 10_000;

/** Somebody as a provider knows him. */
export interface Subject {
  readonly issuer: string;
  readonly subject: string;
}

interface Pending {
  readonly verifier: string;
  readonly nonce: string;
  /** The person who is signed in already and links this login to himself. */
  readonly link: string | null;
  readonly untilMs: number;
}

/**
 * Sign-in at an OpenID provider: authorization code with PKCE, state and nonce (OpenID Connect Core section 3.1, RFC 7636,
 * RFC 9207). The issuer is the one of the configuration and no other; what the provider says beside `sub` is not asked for.
 */
export class Oidc {
  private readonly config: OidcConfig;
  private readonly redirect: string;
  private discovered: Promise<client.Configuration> | undefined;
  private readonly pending = new Map<string, Pending>();

  constructor(config: OidcConfig, url: string) {
    this.config = config;
    this.redirect = `${url}/people/oidc/callback`;
  }

  /** Where to send a browser, and the state that it has to bring back. @throws ServerError oidc */
  async begin(link: string | null, nowMs = Date.now()): Promise<{ readonly location: string; readonly state: string }> {
    const provider = await this.provider();
    const [verifier, state, nonce] = [client.randomPKCECodeVerifier(), client.randomState(), client.randomNonce()];
    for (const [old, { untilMs }] of this.pending) if (untilMs <= nowMs) this.pending.delete(old);
    if (this.pending.size >= mostPending) this.pending.delete(this.pending.keys().next().value ?? '');
    this.pending.set(state, { verifier, nonce, link, untilMs: nowMs + pendingMs });
    const to = client.buildAuthorizationUrl(provider, {
      redirect_uri: this.redirect,
      scope: 'openid',
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
      nonce,
    });
    return { location: to.href, state };
  }

  /**
   * Takes a browser that came back. `state`: what it was given at the beginning, by its own cookie.
   * @throws ServerError oidc (another browser, too late, or what the provider says does not hold)
   */
  async finish(
    query: string,
    state: string | null,
    nowMs = Date.now(),
  ): Promise<Subject & { readonly link: string | null }> {
    const pending = this.pending.get(state ?? '');
    if (state === null || !pending || pending.untilMs <= nowMs)
      throw new ServerError('oidc', 'this sign-in was not begun in this browser, or too long ago: begin again');
    this.pending.delete(state);
    const provider = await this.provider();
    try {
      const tokens = await client.authorizationCodeGrant(provider, new URL(`${this.redirect}${query}`), {
        pkceCodeVerifier: pending.verifier,
        expectedState: state,
        expectedNonce: pending.nonce,
        idTokenExpected: true,
      });
      const claims = tokens.claims();
      if (!claims || claims.iss !== this.config.issuer) throw new Error('the token is of another issuer');
      return { issuer: claims.iss, subject: claims.sub, link: pending.link };
    } catch (cause) {
      throw new ServerError('oidc', `the provider's answer is not accepted: ${(cause as Error).message}`, { cause });
    }
  }

  private async provider(): Promise<client.Configuration> {
    this.discovered ??= discover(this.config);
    try {
      return await this.discovered;
    } catch (cause) {
      this.discovered = undefined; // it may be there the next time
      throw new ServerError('oidc', `the provider ${this.config.issuer} cannot be read: ${(cause as Error).message}`, {
        cause,
      });
    }
  }
}

async function discover({ issuer, clientId, clientSecretFile }: OidcConfig): Promise<client.Configuration> {
  const secret = readFileSync(clientSecretFile, 'utf8').trim();
  const url = new URL(issuer);
  const execute = isLoopback(url) ? [client.allowInsecureRequests] : [];
  if (url.protocol !== 'https:' && !isLoopback(url)) throw new Error('a provider is spoken to over https');
  const found = await client.discovery(url, clientId, undefined, client.ClientSecretBasic(secret), {
    execute,
    timeout: 10,
  });
  if (found.serverMetadata().issuer !== issuer) throw new Error('it calls itself by another name');
  return found;
}

function isLoopback({ protocol, hostname }: URL): boolean {
  return protocol === 'http:' && ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
}

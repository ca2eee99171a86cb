import { ActionRefused, ServerUnreachable } from './errors.ts';
import type { AgentIdentity } from './identity.ts';
import { hash64, signJwt } from './jwt.ts';

const jwtType = 'urn:ietf:params:oauth:token-type:jwt';
/** A token is renewed so long before it ends, and with it the nonce, in milliseconds. */
const spareMs = 20_000;

interface Token {
  readonly text: string;
  readonly nonce: string;
  readonly untilMs: number;
}

/** The tokens of one agent in one task, by RFC 8693, and a proof for each message. */
export class TaskTokens {
  private readonly url: string;
  private readonly identity: AgentIdentity;
  private readonly task: string;
  private current: Promise<Token> | undefined;

  constructor(url: string, identity: AgentIdentity, task: string) {
    this.url = url;
    this.identity = identity;
    this.task = task;
  }

  /** The headers that go with a message of exactly these bytes: for one sending. @throws ActionRefused, ServerUnreachable */
  async headers(message: string | Uint8Array): Promise<Readonly<Record<string, string>>> {
    const { text, nonce } = await this.token();
    const { origin, key } = this.identity;
    const claims = { aud: origin, ath: hash64(text), deed_bdh: hash64(message), nonce };
    return { 'deed-task-token': text, 'workload-proof-token': signJwt(key, 'wpt+jwt', claims, Date.now()) };
  }

  /** The next message gets a new token. */
  renew(): void {
    this.current = undefined;
  }

  private async token(): Promise<Token> {
    const known = await this.current?.catch(() => undefined);
    if (known && known.untilMs > Date.now()) return known;
    this.current = this.exchange();
    return this.current;
  }

  private async exchange(): Promise<Token> {
    const { agent, spiffe, origin, key } = this.identity;
    const client = { iss: agent, sub: agent, aud: this.url };
    const subject = { iss: spiffe, aud: origin, task: this.task };
    const now = Date.now();
    const form = new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: signJwt(key, 'JWT', client, now),
      subject_token_type: jwtType,
      subject_token: signJwt(key, 'deed-assertion+jwt', subject, now),
    });
    const { status, body } = await this.ask(form);
    const { access_token: text, nonce, expires_in: lives, nonce_expires_in: fresh } = body;
    if (status !== 200 || typeof text !== 'string' || typeof nonce !== 'string') {
      const code = String(body.error ?? 'token');
      throw new ActionRefused({
        code,
        status,
        action: null,
        detail: String(body.error_description ?? 'no token was issued'),
      });
    }
    return { text, nonce, untilMs: now + Math.min(Number(lives), Number(fresh)) * 1000 - spareMs };
  }

  private async ask(
    form: URLSearchParams,
  ): Promise<{ readonly status: number; readonly body: Record<string, unknown> }> {
    try {
      const response = await fetch(`${this.url}/oauth/token`, {
        method: 'POST',
        body: form,
        signal: AbortSignal.timeout(30_000),
      });
      return { status: response.status, body: (await response.json()) as Record<string, unknown> };
    } catch (cause) {
      throw new ServerUnreachable(`no token from ${this.url}: ${(cause as Error).message}`, { cause });
    }
  }
}

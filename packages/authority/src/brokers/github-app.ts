import { createPrivateKey } from 'node:crypto';
import { parseStrictJson, sha256, toBase64, utf8 } from '@deed/evidence';
import { SignJWT } from 'jose';
import { z } from 'zod';
import { AuthorityError } from '../errors.ts';
import { readPrivateFile } from '../keys/private-file.ts';
import type { CredentialBroker } from './broker.ts';
import { ask, type TargetAnswer } from './http.ts';

export interface GithubAppOptions {
  readonly name: string;
  /** Default: https://api.github.com */
  readonly apiUrl?: string | undefined;
  readonly clientId: string;
  readonly installation: number;
  /** File of mode 0600 with the app's private key, PEM. */
  readonly keyFile: string;
  /** What a token may do: a name of GitHub's to `read` or `write`. */
  readonly permissions: Readonly<Record<string, string>>;
  readonly servers: () => readonly string[];
  readonly now: () => number;
}

/** GitHub ends a token after one hour. */
const lifeMs = 60 * 60_000;
/** "60 seconds in the past, to protect against clock drift", and no more than 10 minutes ahead. */
const [pastSeconds, aheadSeconds] = [60, 9 * 60];
const maxRepositories = 500;

const minted = z.looseObject({
  token: z.string().min(1).max(4096),
  expires_at: z.iso.datetime(),
  permissions: z.record(z.string(), z.string()),
  repository_selection: z.enum(['all', 'selected']),
});
const problem = z.looseObject({ message: z.string() });

/**
 * An installation token of a GitHub App for each task, for the repositories that its allowed actions name and no other (GitHub REST
 * API, "Create an installation access token for an app"). GitHub's audit log names a token by `hashed_token`, which is the credential's id.
 */
export function githubAppBroker(options: GithubAppOptions): CredentialBroker {
  const { name, clientId, installation, permissions, now } = options;
  const api = (options.apiUrl ?? 'https://api.github.com').replace(/\/+$/, '');
  const call = (
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    bearer: string,
    body?: unknown,
  ): Promise<TargetAnswer> =>
    ask(`${api}${path}`, {
      method,
      headers: {
        accept: 'application/vnd.github+json',
        authorization: `Bearer ${bearer}`,
        'user-agent': 'deed',
        'x-github-api-version': '2022-11-28',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const jwt = (): Promise<string> => {
    const seconds = Math.floor(now() / 1000);
    return new SignJWT()
      .setProtectedHeader({ alg: 'RS256', typ: 'JWT' })
      .setIssuer(clientId)
      .setIssuedAt(seconds - pastSeconds)
      .setExpirationTime(seconds + aheadSeconds)
      .sign(createPrivateKey(readPrivateFile(options.keyFile)));
  };
  const refusedBy = (answer: TargetAnswer): AuthorityError =>
    new AuthorityError('broker', `${name} answered ${answer.status}: ${messageOf(answer)}${mendOf(answer, now())}`);
  const end = async (token: string): Promise<void> => {
    const answer = await call('DELETE', '/installation/token', token);
    if (answer.status !== 204 && answer.status !== 401) throw refusedBy(answer);
  };
  return {
    name,
    kind: 'github-app',
    debt: 'none',
    expiresMs: lifeMs,
    env: { GITHUB_TOKEN: 'token' },
    targets: (allow) => {
      const servers = options.servers();
      const entries = allow.filter(({ server }) => servers.includes(server));
      return [...new Set(entries.flatMap(({ git }) => git?.repositories ?? []))];
    },
    async mint({ targets }) {
      const repositories = namesOf(targets);
      const path = `/app/installations/${installation}/access_tokens`;
      const answer = await call('POST', path, await jwt(), { repositories, permissions });
      if (answer.status !== 201) throw refusedBy(answer);
      const parsed = minted.safeParse(parseStrictJson(answer.text).value);
      if (!parsed.success) throw new AuthorityError('broker', `${name} answered with no token`);
      const { token, expires_at, repository_selection, permissions: given } = parsed.data;
      // `metadata: read` comes with every token.
      const wider = Object.entries(given).some(
        ([what, level]) => permissions[what] !== level && !(what === 'metadata' && level === 'read'),
      );
      if (wider || repository_selection !== 'selected') {
        await end(token);
        throw new AuthorityError('broker', `${name} answered with a token that may do more than was asked for`);
      }
      return { id: toBase64(sha256(utf8(token))), secret: { token }, expiresMs: Date.parse(expires_at) };
    },
    async revoke(id, secret) {
      if (secret?.token === undefined)
        throw new AuthorityError('broker', `the token ${id} was never seen here: it ends by itself within the hour`);
      await end(secret.token);
    },
    async probe(_id, { token = '' }) {
      const answer = await call('GET', '/installation/repositories?per_page=1', token);
      if (answer.status === 200) return { refused: false, detail: 'the token lists its repositories' };
      if (answer.status === 401) return { refused: true, detail: messageOf(answer) };
      throw refusedBy(answer);
    },
  };
}

/** Without their owner, who is the installation's. @throws AuthorityError broker */
function namesOf(targets: readonly string[]): readonly string[] {
  const parts = targets.map((target) => /^([A-Za-z0-9-]{1,39})\/([A-Za-z0-9._-]{1,100})$/.exec(target));
  const owners = new Set(parts.map((part) => part?.[1]?.toLowerCase()));
  if (parts.includes(null) || owners.size !== 1 || parts.length > maxRepositories)
    throw new AuthorityError('broker', `repositories are OWNER/NAME, of one owner, ${maxRepositories} at most`);
  return parts.map((part) => part?.[2] ?? '');
}

function messageOf({ text }: TargetAnswer): string {
  try {
    return problem.parse(parseStrictJson(text).value).message.slice(0, 300);
  } catch {
    return 'no reason that could be read';
  }
}

function mendOf({ status, headers }: TargetAnswer, now: number): string {
  const again = headers.get('retry-after');
  if ((status === 403 || status === 429) && (again !== null || headers.get('x-ratelimit-remaining') === '0')) {
    const reset = Number(headers.get('x-ratelimit-reset') ?? Number.NaN);
    const when = again === null ? `at ${new Date(reset * 1000).toISOString()}` : `in ${again} s`;
    return `; they limit the rate: open the task again ${again === null && Number.isNaN(reset) ? 'later' : when}`;
  }
  const skewSeconds = Math.round((now - Date.parse(headers.get('date') ?? '')) / 1000);
  return status === 401 && Math.abs(skewSeconds) > pastSeconds
    ? `; this clock is ${skewSeconds} s off theirs: set it`
    : '';
}

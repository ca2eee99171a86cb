import { randomBytes, sha256, toBase64Url, toHex, utf8 } from '@deed/evidence';
import { AuthorityError } from '../errors.ts';
import type { CredentialBroker } from './broker.ts';
import { ask } from './http.ts';

export interface GitForgeOptions {
  readonly name: string;
  /** Where repositories are: `<url>/<name>.git`. Without it nothing can be probed. */
  readonly url?: string;
  readonly adminUrl: string;
  /** Bearer token of the forge's administration. */
  readonly adminToken: string;
}

/**
 * Credentials of a git forge, one a task, for HTTP Basic (RFC 7617: the user is the credential's id). The forge learns only the
 * SHA-256 of the password, and the repositories it opens (docs/guides/brokers.md: what an adapter before another forge must answer).
 */
export function gitForgeBroker({ name, url, adminUrl, adminToken }: GitForgeOptions): CredentialBroker {
  const call = async (method: 'PUT' | 'DELETE', id: string, body?: unknown): Promise<number> => {
    const { status } = await ask(`${adminUrl.replace(/\/+$/, '')}/admin/credentials/${encodeURIComponent(id)}`, {
      method,
      headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return status;
  };
  return {
    name,
    kind: 'git-forge',
    debt: 'none',
    env: {}, // the relay uses it: no tool is given it
    targets: (allow) => [...new Set(allow.flatMap((entry) => entry.git?.repositories ?? []))],
    async mint({ id, targets: repositories }) {
      const password = toBase64Url(randomBytes(32));
      const status = await call('PUT', id, { sha256: toHex(sha256(utf8(password))), repositories });
      if (status < 200 || status > 299)
        throw new AuthorityError('broker', `${name} answered ${status} to a credential`);
      return { id, secret: { user: id, password } };
    },
    async revoke(id) {
      const status = await call('DELETE', id);
      if ((status < 200 || status > 299) && status !== 404) {
        throw new AuthorityError('broker', `${name} answered ${status} to a revocation`);
      }
    },
    async probe(id, { password = '' }) {
      if (url === undefined) throw new AuthorityError('broker', `${name} has no url to try a credential at`);
      // No repository has this name: what is accepted is refused only as unknown or forbidden.
      const { status } = await ask(`${url.replace(/\/+$/, '')}/${id}.git/info/refs?service=git-upload-pack`, {
        headers: { authorization: `Basic ${Buffer.from(`${id}:${password}`).toString('base64')}` },
      });
      if (status >= 500) throw new AuthorityError('broker', `${name} answered ${status}: it cannot be told`);
      return { refused: status === 401, detail: `${name} answered ${status}` };
    },
  };
}

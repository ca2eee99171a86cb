import { randomBytes, sha256, toBase64Url, toHex, utf8 } from '@deed/evidence';
import { AuthorityError } from '../errors.ts';
import type { CredentialBroker } from './broker.ts';

const timeoutMs = 10_000;

export interface GitForgeOptions {
  readonly name: string;
  readonly adminUrl: string;
  /** Bearer token of the forge's administration. */
  readonly adminToken: string;
}

/** Credentials of a git forge: it learns only the SHA-256 of the secret, and the repositories it opens. */
export function gitForgeBroker({ name, adminUrl, adminToken }: GitForgeOptions): CredentialBroker {
  const call = async (method: 'PUT' | 'DELETE', id: string, body?: unknown): Promise<number> => {
    const url = `${adminUrl.replace(/\/+$/, '')}/admin/credentials/${encodeURIComponent(id)}`;
    const response = await fetch(url, {
      method,
      headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
      signal: AbortSignal.timeout(timeoutMs),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    await response.body?.cancel();
    return response.status;
  };
  return {
    name,
    async mint({ id, repositories }) {
      if (repositories.length === 0) return null;
      const secret = toBase64Url(randomBytes(32));
      const status = await call('PUT', id, { sha256: toHex(sha256(utf8(secret))), repositories });
      if (status < 200 || status > 299)
        throw new AuthorityError('broker', `${name} answered ${status} to a credential`);
      return { id, secret };
    },
    async revoke(id) {
      const status = await call('DELETE', id);
      if ((status < 200 || status > 299) && status !== 404) {
        throw new AuthorityError('broker', `${name} answered ${status} to a revocation`);
      }
    },
  };
}

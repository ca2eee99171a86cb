import { randomBytes, sha256, toBase64Url, toHex, utf8 } from '@deed/evidence';
import { AuthorityError } from '../errors.ts';
import { readPrivateFile } from '../keys/private-file.ts';
import { type CredentialBroker, serversNamed } from './broker.ts';
import { ask } from './http.ts';

export interface HttpKeysOptions {
  readonly name: string;
  /** Where keys are administered: `<adminUrl>/<id>`. */
  readonly adminUrl: string;
  /** File of mode 0600 with the bearer token of the administration. */
  readonly adminTokenFile: string;
  /** Where a key can be tried without doing anything. Without it nothing can be probed. */
  readonly probeUrl?: string | undefined;
  readonly servers: () => readonly string[];
}

/**
 * API keys of a service, one a task: a bearer token `<id>.<secret>`, of which the service learns the SHA-256 of the secret and no more
 * (docs/guides/brokers.md: what an adapter before another service must answer). Its own log names the key by its id.
 */
export function httpKeysBroker({
  name,
  adminUrl,
  adminTokenFile,
  probeUrl,
  servers,
}: HttpKeysOptions): CredentialBroker {
  const call = async (method: 'PUT' | 'DELETE', id: string, body?: unknown): Promise<number> => {
    const bearer = readPrivateFile(adminTokenFile).trim();
    const { status } = await ask(`${adminUrl.replace(/\/+$/, '')}/${encodeURIComponent(id)}`, {
      method,
      headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return status;
  };
  return {
    ...{ name, kind: 'http-keys', debt: 'none', env: { API_KEY: 'token' } },
    targets: (allow) => serversNamed(allow, servers()),
    async mint({ id, deadlineMs }) {
      const secret = toBase64Url(randomBytes(32));
      const expires = new Date(deadlineMs).toISOString();
      const status = await call('PUT', id, { sha256: toHex(sha256(utf8(secret))), expires });
      if (status < 200 || status > 299) throw new AuthorityError('broker', `${name} answered ${status} to a key`);
      return { id, secret: { token: `${id}.${secret}` } };
    },
    async revoke(id) {
      const status = await call('DELETE', id);
      if ((status < 200 || status > 299) && status !== 404)
        throw new AuthorityError('broker', `${name} answered ${status} to a revocation`);
    },
    async probe(_id, { token = '' }) {
      if (probeUrl === undefined) throw new AuthorityError('broker', `${name} has no url to try a key at`);
      const { status } = await ask(probeUrl, { headers: { authorization: `Bearer ${token}` } });
      if (status >= 500) throw new AuthorityError('broker', `${name} answered ${status}: it cannot be told`);
      return { refused: status === 401, detail: `${name} answered ${status}` };
    },
  };
}

import { createPrivateKey, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Algorithm = 'RS256' | 'ES256' | 'ES384';

interface Key {
  readonly kid: string;
  readonly alg: Algorithm;
  readonly key: KeyObject;
  readonly jwk: object;
}

const hashes = { RS256: 'sha256', ES256: 'sha256', ES384: 'sha384' } as const;
const curves = { ES256: 'prime256v1', ES384: 'secp384r1' } as const;

/** A small OpenID Connect issuer on a loopback address: discovery, a JWK set, and tokens for workloads. */
export class Issuer {
  readonly server: Server;
  private keys: Key[] = [];
  /** How often its documents were asked for, by path. */
  readonly asked = new Map<string, number>();
  /** Answers a path otherwise, for those who try what a bad issuer does. */
  readonly otherwise = new Map<string, (response: ServerResponse) => void>();

  private constructor() {
    this.server = createServer((request, response) => {
      const path = request.url ?? '';
      this.asked.set(path, (this.asked.get(path) ?? 0) + 1);
      const other = this.otherwise.get(path);
      if (other) return other(response);
      const document = this.document(path);
      response.writeHead(document ? 200 : 404, { 'content-type': 'application/json' });
      response.end(JSON.stringify(document ?? {}));
    });
  }

  static async start(alg: Algorithm = 'RS256', port = 0): Promise<Issuer> {
    const issuer = new Issuer();
    issuer.addKey(alg);
    issuer.server.listen(port, '127.0.0.1');
    await once(issuer.server, 'listening');
    return issuer;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Signs with a new key from now on; the old ones stay in the set. */
  addKey(alg: Algorithm = 'RS256', kid: string = randomUUID()): void {
    const { privateKey } =
      alg === 'RS256'
        ? generateKeyPairSync('rsa', { modulusLength: 2048 })
        : generateKeyPairSync('ec', { namedCurve: curves[alg] });
    const jwk = privateKey.export({ format: 'jwk' });
    const { kty, n, e, crv, x, y } = jwk;
    const shown = kty === 'RSA' ? { kty, n, e } : { kty, crv, x, y };
    const key = createPrivateKey(privateKey.export({ format: 'pem', type: 'pkcs8' }));
    this.keys.push({ kid, alg, key, jwk: { ...shown, kid, alg, use: 'sig' } });
  }

  /** All keys but the newest are gone. */
  retire(): void {
    this.keys = this.keys.slice(-1);
  }

  get newest(): Key {
    const key = this.keys.at(-1);
    if (!key) throw new Error('the issuer has no key');
    return key;
  }

  /** A token with these claims, signed with the newest key; `header` stands beside its usual members. */
  token(claims: object, header: object = {}): string {
    const { kid, alg, key } = this.newest;
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const signed = `${part({ alg, kid, typ: 'JWT', ...header })}.${part(claims)}`;
    const how = alg === 'RS256' ? key : { key, dsaEncoding: 'ieee-p1363' as const };
    return `${signed}.${sign(hashes[alg], Buffer.from(signed), how).toString('base64url')}`;
  }

  async close(): Promise<void> {
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, 'close');
  }

  private document(path: string): object | undefined {
    if (path === '/.well-known/openid-configuration') {
      const signs = { id_token_signing_alg_values_supported: Object.keys(hashes), subject_types_supported: ['public'] };
      return { issuer: this.url, jwks_uri: `${this.url}/jwks`, response_types_supported: ['id_token'], ...signs };
    }
    return path === '/jwks' ? { keys: this.keys.map(({ jwk }) => jwk) } : undefined;
  }
}

import { createHash, type KeyObject, sign } from 'node:crypto';
import { jwkThumbprint } from '@deed/evidence';

/** What the signature covers, in this order. */
const components = ['@method', '@target-uri', 'content-type', 'content-digest', 'webhook-id', 'webhook-timestamp'];

export interface SigningKey {
  /** P-256. */
  readonly key: KeyObject;
  readonly spki: Uint8Array;
}

/**
 * The headers of an HTTP message signature (RFC 9421) over a POST and the digest of its body (RFC 9530): proof to everybody who
 * knows the server's key, which `/oauth/jwks` shows. `keyid` is its RFC 7638 thumbprint.
 * @param headers those that are signed, lower case
 */
export function httpSignature(
  {
    url,
    headers,
    body,
  }: { readonly url: string; readonly headers: Readonly<Record<string, string>>; readonly body: string },
  { key, spki }: SigningKey,
  nowMs: number,
): Record<string, string> {
  const digest = `sha-256=:${createHash('sha256').update(body).digest('base64')}:`;
  const all: Readonly<Record<string, string>> = {
    ...headers,
    '@method': 'POST',
    '@target-uri': new URL(url).href,
    'content-digest': digest,
  };
  const parameters = `;created=${Math.floor(nowMs / 1000)};keyid="${jwkThumbprint(spki)}";alg="ecdsa-p256-sha256"`;
  const input = `(${components.map((name) => `"${name}"`).join(' ')})${parameters}`;
  const lines = components.map((name) => `"${name}": ${all[name] ?? ''}\n`).join('');
  const base = `${lines}"@signature-params": ${input}`;
  const signature = sign('sha256', Buffer.from(base), { key, dsaEncoding: 'ieee-p1363' }).toString('base64');
  return { 'content-digest': digest, 'signature-input': `deed=${input}`, signature: `deed=:${signature}:` };
}

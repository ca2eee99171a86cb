import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP } from 'node:net';
import { checkedLookup, mayAsk } from '@deed/authority';

const timeoutMs = 10_000;

export interface Sending {
  readonly url: string;
  /** `public`: the public internet alone. `private`: any address, because the operator said so. */
  readonly network: 'public' | 'private';
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly signal: AbortSignal;
}

/**
 * Posts once and gives the status. The address is checked where the connection is made; redirects are not followed, and what is answered is
 * not read. @throws Error with why it did not arrive
 */
export async function send({ url, network, headers, body, signal }: Sending): Promise<number> {
  const { protocol, hostname } = new URL(url);
  const literal = hostname.replace(/^\[|\]$/g, '');
  const open = network === 'private';
  if (!open && isIP(literal) !== 0 && !mayAsk(literal, false)) throw new Error(`${literal} is not a public address`);
  const request = protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      {
        method: 'POST',
        agent: false,
        headers: { ...headers, 'content-length': String(Buffer.byteLength(body)) },
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
        ...(open ? {} : { lookup: checkedLookup(false) }),
      },
      (response) => {
        resolve(response.statusCode ?? 0);
        response.on('error', () => undefined);
        response.destroy();
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

import { type LookupAddress, lookup } from 'node:dns';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { AuthorityError } from '../errors.ts';

const timeoutMs = 5_000;
const maxBytes = 64 * 1024;

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** What is not the public internet (RFC 6890 and its registries). */
const notPublic = new BlockList();
for (const [net, bits] of [
  ...([
    ['0.0.0.0', 8],
    ['10.0.0.0', 8],
    ['100.64.0.0', 10],
    ['127.0.0.0', 8],
    ['169.254.0.0', 16],
  ] as const),
  ...([
    ['172.16.0.0', 12],
    ['192.0.0.0', 24],
    ['192.0.2.0', 24],
    ['192.88.99.0', 24],
    ['192.168.0.0', 16],
  ] as const),
  ...([
    ['198.18.0.0', 15],
    ['198.51.100.0', 24],
    ['203.0.113.0', 24],
    ['224.0.0.0', 4],
    ['240.0.0.0', 4],
  ] as const),
] as const)
  notPublic.addSubnet(net, bits, 'ipv4');
/** Of IPv6 only 2000::/3 is public, and of that not what leads to IPv4 or is for documents. */
const publicV6 = new BlockList();
publicV6.addSubnet('2000::', 3, 'ipv6');
for (const [net, bits] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
] as const)
  notPublic.addSubnet(net, bits, 'ipv6');

/** True if a rule may have this address asked: a loopback rule this machine alone, any other the public internet alone. */
export function mayAsk(address: string, loopbackRule: boolean): boolean {
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
  if (loopbackRule) return loopback.check(address, family);
  if (family === 'ipv6' && !publicV6.check(address, 'ipv6')) return false;
  return !notPublic.check(address, family);
}

/**
 * Gets a small document from a place that a rule names. The address is checked where the connection is made, so that a name
 * cannot lead elsewhere in between; redirects are not followed.
 * @throws AuthorityError issuer
 */
export function safeGet(url: string, loopbackRule: boolean): Promise<string> {
  const { protocol, hostname } = new URL(url);
  const literal = hostname.replace(/^\[|\]$/g, '');
  if (isIP(literal) !== 0 && !mayAsk(literal, loopbackRule))
    return Promise.reject(failed(url, 'is at an address that is not asked'));
  const request = protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const fail = (why: string, cause?: unknown) => reject(failed(url, why, cause));
    const options = {
      agent: false,
      headers: { accept: 'application/json' },
      lookup: checkedLookup(loopbackRule),
      signal: AbortSignal.timeout(timeoutMs),
    };
    const sent = request(url, options, (response) => {
      const parts: Buffer[] = [];
      let size = 0;
      response.on('error', (cause) => fail('broke off', cause));
      if (response.statusCode !== 200) {
        response.destroy();
        return fail(`answered ${response.statusCode}; redirects are not followed`);
      }
      response.on('data', (part: Buffer) => {
        size += part.length;
        parts.push(part);
        if (size <= maxBytes) return;
        response.destroy();
        fail(`sent more than ${maxBytes} bytes`);
      });
      response.on('end', () => resolve(Buffer.concat(parts).toString('utf8')));
    });
    sent.on('error', (cause) => fail(`cannot be asked: ${cause.message}`, cause));
    sent.end();
  });
}

/** Finds a name, and refuses it if any of its addresses may not be asked: see {@link mayAsk}. */
export function checkedLookup(loopbackRule: boolean): LookupFunction {
  return (hostname, options, done) => {
    lookup(hostname, { ...options, all: true }, (error, found: LookupAddress[] = []) => {
      if (error) return done(error, '');
      const [first] = found;
      if (!first || !found.every(({ address }) => mayAsk(address, loopbackRule))) {
        return done(new Error(`${hostname} has an address that is not asked`), '');
      }
      if (options.all) done(null, found);
      else done(null, first.address, first.family);
    });
  };
}

function failed(url: string, what: string, cause?: unknown): AuthorityError {
  return new AuthorityError('issuer', `the issuer's ${url} ${what}`, { cause });
}

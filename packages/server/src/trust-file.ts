import { formatTrust, logKeysOf, type RoleKey, type Trust } from '@deed/evidence';
import { type Config, trustedTsas, trustOf } from './config.ts';

/** Default `max-age` of the trust files that we hand out: 400 days. */
const maxAgeSeconds = 400 * 86_400;

/** The trust file of a deployment, from its key-events (`keys`, the root among them). */
export function trustFileOf(keys: ReadonlyMap<string, RoleKey>, config: Config): string {
  const root = [...keys].find(([, { role }]) => role === 'root')?.[0];
  return formatTrust({
    ...trustOf(config),
    logs: logsOf(keys),
    ...(root === undefined ? {} : { root }),
    tsas: trustedTsas(config),
    compromised: [...keys].flatMap(([keyid, { compromised, until }]) => (compromised ? [{ keyid, from: until }] : [])),
    maxAgeSeconds,
  });
}

/** Spans are written from the first rotation on. */
function logsOf(keys: ReadonlyMap<string, RoleKey>): Trust['logs'] {
  const logs = logKeysOf(keys.values());
  const wasRotated = logs.some(({ span }) => span && span.until < Number.POSITIVE_INFINITY);
  return wasRotated ? logs : logs.map(({ key }) => ({ key }));
}

import { formatVkey, parseVkey } from '../log/note.ts';
import type { Trust, TrustedLog } from '../log/trust.ts';
import type { RoleKey } from '../role-keys.ts';

/** The log keys of the key-events, each with its span. */
export function logKeysOf(keys: Iterable<RoleKey>): readonly TrustedLog[] {
  return [...keys].flatMap(({ role, vkey, from, until }) =>
    role === 'log' && vkey !== null ? [{ key: parseVkey(vkey), span: { from, until } }] : [],
  );
}

/**
 * The trust file as key-events under its own root bring it up to date: a `log` key that they end holds up to there, and from
 * there on the keys that they added stand in. A root that the file does not name changes nothing.
 */
export function broughtUpToDate(trust: Trust, keys: ReadonlyMap<string, RoleKey>): Trust {
  if (trust.root === undefined || keys.get(trust.root)?.role !== 'root') return trust;
  const events = new Map(logKeysOf(keys.values()).map((log) => [formatVkey(log.key), log]));
  const named = new Set(trust.logs.map(({ key }) => formatVkey(key)));
  const ended = trust.logs.flatMap((log) => {
    const until = events.get(formatVkey(log.key))?.span?.until ?? Number.POSITIVE_INFINITY;
    return until < (log.span?.until ?? Number.POSITIVE_INFINITY) ? [{ log, until }] : [];
  });
  if (ended.length === 0) return trust;
  const shorter = new Map(ended.map(({ log, until }) => [log, { ...log, span: { from: log.span?.from ?? 0, until } }]));
  const successors = [...events].flatMap(([vkey, log]) => (named.has(vkey) ? [] : [log]));
  return { ...trust, logs: [...trust.logs.map((log) => shorter.get(log) ?? log), ...successors] };
}

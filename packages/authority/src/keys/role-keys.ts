import { followKeyEvents, holdsAt, parseStatement, type RoleKey, type StatementWith } from '@deed/evidence';
import type { Entry } from '@deed/ledger';
import { AuthorityError } from '../errors.ts';

/** What the series `keys` says of each key. @throws AuthorityError key (an event that does not hold) */
export function roleKeysOf(entries: readonly Entry[]): Map<string, RoleKey> {
  const events = entries.map(({ index, envelope }) => ({
    index,
    envelope,
    statement: parseStatement(envelope.payload) as StatementWith<'key-event'>,
  }));
  return followKeyEvents(events, (event, why) => {
    throw new AuthorityError('key', `the key-event at log index ${event.index} does not hold: ${why}`);
  });
}

/**
 * Refuses to go on with a key that was ended: what it signs nobody would believe.
 * @throws AuthorityError key
 */
export function requireInForce(
  keys: ReadonlyMap<string, RoleKey>,
  role: RoleKey['role'],
  keyid: string,
  index: number,
): void {
  const known = keys.get(keyid);
  if (known?.role === role && holdsAt(known, index)) return;
  const why = known?.role === role ? 'is no longer in force' : 'has no such role in the log';
  throw new AuthorityError(
    'key',
    `the ${role} key ${keyid.slice(0, 16)}… of this folder ${why}; see \`deed key list\``,
  );
}

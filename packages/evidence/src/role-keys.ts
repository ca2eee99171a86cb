import { type Envelope, keyId, verifyEnvelope } from './dsse.ts';
import { equalBytes, fromBase64 } from './encoding.ts';
import { parseVkey } from './log/note.ts';
import type { KeyRole } from './predicates.ts';
import type { StatementWith } from './statement.ts';

/** Where a key holds, in log indexes. */
export interface KeySpan {
  /** The first index. */
  readonly from: number;
  /** The first index at which it holds no more; infinity while nothing ended it. */
  readonly until: number;
}

/** A key of the deployment and where it holds (docs/formats/signers.md). */
export interface RoleKey extends KeySpan {
  readonly role: KeyRole;
  readonly spki: Uint8Array;
  /** The note verifier key of a log key. */
  readonly vkey: string | null;
  /** It was given up because somebody else may have had it. */
  readonly compromised: boolean;
}

/** A key-event at its place in the log. */
export interface LoggedKeyEvent {
  readonly index: number;
  readonly envelope: Envelope;
  readonly statement: StatementWith<'key-event'>;
}

/**
 * Follows the series `keys` from its root on and gives each key its one role and its span. `fault` is told what does not
 * hold; such an event changes nothing.
 * @param events in the order of the series, the first one adding the root
 * @returns the keys by id (hex SHA-256 of the SPKI)
 */
export function followKeyEvents<E extends LoggedKeyEvent>(
  events: readonly E[],
  fault: (event: E, why: string) => void,
): Map<string, RoleKey> {
  const keys = new Map<string, RoleKey>();
  const [first] = events;
  if (!first) return keys;
  const root = fromBase64(first.statement.body.key.spki);
  for (const event of events) {
    const why = verifyEnvelope(event.envelope, root)
      ? apply(keys, event, event === first)
      : 'is not signed by the root';
    if (why !== null) fault(event, why);
  }
  return keys;
}

/** Null, or why the event does not hold. */
function apply(keys: Map<string, RoleKey>, { index, statement }: LoggedKeyEvent, isFirst: boolean): string | null {
  const { event, key, from } = statement.body;
  const spki = fromBase64(key.spki);
  const known = keys.get(key.keyid);
  if (keyId(spki) !== key.keyid || statement.subject.sha256 !== key.keyid)
    return "the key's id is not the digest of the key";
  if (event === 'add') {
    if (!fitsVkey(key.role, key.vkey, spki)) return "the key's vkey is not that of the key";
    if (known) return 'the key has a role already';
    if (key.role === 'root' && !isFirst) return 'a second root';
    const span = { from: Math.max(from, index), until: Number.POSITIVE_INFINITY };
    keys.set(key.keyid, { role: key.role, spki, vkey: key.vkey, ...span, compromised: false });
    return null;
  }
  if (!known || known.role !== key.role) return 'it ends a key that has no such role';
  if (key.role === 'root') return 'the root cannot be ended: begin a new deployment';
  // An end looks forward; only a compromise reaches back, to the size from which the key is not to be believed.
  const until = event === 'end' ? Math.max(from, index) : from;
  const compromised = known.compromised || event === 'compromised';
  keys.set(key.keyid, { ...known, until: Math.min(known.until, until), compromised });
  return null;
}

/** A log key, and no other, has a note verifier key: its raw public key is the end of the SPKI (RFC 8410, RFC 9881). */
function fitsVkey(role: KeyRole, vkey: string | null, spki: Uint8Array): boolean {
  if (role !== 'log' || vkey === null) return role !== 'log' && vkey === null;
  const { publicKey } = parseVkey(vkey);
  return equalBytes(spki.subarray(-publicKey.length), publicKey);
}

/** True where a statement at this log index may be signed by the key. */
export function holdsAt({ from, until }: KeySpan, index: number): boolean {
  return from <= index && index < until;
}

/** True where a checkpoint of this size may be signed by the log key: at the index of its last entry. */
export function holdsFor({ from, until }: KeySpan, size: number): boolean {
  return from < size && size <= until;
}

import {
  fromBase64,
  keyId,
  newId,
  type PeopleChange,
  type PersonKey,
  type PersonRole,
  parseSshPublicKey,
  randomBytes,
  sha256,
  spkiOfPerson,
  toBase64Url,
  toHex,
  utf8,
} from '@deed/evidence';
import type { Draft } from '@deed/ledger';
import { AuthorityError } from '../errors.ts';
import type { Ground } from '../ground.ts';
import { requireP256Spki } from '../keys/p256.ts';

const openMs = 15 * 60_000;
/** How long an operator has to look at a key that came in. */
const offeredMs = 24 * 3_600_000;

/** A passkey as its browser and its authenticator told of it at its creation. */
export interface Passkey {
  /** The id by which browsers find it, base64url. */
  readonly credential: string;
  /** The make of the authenticator, as it says itself; zeros where it does not. */
  readonly aaguid: string;
  /** It is copied between devices. */
  readonly backedUp: boolean;
}

/** Somebody who was invited. */
export interface Invitation {
  /** The id that the person has, or will have. */
  readonly person: string;
  /** Of a new person; null where somebody who is enrolled gets another key. */
  readonly roles: readonly PersonRole[] | null;
  readonly label: string;
  readonly expiresMs: number;
  /** What came in on the code, once it did: it counts for nothing until it is ordered. */
  readonly offered: PersonKey | null;
  readonly passkey: Passkey | null;
}

interface Row {
  readonly code_hash: string;
  readonly person: string;
  readonly roles: string | null;
  readonly label: string;
  readonly expires_ms: number;
  readonly kind: PersonKey['kind'] | null;
  readonly public: string | null;
  readonly passkey: string | null;
}

/** One-time codes with which people hand in a key of their own. Only their hashes are kept. */
export class Invitations {
  private readonly ground: Ground;

  constructor(ground: Ground) {
    this.ground = ground;
  }

  /** A code for a new person with these roles, or for another key of somebody (`person`). @throws AuthorityError name */
  invite(
    who:
      | { readonly label: string; readonly roles: readonly PersonRole[] }
      | { readonly person: string; readonly label: string },
  ) {
    const { db, clock } = this.ground;
    if (!/^\P{C}{1,128}$/u.test(who.label.trim()))
      throw new AuthorityError('name', 'a label has 1 to 128 printed characters');
    const now = clock.now();
    const code = toBase64Url(randomBytes(24));
    const person = 'person' in who ? who.person : newId('person', now);
    const roles = 'roles' in who ? [...new Set(who.roles)].sort().join(',') : null;
    const expiresMs = now + openMs;
    db.transaction((tx) => {
      tx.run('DELETE FROM person_invitation WHERE expires_ms <= ?', now);
      tx.run(
        'INSERT INTO person_invitation (code_hash, person, roles, label, expires_ms) VALUES (?, ?, ?, ?, ?)',
        ...[hashOf(code), person, roles, who.label.trim(), expiresMs],
      );
    });
    return { code, person, expiresMs };
  }

  /** What a code is for. @throws AuthorityError code (unknown, used, too old) */
  open(code: string): Invitation {
    return viewOf(this.row(code));
  }

  /**
   * Takes the key that came in on a code; the code is used up.
   * @throws AuthorityError code, key (not accepted, or somebody's already)
   */
  offer(code: string, key: PersonKey, passkey: Passkey | null = null): Invitation {
    const { db, clock, holders } = this.ground;
    const row = this.row(code);
    checkPersonKey(key);
    if (holders.has(keyId(spkiOfPerson(key))))
      throw new AuthorityError('key', 'this key has a holder already: make a fresh one');
    const expires = clock.now() + offeredMs;
    const kept = passkey && JSON.stringify(passkey);
    const changed = db.transaction((tx) =>
      tx.run(
        'UPDATE person_invitation SET kind = ?, public = ?, passkey = ?, expires_ms = ? WHERE code_hash = ? AND public IS NULL',
        ...[key.kind, key.public, kept, expires, row.code_hash],
      ),
    );
    if (changed !== 1) throw noCode();
    return viewOf({ ...row, kind: key.kind, public: key.public, passkey: kept, expires_ms: expires });
  }

  /** Those that still count, oldest first. */
  list(): readonly Invitation[] {
    const now = this.ground.clock.now();
    return this.ground.db
      .all<Row>('SELECT * FROM person_invitation WHERE expires_ms > ? ORDER BY expires_ms', now)
      .map(viewOf);
  }

  /** Ends an invitation of a person. */
  withdraw(person: string): boolean {
    return this.ground.db.transaction((tx) => tx.run('DELETE FROM person_invitation WHERE person = ?', person)) > 0;
  }

  /** What is written together with a change: the label and the passkey of who came in; what somebody left behind goes. */
  settle(person: string, change: PeopleChange, label?: string): NonNullable<Draft['apply']> {
    const now = this.ground.clock.now();
    return (tx) => {
      if (change.kind === 'removed') {
        for (const table of ['person_login', 'person_passkey', 'person_invitation'])
          tx.run(`DELETE FROM ${table} WHERE person = ?`, person);
      }
      if (change.kind === 'key-removed') tx.run('DELETE FROM person_passkey WHERE public = ?', change.key.public);
      if (change.kind !== 'enrolled' && change.kind !== 'key-added') return;
      const found = this.list().find((one) => one.person === person && one.offered?.public === change.key.public);
      const called = label ?? (found && change.kind === 'enrolled' ? found.label : undefined);
      if (called !== undefined) tx.run('INSERT INTO person_label (person, label) VALUES (?, ?)', person, called);
      if (found?.passkey) {
        const { credential, aaguid, backedUp } = found.passkey;
        tx.run(
          'INSERT INTO person_passkey (credential, person, public, aaguid, backed_up, made_ms) VALUES (?, ?, ?, ?, ?, ?)',
          ...[credential, person, change.key.public, aaguid, backedUp ? 1 : 0, now],
        );
      }
      if (found) tx.run('DELETE FROM person_invitation WHERE person = ? AND public = ?', person, change.key.public);
    };
  }

  private row(code: string): Row {
    const row = this.ground.db.get<Row>(
      'SELECT * FROM person_invitation WHERE code_hash = ? AND public IS NULL AND expires_ms > ?',
      ...[hashOf(code), this.ground.clock.now()],
    );
    if (!row) throw noCode();
    return row;
  }
}

/** @throws AuthorityError key; EvidenceError key, encoding */
export function checkPersonKey(key: PersonKey): void {
  if (key.kind === 'sshsig') parseSshPublicKey(fromBase64(key.public));
  else requireP256Spki(fromBase64(key.public));
}

function viewOf(row: Row): Invitation {
  const offered = row.kind === null || row.public === null ? null : { kind: row.kind, public: row.public };
  return {
    person: row.person,
    roles: row.roles === null ? null : (row.roles.split(',') as PersonRole[]),
    label: row.label,
    expiresMs: row.expires_ms,
    offered,
    passkey: row.passkey === null ? null : (JSON.parse(row.passkey) as Passkey),
  };
}

function noCode(): AuthorityError {
  return new AuthorityError('code', 'this code is unknown, used, or older than 15 minutes: ask for a new one');
}

function hashOf(code: string): string {
  return toHex(sha256(utf8(`deed-person-code-v1\0${code}`)));
}

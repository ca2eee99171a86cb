import { fromBase64, keyId, newId, parseSshPublicKey, sha256, toBase64, toHex, type Word } from '@deed/evidence';
import { AuthorityError } from './errors.ts';
import { type Ground, serverAct } from './ground.ts';
import { requireP256Spki } from './keys/p256.ts';

export type PersonRole = 'operator' | 'approver';

export interface Person {
  /** Opaque: all that the log ever says of them. */
  readonly id: string;
  readonly key: { readonly kind: Word['signature']['kind']; readonly public: string };
  readonly roles: readonly PersonRole[];
  /** How this deployment calls them; never in the log. */
  readonly label: string;
  /** Digest of the enrolment statement. */
  readonly enrolled: string;
}

interface Row {
  readonly id: string;
  readonly kind: Word['signature']['kind'];
  readonly public: string;
  readonly roles: string;
  readonly label: string;
  readonly enrolled: string;
}

/** The enrolled people: who may operate, who may approve, and with which key. */
export class People {
  private readonly ground: Ground;
  private readonly byId = new Map<string, Person>();

  constructor(ground: Ground) {
    this.ground = ground;
    for (const row of ground.db.all<Row>('SELECT id, kind, public, roles, label, enrolled FROM people ORDER BY id')) {
      const roles = row.roles.split(',') as PersonRole[];
      const { id, kind, label, enrolled } = row;
      this.byId.set(id, { id, key: { kind, public: row.public }, roles, label, enrolled });
      ground.holders.add(holderId(kind, fromBase64(row.public)));
    }
  }

  /**
   * Enrols a person's public key (SPKI DER for es256, SSH wire form for sshsig): a statement signed by the registrar.
   * @throws AuthorityError key (not accepted, or enrolled before)
   */
  async enrol(person: {
    readonly kind: Word['signature']['kind'];
    readonly public: Uint8Array;
    readonly roles: readonly PersonRole[];
    readonly label: string;
  }): Promise<Person> {
    const { clock, keys, holders } = this.ground;
    if (person.kind === 'es256') requireP256Spki(person.public);
    const holder = holderId(person.kind, person.public);
    if (holders.has(holder)) throw new AuthorityError('key', 'this key has a holder already: one party, one key');
    const key = { kind: person.kind, public: toBase64(person.public) };
    const id = newId('person', clock.now());
    const roles = [...person.roles];
    const recorded = this.ground.record({
      ...serverAct,
      predicate: 'person-enrolled',
      place: { series: 'people' },
      subject: { name: `person:${id}`, sha256: toHex(sha256(person.public)) },
      body: { person: id, key, roles },
      signer: keys.registrar,
      apply: (tx, { digest }) => {
        tx.run(
          'INSERT INTO people (id, kind, public, roles, label, enrolled) VALUES (?, ?, ?, ?, ?, ?)',
          ...[id, key.kind, key.public, roles.join(','), person.label, digest],
        );
      },
    });
    const enrolled: Person = { id, key, roles, label: person.label, enrolled: recorded.digest };
    this.byId.set(id, enrolled);
    holders.add(holder);
    await recorded.durable;
    return enrolled;
  }

  list(): readonly Person[] {
    return [...this.byId.values()];
  }

  get(id: string): Person | undefined {
    return this.byId.get(id);
  }

  /** The person who may, with this very key. @throws AuthorityError unknown-person, not-approver, word (another key) */
  require(id: string, role: PersonRole, word: Word): Person {
    const person = this.byId.get(id);
    if (!person) throw new AuthorityError('unknown-person', `no person ${id} is enrolled`);
    if (!person.roles.includes(role)) throw new AuthorityError('not-approver', `person ${id} is no ${role}`);
    const { kind, key } = word.signature;
    if (kind !== person.key.kind || key !== person.key.public) {
      throw new AuthorityError('word', `signed with a key that is not the enrolled key of ${id}`);
    }
    return person;
  }
}

/** The id of the key itself, in whatever form it is written. @throws EvidenceError key, encoding */
function holderId(kind: Word['signature']['kind'], key: Uint8Array): string {
  return keyId(kind === 'es256' ? key : parseSshPublicKey(key).spki);
}

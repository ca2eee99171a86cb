import {
  changeOf,
  changePeople,
  type Enrolled,
  type EnrolledPerson,
  EvidenceError,
  encodePeopleWord,
  fromBase64,
  isHere,
  isKey,
  isSameChange,
  keyId,
  newId,
  noPredecessor,
  openWord,
  type PeopleChange,
  type PersonKey,
  type PersonRole,
  parsePeopleWord,
  parseStatement,
  sha256,
  spkiOfPerson,
  takesTwo,
  takesTwoWords,
  toBase64,
  toHex,
  type Word,
} from '@deed/evidence';
import { AuthorityError } from '../errors.ts';
import { type Ground, serverAct } from '../ground.ts';
import { checkPersonKey, Invitations } from './invitations.ts';
import { Logins } from './logins.ts';

export interface Person extends EnrolledPerson {
  /** How this deployment calls them; never in the log. Empty once it was erased. */
  readonly label: string;
}

/** What is to become of a person. */
export interface Change {
  readonly person: string;
  readonly change: PeopleChange;
}

/** A change that one person ordered and that takes another's word. It lasts until somebody changes anything among the people. */
export interface WaitingOrder extends Change {
  /** Hex SHA-256 of the first word's bytes. */
  readonly id: string;
  readonly by: string;
  readonly word: Word;
}

export type Ordered =
  | { readonly state: 'done'; readonly alone: boolean }
  | { readonly state: 'waiting'; readonly id: string };

/** The people: who may operate, approve and read, with which keys, and how that changes. All of it follows from the log. */
export class People {
  readonly invitations: Invitations;
  readonly logins: Logins;
  private readonly ground: Ground;
  private people: Enrolled = new Map();
  private newest: string = noPredecessor;
  private waiting: WaitingOrder | undefined;

  constructor(ground: Ground) {
    this.ground = ground;
    this.invitations = new Invitations(ground);
    this.logins = new Logins(ground);
    for (const { envelope } of ground.ledger.series('people')) {
      const statement = parseStatement(envelope.payload);
      if (statement.predicate !== 'person-enrolled' && statement.predicate !== 'person-changed') continue;
      const { change } = changeOf(statement);
      this.people = changePeople(this.people, changeOf(statement), statement.digest);
      this.newest = statement.digest;
      if ('key' in change) ground.holders.add(holderId(change.key)); // one that was removed is nobody else's either
    }
  }

  /**
   * Enrols the first person of a deployment, whom nobody is there to order: a statement signed by the registrar alone.
   * @throws AuthorityError key (not accepted, or enrolled before), person (there is somebody already)
   */
  async enrolFirst(person: {
    readonly kind: PersonKey['kind'];
    readonly public: Uint8Array;
    readonly roles: readonly PersonRole[];
    readonly label: string;
  }): Promise<Person> {
    const key = { kind: person.kind, public: toBase64(person.public) };
    const id = newId('person', this.ground.clock.now());
    const change: PeopleChange = { kind: 'enrolled', key, roles: [...person.roles] };
    if (this.newest !== noPredecessor)
      throw new AuthorityError('person', 'there are people already: they order who comes next');
    this.checkKey(change);
    await this.record({ person: id, change }, [], false, person.label);
    return this.known(id);
  }

  /** The bytes that somebody signs (domain deed-people-v1) to order a change now. */
  wordBytes({ person, change }: Change, by: string): Uint8Array {
    const time = new Date(this.ground.clock.now()).toISOString();
    return encodePeopleWord({ origin: this.ground.origin, after: this.head(), person, change, by, time });
  }

  /** Digest of the newest statement of the series: what a word is bound to. */
  head(): string {
    return this.newest;
  }

  /**
   * Takes somebody's word for a change. Done at once where one word is enough, and with the second where it takes two.
   * @throws AuthorityError key, word (old: sign again); EvidenceError people,
   *   signature, statement
   */
  async order(word: Word): Promise<Ordered> {
    const { person, change, after, by } = parsePeopleWord(openWord('deed-people-v1', word));
    if (after !== this.head()) {
      throw new AuthorityError('word', 'the people changed since this word was made: look again and sign a new one');
    }
    const wanted = { person, change };
    this.checkKey(change);
    const first = this.waiting;
    const isSecond = first && first.person === person && isSameChange(first.change, change) && first.by !== by;
    const words = isSecond ? [first.word, word] : [word];
    const two = takesTwo(this.people, wanted);
    const operators = this.list().filter(({ roles }) => roles.includes('operator'));
    if (two && !isSecond && operators.length > 1) return this.wait({ ...wanted, by, word });
    const alone = two && words.length === 1;
    await this.record(wanted, words, alone);
    return { state: 'done', alone };
  }

  /** The order that waits for a second person, if one does. */
  waitingOrder(): WaitingOrder | undefined {
    return this.waiting;
  }

  list(): readonly Person[] {
    return [...this.people.values()].filter(isHere).map((person) => ({ ...person, label: this.labelOf(person.id) }));
  }

  get(id: string): Person | undefined {
    const person = this.people.get(id);
    return isHere(person) ? { ...person, label: this.labelOf(id) } : undefined;
  }

  /** Whose key it is, now. */
  byKey(key: PersonKey): Person | undefined {
    return this.list().find(({ keys }) => keys.some((known) => isKey(known, key)));
  }

  /** Whose passkey a browser's credential id is, and its key: one that the log says he has, whatever the row says. */
  passkey(credential: string): { readonly person: string; readonly public: string } | undefined {
    const sql = 'SELECT person, public FROM person_passkey WHERE credential = ?';
    const row = this.ground.db.get<{ person: string; public: string }>(sql, credential);
    const keys = this.people.get(row?.person ?? '')?.keys ?? [];
    return keys.some(({ kind, public: key }) => kind === 'webauthn' && key === row?.public) ? row : undefined;
  }

  /** The passkeys with which somebody signs: those that the log says he has. */
  passkeysOf(person: string): readonly { readonly credential: string; readonly public: string }[] {
    const sql = 'SELECT credential, public FROM person_passkey WHERE person = ? ORDER BY made_ms';
    return this.ground.db
      .all<{ credential: string; public: string }>(sql, person)
      .filter(({ credential }) => this.passkey(credential)?.person === person);
  }

  /** The person who may, with this very key. @throws AuthorityError unknown-person, not-approver, word (another key) */
  require(id: string, role: PersonRole, word: Word): Person {
    const person = this.known(id);
    if (!person.roles.includes(role)) throw new AuthorityError('not-approver', `person ${id} is no ${role}`);
    const { kind, key } = word.signature;
    if (!person.keys.some((known) => isKey(known, { kind, public: key }))) {
      throw new AuthorityError('word', `signed with a key that is not an enrolled key of ${id}`);
    }
    return person;
  }

  /** Forgets how a person is called and signs in: what the log says of an opaque id stays. @throws AuthorityError unknown-person */
  erase(id: string): void {
    const person = this.people.get(id);
    if (!person) throw new AuthorityError('unknown-person', `there never was a person ${id}`);
    this.ground.db.transaction((tx) => {
      for (const table of ['person_label', 'person_login', 'person_invitation'])
        tx.run(`DELETE FROM ${table} WHERE person = ?`, id);
      if (!isHere(person)) tx.run('DELETE FROM person_passkey WHERE person = ?', id);
    });
  }

  /** What the first of two words leaves behind: it holds only as long as the people stay as they are. */
  private wait(order: Omit<WaitingOrder, 'id'>): Ordered {
    this.rehearse(order, [order.word]);
    const id = toHex(sha256(fromBase64(order.word.bytes)));
    this.waiting = { ...order, id };
    return { state: 'waiting', id };
  }

  /** Throws what would be wrong with an order beside the absence of a second word. */
  private rehearse({ person, change }: Change, words: readonly Word[]): void {
    try {
      changePeople(this.people, this.ordered({ person, change }, words, false), '');
    } catch (error) {
      if (!(error instanceof EvidenceError) || error.message !== takesTwoWords) throw error;
    }
  }

  private ordered({ person, change }: Change, words: readonly Word[], alone: boolean) {
    const order = words.length === 0 ? undefined : { words: [...words], alone };
    return { origin: this.ground.origin, after: this.newest, person, change, order };
  }

  private async record(wanted: Change, words: readonly Word[], alone: boolean, label?: string): Promise<void> {
    const { keys, holders } = this.ground;
    const { person, change } = wanted;
    const ordered = this.ordered(wanted, words, alone);
    changePeople(this.people, ordered, ''); // what a verifier would refuse is not recorded
    const common = {
      ...serverAct,
      place: { series: 'people' } as const,
      signer: keys.registrar,
      apply: this.invitations.settle(person, change, label),
    };
    const { order } = ordered;
    const name = `person:${person}`;
    const recorded =
      change.kind === 'enrolled'
        ? this.ground.record({
            ...common,
            predicate: 'person-enrolled',
            subject: { name, sha256: toHex(sha256(fromBase64(change.key.public))) },
            body: { person, key: change.key, roles: change.roles, ...(order ? { order } : {}) },
          })
        : this.ground.record({
            ...common,
            predicate: 'person-changed',
            subject: { name, sha256: toHex(sha256(fromBase64(words[0]?.bytes ?? ''))) },
            body: { person, change, order: order ?? { words: [], alone } },
          });
    this.waiting = undefined;
    this.people = changePeople(this.people, ordered, recorded.digest);
    this.newest = recorded.digest;
    if ('key' in change) holders.add(holderId(change.key));
    await recorded.durable;
  }

  /** A key that comes in has one accepted form and no holder. @throws AuthorityError key */
  private checkKey(change: PeopleChange): void {
    if (change.kind !== 'enrolled' && change.kind !== 'key-added') return;
    checkPersonKey(change.key);
    if (this.ground.holders.has(holderId(change.key)))
      throw new AuthorityError('key', 'this key has a holder already: one party, one key');
  }

  private labelOf(id: string): string {
    return this.ground.db.get<{ label: string }>('SELECT label FROM person_label WHERE person = ?', id)?.label ?? '';
  }

  private known(id: string): Person {
    const person = this.get(id);
    if (!person) throw new AuthorityError('unknown-person', `no person ${id} is enrolled`);
    return person;
  }
}

/** The id of the key itself, in whatever form it is written. @throws EvidenceError key, encoding */
function holderId(key: PersonKey): string {
  return keyId(spkiOfPerson(key));
}

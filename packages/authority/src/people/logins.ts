import { randomBytes, toBase64Url } from '@deed/evidence';
import { AuthorityError } from '../errors.ts';
import type { Ground } from '../ground.ts';

const codeMs = 15 * 60_000;
const mostCodes = 1_000;

/** Somebody as a provider of sign-in knows him: personal data, never in the log. */
export interface Login {
  readonly issuer: string;
  readonly subject: string;
}

/** Which login at a provider is which person. */
export class Logins {
  private readonly ground: Ground;
  /** Of logins that nobody has: by a code that its holder is shown. */
  private readonly strangers = new Map<string, { readonly login: Login; readonly untilMs: number }>();

  constructor(ground: Ground) {
    this.ground = ground;
  }

  personOf({ issuer, subject }: Login): string | undefined {
    const sql = 'SELECT person FROM person_login WHERE issuer = ? AND subject = ?';
    return this.ground.db.get<{ person: string }>(sql, issuer, subject)?.person;
  }

  /** From now on who has this login is this person. @throws AuthorityError login (somebody else's) */
  link(login: Login, person: string): void {
    const holder = this.personOf(login);
    if (holder === person) return;
    if (holder !== undefined) throw new AuthorityError('login', 'this login is that of another person');
    const { issuer, subject } = login;
    this.ground.db.transaction((tx) =>
      tx.run('INSERT INTO person_login (issuer, subject, person) VALUES (?, ?, ?)', issuer, subject, person),
    );
  }

  /** A code by which an operator can link a login that nobody has, for 15 minutes. */
  stranger(login: Login): string {
    const now = this.ground.clock.now();
    for (const [code, { untilMs }] of this.strangers) if (untilMs <= now) this.strangers.delete(code);
    if (this.strangers.size >= mostCodes) this.strangers.delete(this.strangers.keys().next().value ?? '');
    const code = toBase64Url(randomBytes(9));
    this.strangers.set(code, { login, untilMs: now + codeMs });
    return code;
  }

  /** Links the login of a code. @throws AuthorityError code, login */
  linkByCode(code: string, person: string): void {
    const found = this.strangers.get(code);
    if (!found || found.untilMs <= this.ground.clock.now())
      throw new AuthorityError('code', 'this code is unknown, used, or older than 15 minutes: let them sign in again');
    this.link(found.login, person);
    this.strangers.delete(code);
  }
}

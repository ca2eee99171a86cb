import {
  DeedError,
  type EnrolmentEvidence,
  isSameKey,
  type PublicJwk,
  parseStrictJson,
  readJwkSet,
  type TrustRule,
} from '@deed/evidence';
import type { Database } from '@deed/store';
import type { Clock } from '../clock.ts';
import { AuthorityError } from '../errors.ts';
import { safeGet } from './safe-get.ts';

/** How long the keys of an issuer are taken for its keys. */
const freshMs = 5 * 60_000;
/** A kid that is not among them has the issuer asked again, at most so often: strangers make up kids. */
const againMs = 30_000;

interface Served {
  readonly keys: readonly PublicJwk[];
  readonly archive: EnrolmentEvidence['issuer'];
  readonly atMs: number;
}

export interface IssuerKey {
  readonly key: PublicJwk;
  /** What is archived of where it is from. */
  readonly issuer: EnrolmentEvidence['issuer'];
}

/** The keys of the issuers that rules name. Nobody else is ever asked. */
export class Issuers {
  private readonly db: Database;
  private readonly clock: Clock;
  private readonly served = new Map<string, Served>();
  private readonly asking = new Map<string, Promise<Served>>();
  private readonly onReplaced: () => void;

  /** `onReplaced` is told when not one of the keys that an issuer had is left: it changed hands, or was rebuilt. */
  constructor(db: Database, clock: Clock, onReplaced: () => void) {
    this.db = db;
    this.clock = clock;
    this.onReplaced = onReplaced;
  }

  /** @throws AuthorityError issuer (cannot be asked, or its answer does not do), workload-token (no such key) */
  async keyFor(rule: TrustRule, kid: string): Promise<IssuerKey> {
    const pinned = rule.keys?.find((key) => key.kid === kid);
    if (pinned) return { key: pinned, issuer: { discovery: null, jwks: null, change: 'pinned' } };
    if (!rule.keys) {
      const served = await this.serving(rule, kid);
      const key = served.keys.find((candidate) => candidate.kid === kid);
      if (key) return { key, issuer: served.archive };
    }
    throw new AuthorityError('workload-token', `the issuer ${rule.issuer} has no key ${kid}`);
  }

  private serving(rule: TrustRule, kid: string): Promise<Served> {
    const name = JSON.stringify([rule.issuer, rule.jwks ?? null, rule.loopback ?? false]);
    const known = this.served.get(name);
    const age = known ? this.clock.now() - known.atMs : Number.POSITIVE_INFINITY;
    const does = known && age >= 0 && age < freshMs && (known.keys.some((key) => key.kid === kid) || age < againMs);
    if (does) return Promise.resolve(known);
    const under = this.asking.get(name);
    if (under) return under;
    const asked = this.ask(rule)
      .then((served) => {
        this.served.set(name, served);
        return served;
      })
      .finally(() => this.asking.delete(name));
    this.asking.set(name, asked);
    return asked;
  }

  private async ask(rule: TrustRule): Promise<Served> {
    const loopback = rule.loopback ?? false;
    const discovery = await safeGet(`${rule.issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, loopback);
    const place = this.reading(rule, () => jwksPlace(rule, discovery));
    const jwks = await safeGet(place, loopback);
    const keys = this.reading(rule, () => readJwkSet(jwks));
    const change = this.remember(rule, keys);
    return { keys, archive: { discovery, jwks, change }, atMs: this.clock.now() };
  }

  private reading<T>({ issuer }: TrustRule, read: () => T): T {
    try {
      return read();
    } catch (cause) {
      if (!(cause instanceof DeedError) || cause instanceof AuthorityError) throw cause;
      throw new AuthorityError('issuer', `what the issuer ${issuer} serves cannot be read: ${cause.message}`, {
        cause,
      });
    }
  }

  /** A kid stands for one key for ever; a set without any key that was seen before is noted. */
  private remember({ issuer }: TrustRule, keys: readonly PublicJwk[]): EnrolmentEvidence['issuer']['change'] {
    const rows = this.db.all<{ kid: string; jwk: string }>('SELECT kid, jwk FROM issuer_keys WHERE issuer = ?', issuer);
    const seen = new Map(rows.map(({ kid, jwk }) => [kid, JSON.parse(jwk) as PublicJwk]));
    const swapped = keys.find((key) => {
      const before = seen.get(key.kid);
      return before && !isSameKey(before, key);
    });
    if (swapped) {
      throw new AuthorityError('issuer', `the issuer ${issuer} shows another key as ${swapped.kid} than before`);
    }
    const fresh = keys.filter(({ kid }) => !seen.has(kid));
    this.db.transaction((tx) => {
      for (const key of fresh) {
        const row = [issuer, key.kid, JSON.stringify(key), this.clock.now()];
        tx.run('INSERT INTO issuer_keys (issuer, kid, jwk, first_ms) VALUES (?, ?, ?, ?)', ...row);
      }
    });
    if (seen.size === 0) return 'first';
    if (fresh.length === 0) return 'same';
    if (fresh.length < keys.length) return 'added';
    this.onReplaced();
    return 'replaced';
  }
}

/** Where the keys are: the rule's word counts, else a place of the issuer's own origin. @throws AuthorityError issuer */
function jwksPlace(rule: TrustRule, discovery: string): string {
  const { value } = parseStrictJson(discovery);
  const { issuer, jwks_uri: place } = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (issuer !== rule.issuer)
    throw new AuthorityError('issuer', `${rule.issuer} says of itself that it is another issuer`);
  if (typeof place !== 'string' || !URL.canParse(place))
    throw new AuthorityError('issuer', `${rule.issuer} names no jwks_uri`);
  if (place !== rule.jwks && (rule.jwks !== undefined || new URL(place).origin !== new URL(rule.issuer).origin)) {
    throw new AuthorityError('issuer', `${rule.issuer} has its keys at ${place}: name that place in the rule as jwks`);
  }
  return place;
}

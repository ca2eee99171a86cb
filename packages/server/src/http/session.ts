import type { People, Person } from '@deed/authority';
import { randomBytes, sha256, toBase64Url, toHex, utf8 } from '@deed/evidence';
import { ServerError } from '../errors.ts';

/** How somebody showed who he is. Only what a person's own key signs over an action approves it: a session never does. */
export type SignedInBy = 'passkey' | 'oidc';

export interface SignedIn {
  readonly person: Person;
  readonly how: SignedInBy;
  readonly sinceMs: number;
}

/** Who is signed in. The state is the server's: a cookie is a random name for it, and ends with it. */
export interface Sessions {
  personOf(request: Request): SignedIn | null;
  /**
   * @param holds asked at each request: false once that by which the person signed in is no longer his
   * @returns the value of a Set-Cookie header
   */
  begin(person: string, how: SignedInBy, holds: () => boolean): string;
  /** @returns the value of a Set-Cookie header that takes the cookie away */
  end(request: Request): string;
}

const idleMs = 15 * 60_000;
const longestMs = 8 * 3_600_000;
const mostSessions = 10_000;

interface Session {
  readonly person: string;
  readonly how: SignedInBy;
  readonly holds: () => boolean;
  readonly sinceMs: number;
  seenMs: number;
}

/**
 * Sessions of people, in memory: a restart signs everybody out. One ends after 15 minutes without a request, after 8 hours, and
 * with the removal of the person or of that by which he signed in. `url`: how browsers reach this server.
 */
export function openSessions(people: Pick<People, 'get'>, url: () => string, now: () => number = Date.now): Sessions {
  const sessions = new Map<string, Session>();
  const nameOf = () => (isSecure(url()) ? '__Host-deed' : 'deed-session');
  const find = (request: Request): [string, Session] | null => {
    const cookie = cookieOf(request, nameOf());
    const id = cookie === null ? '' : idOf(cookie);
    const session = sessions.get(id);
    if (!session) return null;
    if (now() - session.seenMs < idleMs && now() - session.sinceMs < longestMs) return [id, session];
    sessions.delete(id);
    return null;
  };
  const cookie = (value: string, seconds: number) =>
    `${nameOf()}=${value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${seconds}${isSecure(url()) ? '; Secure' : ''}`;
  return {
    personOf(request) {
      const [id, session] = find(request) ?? [];
      const person = session?.holds() ? people.get(session.person) : undefined;
      if (!session || !person) {
        if (id !== undefined) sessions.delete(id);
        return null;
      }
      session.seenMs = now();
      return { person, how: session.how, sinceMs: session.sinceMs };
    },
    begin(person, how, holds) {
      if (sessions.size >= mostSessions) sessions.delete(sessions.keys().next().value ?? '');
      const value = toBase64Url(randomBytes(32));
      sessions.set(idOf(value), { person, how, holds, sinceMs: now(), seenMs: now() });
      return cookie(value, longestMs / 1000);
    },
    end(request) {
      const [id] = find(request) ?? [];
      if (id !== undefined) sessions.delete(id);
      return cookie('', 0);
    },
  };
}

/**
 * Refuses a request that another site's page could have made: a browser says where it comes from, and whoever says nothing is
 * no browser with a session. @throws ServerError origin
 */
export function requireSameOrigin(request: Request, url: string): void {
  const site = request.headers.get('sec-fetch-site');
  const origin = request.headers.get('origin');
  const isOurs = origin === new URL(url).origin && (site === null || site === 'same-origin');
  if (!isOurs) throw new ServerError('origin', `this is accepted from pages of ${new URL(url).origin} alone`);
}

export function isSecure(url: string): boolean {
  return url.startsWith('https:');
}

/** A cookie's value; null where the request has none, or two. */
export function cookieOf(request: Request, name: string): string | null {
  const found = (request.headers.get('cookie') ?? '')
    .split(';')
    .map((part) => part.trim())
    .filter((part) => part.startsWith(`${name}=`));
  return found.length === 1 ? (found[0] ?? '').slice(name.length + 1) : null;
}

function idOf(value: string): string {
  return toHex(sha256(utf8(`deed-session-v1\0${value}`)));
}

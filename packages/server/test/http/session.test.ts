import type { Person } from '@deed/authority';
import { beforeEach, describe, expect, test } from 'vitest';
import { cookieOf, openSessions, requireSameOrigin, type Sessions } from '../../src/http/session.ts';

const minuteMs = 60_000;
const ada: Person = { id: 'per_1', roles: ['approver'], keys: [], enrolled: 'f'.repeat(64), label: 'Ada' };
let nowMs: number;
let here: Map<string, Person>;
let sessions: Sessions;
beforeEach(() => {
  nowMs = Date.parse('2026-11-23T10:00:00Z');
  here = new Map([[ada.id, ada]]);
  sessions = openSessions(
    here,
    () => 'https://deed.example',
    () => nowMs,
  );
});

const with_ = (cookie: string) => new Request('https://deed.example/v1/me', { headers: { cookie } });
const begun = (how: 'passkey' | 'oidc' = 'passkey', holds = () => true) => {
  const line = sessions.begin(ada.id, how, holds);
  return { line, request: with_(line.split(';')[0] ?? '') };
};

describe('a session', () => {
  test('is known by a random cookie that no script, no other host and no other site gets', () => {
    const { line, request } = begun();
    expect(line).toMatch(/^__Host-deed=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=28800; Secure$/);
    expect(sessions.personOf(request)).toEqual({ person: ada, how: 'passkey', sinceMs: nowMs });
    expect(begun().line).not.toBe(line);
    expect(sessions.personOf(with_('__Host-deed=guessed'))).toBeNull();
    expect(sessions.personOf(with_(''))).toBeNull();
  });

  test('ends after 15 minutes without a request, and after 8 hours with them', () => {
    const idle = begun().request;
    const busy = begun().request;
    for (let minutes = 0; minutes < 8 * 60; minutes += 10) {
      expect(sessions.personOf(busy)).not.toBeNull();
      nowMs += 10 * minuteMs;
    }
    expect(sessions.personOf(busy)).toBeNull();
    expect(sessions.personOf(idle)).toBeNull();
    nowMs -= 470 * minuteMs;
    expect(sessions.personOf(idle)).toBeNull(); // a clock that goes back wakes nothing
  });

  test('ends with its sign-out, with the removal of its person, and of that by which he signed in', () => {
    const [out, gone] = [begun().request, begun('oidc').request];
    let his = true;
    const lost = begun('passkey', () => his).request;
    expect(sessions.end(out)).toMatch(/^__Host-deed=; .*Max-Age=0; Secure$/);
    expect(sessions.personOf(out)).toBeNull();
    his = false;
    expect(sessions.personOf(lost)).toBeNull();
    his = true;
    expect(sessions.personOf(lost)).toBeNull();
    here.clear();
    expect(sessions.personOf(gone)).toBeNull();
  });
});

test('a cookie that is there twice is none', () => {
  expect(cookieOf(with_('a=1; b=2'), 'b')).toBe('2');
  expect(cookieOf(with_('b=1; b=2'), 'b')).toBeNull();
  expect(cookieOf(with_('xb=1'), 'b')).toBeNull();
});

test.each([
  ['the same origin', { origin: 'https://deed.example', 'sec-fetch-site': 'same-origin' }, true],
  ['the same origin of a browser that says no more', { origin: 'https://deed.example' }, true],
  ['another site', { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }, false],
  ['another port', { origin: 'https://deed.example:8443' }, false],
  ['another scheme', { origin: 'http://deed.example' }, false],
  ['a sandbox', { origin: 'null' }, false],
  ['nobody who says', {}, false],
  ['a browser that contradicts', { origin: 'https://deed.example', 'sec-fetch-site': 'cross-site' }, false],
])('a request from %s', (_who, headers, accepted) => {
  const check = () => requireSameOrigin(new Request('https://deed.example/', { headers }), 'https://deed.example');
  if (accepted) expect(check).not.toThrow();
  else expect(check).toThrow(expect.objectContaining({ code: 'origin' }));
});

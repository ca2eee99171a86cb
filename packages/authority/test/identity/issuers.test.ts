import type { TrustRule } from '@deed/evidence';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Issuer } from '../../../../examples/issuer/issuer.ts';
import { Issuers } from '../../src/identity/issuers.ts';
import { mayAsk, safeGet } from '../../src/identity/safe-get.ts';
import { refused } from '../refused.ts';
import { World } from '../world.ts';
import { rulesFor } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await World.begin();
});
afterAll(() => world.end());

const discovery = '/.well-known/openid-configuration';
const json = (value: unknown) => (response: import('node:http').ServerResponse) =>
  void response.end(JSON.stringify(value));

async function asking(bend: (issuer: Issuer) => void = () => {}) {
  const issuer = await Issuer.start('ES256');
  bend(issuer);
  const replaced: string[] = [];
  const issuers = new Issuers(world.ledger.database, world.clock, () => void replaced.push(issuer.url));
  const rule: TrustRule = rulesFor(issuer.url).githubActions;
  return { issuer, issuers, rule, replaced, key: () => issuers.keyFor(rule, issuer.newest.kid) };
}

describe('an issuer', () => {
  test('that adds a key is asked again for it, once in half a minute, and what became of its keys is archived', async () => {
    const { issuer, issuers, rule, replaced, key } = await asking();
    expect((await key()).issuer.change).toBe('first');
    const first = issuer.newest.kid;
    issuer.addKey('ES256');
    expect(await refused(key)).toBe('workload-token');
    for (let i = 0; i < 20; i++) await refused(() => issuers.keyFor(rule, `made up ${i}`));
    expect(issuer.asked.get('/jwks')).toBe(1);
    world.clock.advance(30_000);
    expect((await key()).issuer.change).toBe('added');
    expect((await issuers.keyFor(rule, first)).key.kid).toBe(first);
    issuer.retire();
    world.clock.advance(300_000);
    expect((await key()).issuer.change).toBe('same');
    expect(await refused(() => issuers.keyFor(rule, first))).toBe('workload-token');
    expect(replaced).toEqual([]);
    await issuer.close();
  });

  test('whose keys are all others at once is noted, and one that shows another key under a known kid is refused', async () => {
    const { issuer, replaced, key } = await asking();
    await key();
    const { kid } = issuer.newest;
    issuer.addKey('ES256');
    issuer.retire();
    world.clock.advance(300_000);
    expect((await key()).issuer.change).toBe('replaced');
    expect(replaced).toEqual([issuer.url]);
    issuer.addKey('ES256', kid);
    issuer.retire();
    world.clock.advance(300_000);
    expect(await refused(key)).toBe('issuer');
    await issuer.close();
  });

  test('whose keys the rule holds is never asked', async () => {
    const { issuer, issuers, rule } = await asking();
    const pinned = (await issuers.keyFor(rule, issuer.newest.kid)).key;
    await issuer.close();
    const held = { ...rule, issuer: 'https://cluster.example.com', keys: [pinned] };
    expect(await issuers.keyFor(held, pinned.kid)).toEqual({
      key: pinned,
      issuer: { discovery: null, jwks: null, change: 'pinned' },
    });
    expect(await refused(() => issuers.keyFor(held, 'another'))).toBe('workload-token');
  });

  const bad: Record<string, (issuer: Issuer) => void> = {
    'calls itself another': (issuer) =>
      issuer.otherwise.set(discovery, json({ issuer: 'https://evil.example', jwks_uri: `${issuer.url}/jwks` })),
    'has its keys at another place than its own': (issuer) =>
      issuer.otherwise.set(
        discovery,
        json({ issuer: issuer.url, jwks_uri: 'http://169.254.169.254/latest/meta-data' }),
      ),
    'has its keys at another port': (issuer) =>
      issuer.otherwise.set(discovery, json({ issuer: issuer.url, jwks_uri: 'http://127.0.0.1:1/jwks' })),
    'has its keys in a file': (issuer) =>
      issuer.otherwise.set(discovery, json({ issuer: issuer.url, jwks_uri: 'file:///etc/passwd' })),
    'sends one elsewhere': (issuer) =>
      issuer.otherwise.set(
        discovery,
        (response) => void response.writeHead(302, { location: `${issuer.url}/jwks` }).end(),
      ),
    'sends more than it should': (issuer) =>
      issuer.otherwise.set('/jwks', (response) => void response.end(`{"keys":[],"x":"${'x'.repeat(70_000)}"}`)),
    'says a key twice': (issuer) =>
      issuer.otherwise.set('/jwks', (response) => void response.end('{"keys":[],"keys":[]}')),
    'sends no JSON': (issuer) => issuer.otherwise.set(discovery, (response) => void response.end('<html>')),
    'breaks off': (issuer) => issuer.otherwise.set('/jwks', (response) => void response.destroy()),
    'shows two keys under one kid': (issuer) =>
      issuer.otherwise.set(
        '/jwks',
        json({
          keys: [1, 2].map((n) => ({ kty: 'EC', crv: 'P-256', kid: 'a', x: `${n}`.repeat(43), y: '3'.repeat(43) })),
        }),
      ),
  };
  for (const [what, bend] of Object.entries(bad)) {
    test(`is not believed that ${what}`, async () => {
      const { issuer, key } = await asking(bend);
      expect(await refused(key)).toBe('issuer');
      await issuer.close();
    });
  }
});

describe('the places that are asked', () => {
  test('are never private: not as an address, not by a name that leads there', async () => {
    for (const url of [
      'https://10.0.0.1/x',
      'https://[::1]/x',
      'https://169.254.169.254/',
      'https://[::ffff:127.0.0.1]/',
      'https://localhost/x',
    ]) {
      expect(await refused(() => safeGet(url, false)), url).toBe('issuer');
    }
  });

  test('are public addresses, or for a loopback rule this machine alone', () => {
    const hidden = [
      '127.0.0.1',
      '10.1.2.3',
      '172.16.0.1',
      '192.168.1.1',
      '169.254.169.254',
      '100.64.0.1',
      '0.0.0.0',
      '224.0.0.1',
      '255.255.255.255',
      '::1',
      '::',
      'fc00::1',
      'fe80::1',
      '::ffff:10.0.0.1',
      '64:ff9b::a00:1',
      '2002:a00:1::',
      '2001::1',
      'ff02::1',
    ];
    expect(hidden.filter((address) => mayAsk(address, false))).toEqual([]);
    const open = ['140.82.112.3', '8.8.8.8', '2606:50c0:8000::153', '2a00:1450:4001:830::200e'];
    expect(open.filter((address) => !mayAsk(address, false))).toEqual([]);
    expect(['127.0.0.1', '::1', '127.8.8.8'].every((address) => mayAsk(address, true))).toBe(true);
    expect([...open, '10.0.0.1', '169.254.169.254'].filter((address) => mayAsk(address, true))).toEqual([]);
  });
});

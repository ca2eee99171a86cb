import { constants, createPublicKey, generateKeyPairSync, type KeyObject, privateEncrypt, sign } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromBase64Url, utf8 } from '../../src/encoding.ts';
import { isSameKey, type PublicJwk, publicJwk, readJwkSet, spkiOfJwk } from '../../src/identity/jwk-set.ts';
import { verifyRsaSha256 } from '../../src/identity/rsa.ts';
import { readWorkloadToken } from '../../src/identity/workload-token.ts';

const algorithms = {
  RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
  ES256: generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey,
  ES384: generateKeyPairSync('ec', { namedCurve: 'secp384r1' }).privateKey,
} as const;
type Algorithm = keyof typeof algorithms;
const names = Object.keys(algorithms) as Algorithm[];

function jwkOf(key: KeyObject, kid = 'k'): PublicJwk {
  const { kty, n, e, crv, x, y } = createPublicKey(key).export({ format: 'jwk' });
  return publicJwk.parse(kty === 'RSA' ? { kty, kid, n, e } : { kty, kid, crv, x, y });
}

const claims = { iss: 'https://issuer.example', sub: 's', aud: 'a', iat: 1, exp: 2, jti: 'j' };
const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
function made(alg: Algorithm, over: { header?: object; claims?: object; body?: string } = {}): string {
  const signed = `${part({ alg, kid: 'k', ...over.header })}.${over.body ?? part({ ...claims, ...over.claims })}`;
  const key = algorithms[alg];
  const how = alg === 'RS256' ? key : { key, dsaEncoding: 'ieee-p1363' as const };
  return `${signed}.${sign(alg === 'ES384' ? 'sha384' : 'sha256', Buffer.from(signed), how).toString('base64url')}`;
}
const refuses = (text: string) => expect(() => readWorkloadToken(text)).toThrow();

describe('a workload token', () => {
  it('holds under its own key and under no other, whatever algorithm it says', () => {
    for (const alg of names) {
      const token = readWorkloadToken(made(alg));
      expect(names.filter((other) => token.verify(jwkOf(algorithms[other])))).toEqual([alg]);
      expect(token.verify(jwkOf(algorithms[alg], 'another'))).toBe(false);
    }
  });

  it('is refused with a type of ours, without a kid, with another algorithm, with something critical in it', () => {
    for (const typ of ['wit+jwt', 'wpt+jwt', 'deed-task+jwt', 'deed-assertion+jwt', 'at+jwt', 1])
      refuses(made('ES256', { header: { typ } }));
    for (const header of [
      { alg: 'none' },
      { alg: 'HS256' },
      { alg: 'PS256' },
      { alg: 'ES512' },
      { kid: undefined },
      { kid: '' },
    ])
      refuses(made('ES256', { header }));
    for (const header of [{ crit: ['exp'] }, { b64: false }]) refuses(made('ES256', { header }));
    expect(readWorkloadToken(made('ES256', { header: { typ: 'jwt' } })).issuer).toBe(claims.iss);
  });

  it('is refused with a claim twice, without times or issuer, and when it is too large', () => {
    refuses(
      made('ES256', { body: Buffer.from('{"iss":"a","iat":1,"exp":2,"sub":"x","sub":"y"}').toString('base64url') }),
    );
    for (const over of [{ iss: 1 }, { iat: undefined }, { exp: '2' }, { exp: 1.5 }, { iat: -1 }])
      refuses(made('ES256', { claims: over }));
    refuses(made('ES256', { claims: { pad: 'x'.repeat(17_000) } }));
    for (const text of ['', 'a.b', 'a.b.c.d', `${made('ES256')}=`]) refuses(text);
  });

  it('is used up by what it says, not by how it is signed', () => {
    const [one, two] = [made('ES256'), made('ES256')];
    expect(one).not.toBe(two);
    expect(readWorkloadToken(one).uses).toEqual(readWorkloadToken(two).uses);
    expect(readWorkloadToken(made('ES256', { claims: { jti: undefined } })).uses).toHaveLength(1);
    const other = readWorkloadToken(made('ES256', { claims: { run: 2 } })).uses;
    expect(other.filter((use) => readWorkloadToken(one).uses.includes(use))).toHaveLength(1);
  });

  it('of any bytes is read or refused by a coded error', () => {
    const text = fc.oneof(
      fc.string(),
      fc.array(fc.base64String(), { maxLength: 4 }).map((parts) => parts.join('.')),
    );
    fc.assert(
      fc.property(text, (given) => {
        expect(() => readWorkloadToken(given)).toThrow(expect.objectContaining({ code: expect.any(String) }));
      }),
    );
  });
});

describe('a JWK set', () => {
  it('gives the keys that can sign, by the members that make them, and the SPKI that Node makes of each', () => {
    const listed = names.map((name, i) => ({ ...jwkOf(algorithms[name], `${i}`), alg: name, use: 'sig', x5t: 'AAAA' }));
    const others = [
      { ...listed[0], kid: 'e', use: 'enc' },
      { kty: 'oct', k: 'AAAA', kid: 'o' },
      { ...listed[1], kid: undefined },
      null,
    ];
    const keys = readJwkSet(JSON.stringify({ keys: [...listed, ...others] }));
    expect(keys.map(({ kid }) => kid)).toEqual(['0', '1', '2']);
    keys.forEach((key, i) => {
      const node = createPublicKey(algorithms[names[i] ?? 'RS256']).export({ format: 'der', type: 'spki' });
      expect(Buffer.from(spkiOfJwk(key)).equals(node)).toBe(true);
      expect(keys.filter((other) => isSameKey(key, other))).toHaveLength(1);
    });
  });

  it('is refused with two keys under one kid, or when it is none; a key that is no sound one when it is used', () => {
    const key = jwkOf(algorithms.ES256);
    for (const set of [{ keys: [key, { ...jwkOf(algorithms.RS256) }] }, {}, { keys: {} }, []])
      expect(() => readJwkSet(JSON.stringify(set))).toThrow();
    const small = jwkOf(generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey);
    const three = jwkOf(generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 }).privateKey);
    for (const bad of [small, three]) expect(() => spkiOfJwk(bad)).toThrow(expect.objectContaining({ code: 'key' }));
  });
});

describe('RSA where the platform has none', () => {
  const jwk = jwkOf(algorithms.RS256);
  if (jwk.kty !== 'RSA') throw new Error('not RSA');
  const rsa = { modulus: fromBase64Url(jwk.n), exponent: fromBase64Url(jwk.e) };
  const message = utf8('what is signed');
  const signature = new Uint8Array(sign('sha256', message, algorithms.RS256));

  it('says what Node says, of sound signatures and of changed ones', () => {
    expect(verifyRsaSha256(rsa, message, signature)).toBe(true);
    expect(verifyRsaSha256(rsa, utf8('another'), signature)).toBe(false);
    fc.assert(
      fc.property(fc.nat(signature.length * 8 - 1), (bit) => {
        const changed = Uint8Array.from(signature);
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(verifyRsaSha256(rsa, message, changed)).toBe(false);
      }),
      { numRuns: 20 },
    );
    expect(verifyRsaSha256(rsa, message, signature.slice(1))).toBe(false);
    expect(verifyRsaSha256(rsa, message, new Uint8Array(256).fill(0xff))).toBe(false);
  });

  it('refuses another padding and another hash, however the key made them', () => {
    const raw = (hex: string) =>
      new Uint8Array(
        privateEncrypt({ key: algorithms.RS256, padding: constants.RSA_NO_PADDING }, Buffer.from(hex, 'hex')),
      );
    const digest = '3031300d060960864801650304020105000420';
    const hash = '11'.repeat(32);
    const short = `0001ffffffffffffffff00${digest}${hash}`;
    expect(verifyRsaSha256(rsa, message, raw(short + '00'.repeat(256 - short.length / 2)))).toBe(false);
    expect(verifyRsaSha256(rsa, message, new Uint8Array(sign('sha512', message, algorithms.RS256)))).toBe(false);
    const pss = sign('sha256', message, { key: algorithms.RS256, padding: constants.RSA_PKCS1_PSS_PADDING });
    expect(verifyRsaSha256(rsa, message, new Uint8Array(pss))).toBe(false);
  });
});

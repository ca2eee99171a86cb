import { createPublicKey } from 'node:crypto';
import { calculateJwkThumbprint, exportJWK, SignJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import { toBase64Url, utf8 } from '../src/encoding.ts';
import { DeedError } from '../src/errors.ts';
import { jwkThumbprint } from '../src/jwk.ts';
import { maxJwtBytes, parseJwt } from '../src/jwt.ts';
import { makeJwt, newSigner } from './support/actors.ts';

const signer = newSigner();
const typ = 'wpt+jwt';

describe('jwk and jwt agree with jose', () => {
  it('about the thumbprint of a key', async () => {
    for (let i = 0; i < 20; i++) {
      const { spki } = newSigner();
      const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
      expect(jwkThumbprint(spki)).toBe(await calculateJwkThumbprint(await exportJWK(key)));
    }
  });

  it('about a signed token', async () => {
    for (let i = 0; i < 40; i++) {
      const text = await new SignJWT({ task: `tsk ${i}` })
        .setProtectedHeader({ alg: 'ES256', typ })
        .sign(signer.privateKey);
      const jwt = parseJwt(text, typ);
      expect(jwt.claims).toEqual({ task: `tsk ${i}` });
      expect(jwt.verify(signer.spki)).toBe(true);
      expect(jwt.verify(newSigner().spki)).toBe(false);
    }
  });
});

describe('parseJwt refuses', () => {
  const good = makeJwt(signer, typ, { a: 1 });
  const [head = '', body = '', sig = ''] = good.split('.');
  const part = (value: string) => toBase64Url(utf8(value));
  const wrong: Readonly<Record<string, string>> = {
    'another type': makeJwt(signer, 'deed-task+jwt', { a: 1 }),
    'no algorithm': `${part(`{"alg":"none","typ":"${typ}"}`)}.${body}.${sig}`,
    'another algorithm': `${part(`{"alg":"HS256","typ":"${typ}"}`)}.${body}.${sig}`,
    'critical headers': `${part(`{"alg":"ES256","typ":"${typ}","crit":["b64"]}`)}.${body}.${sig}`,
    'an unencoded payload': `${part(`{"alg":"ES256","typ":"${typ}","b64":false}`)}.${body}.${sig}`,
    'two equal claims': `${head}.${part('{"a":1,"a":2}')}.${sig}`,
    'claims that are no object': `${head}.${part('[1]')}.${sig}`,
    padding: `${head}=.${body}.${sig}`,
    'four parts': `${good}.${sig}`,
    'two parts': `${head}.${body}`,
    'a short signature': `${head}.${body}.${sig.slice(0, 84)}`,
    'a signature in DER': `${head}.${body}.${toBase64Url(signer.sign(utf8(`${head}.${body}`)))}`,
    'more than 16 KiB': `${head}.${'A'.repeat(maxJwtBytes)}.${sig}`,
    nothing: '',
  };
  for (const [sentence, text] of Object.entries(wrong)) {
    it(sentence, () => {
      expect(() => parseJwt(text, typ)).toThrow(DeedError);
    });
  }

  it('nothing that its key made, and every changed part of it', () => {
    expect(parseJwt(good, typ).verify(signer.spki)).toBe(true);
    expect(parseJwt(`${head}.${part('{"a":2}')}.${sig}`, typ).verify(signer.spki)).toBe(false);
    expect(parseJwt(`${head}.${body}.${'A'.repeat(86)}`, typ).verify(signer.spki)).toBe(false);
  });

  it('keys that are not P-256', () => {
    expect(() => jwkThumbprint(new Uint8Array(91))).toThrow(DeedError);
    expect(() => jwkThumbprint(new Uint8Array(44))).toThrow(DeedError);
  });
});

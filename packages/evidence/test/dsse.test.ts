import { sign } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { proves } from '../../../tests/promises.ts';
import { decodeEnvelope, encodeEnvelope, pae, statementDigest, verifyEnvelope } from '../src/dsse.ts';
import { fromUtf8, toBase64, toHex, utf8 } from '../src/encoding.ts';
import { DeedError } from '../src/errors.ts';
import { isStrictDer, sha256 } from '../src/platform.ts';
import { newSigner } from './support/actors.ts';

const signer = newSigner();
const payload = utf8('{"hello":"world"}');
const envelope = { payload, keyid: signer.keyid, signature: signer.sign(pae(payload)) };
const text = fromUtf8(encodeEnvelope(envelope));

describe('an envelope', () => {
  it('encodes what is signed as DSSE says', () => {
    expect(fromUtf8(pae(utf8('hello')))).toBe('DSSEv1 28 application/vnd.in-toto+json 5 hello');
    expect(toHex(statementDigest(payload))).toBe(toHex(sha256(pae(payload))));
  });

  it('is read back as it was written, and verifies by its key alone', () => {
    proves('invariant-3');
    const read = decodeEnvelope(utf8(text));
    expect(encodeEnvelope(read)).toEqual(utf8(text));
    expect(fromUtf8(read.payload)).toBe(fromUtf8(payload));
    expect(verifyEnvelope(read, signer.spki)).toBe(true);
    expect(verifyEnvelope(read, newSigner().spki)).toBe(false);
    expect(verifyEnvelope({ ...read, keyid: newSigner().keyid }, signer.spki)).toBe(false);
    expect(verifyEnvelope({ ...read, payload: utf8('{"hello":"World"}') }, signer.spki)).toBe(false);
  });

  it('has one byte form', () => {
    const second = `,{"keyid":"${signer.keyid}","sig":"${toBase64(envelope.signature)}"}]}`;
    const others = [
      ` ${text}`,
      `${text}\n`,
      text.replace('{"payload"', '{ "payload"'),
      text.replace('"keyid"', '"keyId"'),
      text.replace(signer.keyid, signer.keyid.toUpperCase()),
      text.replace('in-toto+json', 'in-toto+JSON'),
      text.replace(']}', second),
      text.replace(/"signatures":.*$/, '"signatures":[]}'),
      text.replace('}]}', ',"cert":""}]}'),
      text.replace(toBase64(payload), `${toBase64(payload).replace(/=+$/, '')}`),
      text.replace(toBase64(payload), toBase64(utf8('not JSON'))),
      text.replace(toBase64(payload), toBase64(utf8('{"a":1,"a":2}'))),
    ];
    for (const other of others) expect(() => decodeEnvelope(utf8(other))).toThrow(DeedError);
  });
});

describe('a signature', () => {
  it('is accepted in the DER that every library writes', () => {
    for (let i = 0; i < 100; i++) {
      const der = sign('sha256', utf8(String(i)), signer.privateKey);
      expect(isStrictDer(der)).toBe(true);
    }
  });

  it('is refused in any other form of the same numbers', () => {
    const der = Buffer.from('3006020101020101', 'hex');
    expect(isStrictDer(der)).toBe(true);
    const wrong = {
      empty: '',
      'a longer length': '308106020101020101',
      'a padded integer': '300702020001020101',
      'a negative integer': '3006020181020101',
      zero: '3006020100020101'.replace('020100', '0200'),
      'an integer of no bytes': '300502000201010',
      'another tag': '3106020101020101',
      'another tag inside': '3006030101020101',
      'bytes after': '300602010102010100',
      'bytes after inside': '30080201010201010000',
      'too short': '30060201010201',
      'an indefinite length': '30800201010201010000',
      'an integer of 34 bytes': `30${(0x24 + 3).toString(16)}0222${'01'.repeat(34)}020101`,
    };
    for (const [name, hex] of Object.entries(wrong))
      expect([name, isStrictDer(Buffer.from(hex, 'hex'))]).toEqual([name, false]);
    fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => typeof isStrictDer(bytes) === 'boolean'));
  });
});

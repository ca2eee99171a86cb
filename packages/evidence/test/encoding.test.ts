import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  concat,
  equalBytes,
  fromBase64,
  fromBase64Url,
  fromHex,
  fromUtf8,
  toBase64,
  toBase64Url,
  toHex,
  utf8,
} from '../src/encoding.ts';
import { EvidenceError } from '../src/errors.ts';

const bytes = fc.uint8Array({ maxLength: 100 });
const codecs = [
  { name: 'hex', to: toHex, from: fromHex },
  { name: 'base64', to: toBase64, from: fromBase64 },
  { name: 'base64url', to: toBase64Url, from: fromBase64Url },
];

describe('encodings have one spelling', () => {
  for (const { name, to, from } of codecs) {
    it(`${name} gives back what went in`, () => {
      fc.assert(fc.property(bytes, (value) => equalBytes(from(to(value)), value)));
    });

    it(`${name} accepts no text but the one that it would write`, () => {
      const text = fc.oneof(
        fc.string(),
        fc.base64String(),
        bytes.map(to).map((known) => `${known.slice(1)}=`),
      );
      fc.assert(
        fc.property(text, (spelled) => {
          try {
            expect(to(from(spelled))).toBe(spelled);
          } catch (error) {
            expect(error).toBeInstanceOf(EvidenceError);
            expect(error).toMatchObject({ code: 'encoding' });
          }
        }),
      );
    });
  }

  it('base64 with stray bits, without padding or with line ends is refused', () => {
    for (const text of ['AB==', 'AA=', 'AA', 'AAAA\n', 'A A=', 'AA==AA==', 'AA-_']) {
      expect(() => fromBase64(text)).toThrow(EvidenceError);
    }
    for (const text of ['AB', 'AA==', 'AA+/', 'A']) expect(() => fromBase64Url(text)).toThrow(EvidenceError);
    for (const text of ['AB', 'a', '0x00', 'zz']) expect(() => fromHex(text)).toThrow(EvidenceError);
  });

  it('UTF-8 is strict and keeps a byte order mark', () => {
    expect(fromUtf8(utf8('\ufeffæ'))).toBe('\ufeffæ');
    for (const wrong of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xe2, 0x82]]) {
      expect(() => fromUtf8(Uint8Array.from(wrong))).toThrow(EvidenceError);
    }
  });

  it('concat and equalBytes say what they say', () => {
    fc.assert(
      fc.property(bytes, bytes, (a, b) => {
        expect(concat(a, b)).toEqual(new Uint8Array([...a, ...b]));
        expect(equalBytes(a, b)).toBe(Buffer.compare(a, b) === 0);
      }),
    );
  });
});

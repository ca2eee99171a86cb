import { describe, expect, it } from 'vitest';
import { warningsOf } from '../src/lookalikes.ts';

describe('what may deceive a reader is said', () => {
  const said = (text: string) => warningsOf(text).join('\n');

  it('of characters that cannot be seen', () => {
    for (const hidden of ['a\u202eb', 'a\u200bb', 'a\u00adb', 'a\u{e0061}b', 'a\u2066b', 'a\u3164b'])
      expect(said(hidden)).toMatch(/cannot be seen/);
  });

  it('of words that mix scripts, with the letters that are not what they seem', () => {
    expect(said('pay to p\u0430ypal')).toMatch(/"p\u0430ypal" \(U\+0430\) mixes Latin and Cyrillic/);
    expect(said('\u0391dmin')).toMatch(/mixes Latin and Greek/);
  });

  it('of words of another script that are drawn as Latin ones', () => {
    expect(said('\u0441\u043e\u0440')).toMatch(/looks Latin and is Cyrillic/);
    expect(said('\u0391\u0392\u0395')).toMatch(/looks Latin and is Greek/);
  });

  it('of letters in another form', () => {
    expect(said('\uff41dmin')).toMatch(/is another form of "admin"/);
    expect(said('\u{1d41a}dmin')).toMatch(/is another form of "admin"/);
  });

  it('of length', () => {
    expect(said('a b '.repeat(5000))).toMatch(/20000 characters long/);
  });

  it('and of nothing in honest texts of any language', () => {
    for (const text of ['push to refs/heads/fix', 'Grüße, naïve café', 'Привет, мир', 'Καλημέρα κόσμε', '東京', 'שלום'])
      expect([text, warningsOf(text)]).toEqual([text, []]);
  });

  it('and does not drown the reader', () => {
    const many = Array.from({ length: 40 }, (_, i) => `p\u0430y${i}`).join(' ');
    expect(warningsOf(many)).toHaveLength(9);
    expect(warningsOf(many).at(-1)).toBe('and 32 words more like these');
  });
});

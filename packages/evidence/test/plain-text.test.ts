import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isPlainText, plainLine, plainText } from '../src/plain-text.ts';

test('what a person cannot see becomes a visible escape', () => {
  expect(plainText('pay \u202egro.live\u202c')).toBe('pay \\u{202E}gro.live\\u{202C}');
  expect(plainText('a\u200bb\u00adc\u{e0041}d\u2800e\u00a0f\ufe0fg\tH\x1b[2J')).toBe(
    'a\\u{200B}b\\u{AD}c\\u{E0041}d\\u{2800}e\\u{A0}f\\u{FE0F}g\\u{9}H\\u{1B}[2J',
  );
  expect(plainText('line\nline \u00e9\u6f22 \u{1f600}')).toBe('line\nline \u00e9\u6f22 \u{1f600}');
  expect(plainLine('one\ntwo')).toBe('one\\u{A}two');
});

test('an escape cannot be forged: a backslash that looks like one is escaped itself', () => {
  expect(plainText('\\u{202E}')).toBe('\\u{5C}u{202E}');
  expect(plainText('C:\\users\\u')).toBe('C:\\users\\u');
});

test('every text becomes plain, and no two texts become the same', () => {
  const text = fc.string({
    unit: fc.oneof(fc.constantFrom('\\', 'u', '{', '5', 'C', '}', '\u202e', '\n'), fc.string()),
  });
  fc.assert(fc.property(text, (a) => isPlainText(plainText(a)) && isPlainText(plainLine(a))));
  fc.assert(fc.property(text, text, (a, b) => a === b || plainText(a) !== plainText(b)));
});

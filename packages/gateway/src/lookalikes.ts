import { isPlainText, plainLine } from '@deed/evidence';

/** Letters of other scripts that are drawn as Latin ones (UTS 39 "confusables", those that fonts draw alike). */
const drawnAsLatin = new Set('асеорхуіјѕһԁԛԝɡΑΒΕΖΗΙΚΜΝΟΡΤΥΧАВЕКМНОРСТХІЈЅοορνικյօսոһ');
const scripts = ['Latin', 'Cyrillic', 'Greek', 'Armenian', 'Cherokee', 'Georgian', 'Hebrew', 'Arabic'] as const;
const patterns = scripts.map((name) => ({ name, pattern: new RegExp(`\\p{Script=${name}}`, 'u') }));
const maxShown = 8;
const long = 10_000;

/**
 * What may deceive somebody who reads a text that another party chose: characters that are not seen, words that mix scripts or are
 * drawn as Latin ones without being it, letters in compatibility forms, sheer length. One line each; empty where nothing is found.
 */
export function warningsOf(text: string): readonly string[] {
  const words = [...new Set(text.normalize('NFC').match(/[\p{L}\p{M}\p{N}]+/gu) ?? [])];
  return [
    ...(isPlainText(text) ? [] : ['holds characters that cannot be seen; they are shown as \\u{...}']),
    ...some(
      words.filter((word) => scriptsOf(word).length > 1),
      (word) => `mixes ${scriptsOf(word).join(' and ')} letters`,
    ),
    ...some(words.filter(isDrawnAsLatin), (word) => `looks Latin and is ${scriptsOf(word).join()}`),
    ...some(
      words.filter((word) => /^[\x20-\x7e]+$/.test(word.normalize('NFKC')) && word !== word.normalize('NFKC')),
      (word) => `is another form of "${word.normalize('NFKC')}"`,
    ),
    ...(text.length > long ? [`is ${text.length} characters long: read to the end`] : []),
  ];
}

function some(words: readonly string[], what: (word: string) => string): readonly string[] {
  const shown = words.slice(0, maxShown).map((word) => `"${plainLine(word)}" (${pointsOf(word)}) ${what(word)}`);
  return words.length > maxShown ? [...shown, `and ${words.length - maxShown} words more like these`] : shown;
}

function scriptsOf(word: string): readonly string[] {
  return patterns.filter(({ pattern }) => pattern.test(word)).map(({ name }) => name);
}

function isDrawnAsLatin(word: string): boolean {
  const letters = [...word].filter((letter) => /\p{L}/u.test(letter));
  return letters.length > 0 && letters.every((letter) => drawnAsLatin.has(letter));
}

/** The letters that are not ASCII, by their code points. */
function pointsOf(word: string): string {
  const others = [...word].filter((letter) => (letter.codePointAt(0) ?? 0) > 0x7e);
  return others
    .slice(0, 6)
    .map((letter) => `U+${(letter.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`)
    .join(' ');
}

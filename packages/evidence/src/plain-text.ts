/**
 * Characters that a person cannot see, or that make a text look like another: controls, format characters (zero width, bidi,
 * tags), default-ignorable ones (variation selectors, fillers), line and paragraph separators, unassigned, private and lone
 * surrogates, the empty braille pattern, and every space but U+0020.
 */
const hidden = /\p{Cc}|\p{Cf}|\p{Default_Ignorable_Code_Point}|\p{Zl}|\p{Zp}|\p{Co}|\p{Cs}|\p{Cn}|\u2800|(?! )\p{Zs}/u;
const hiddenAll = new RegExp(hidden.source, 'gu');
const looksEscaped = /\\(?=u\{)/g;

/**
 * Shows text from an untrusted place: each hidden character becomes a visible escape such as `\u{202E}`. Line feeds stay,
 * tabs become escapes; a backslash that would look like such an escape is escaped itself. Use {@link plainLine} for a field.
 */
export function plainText(text: string): string {
  return text
    .replace(looksEscaped, '\\u{5C}')
    .replace(hiddenAll, (c) => (c === '\n' ? c : `\\u{${(c.codePointAt(0) ?? 0).toString(16).toUpperCase()}}`));
}

/** As {@link plainText}, and line feeds are escaped too: a value can not forge a line of the rendering around it. */
export function plainLine(text: string): string {
  return plainText(text).replaceAll('\n', '\\u{A}');
}

/** True if the text shows all that it holds. */
export function isPlainText(text: string): boolean {
  return !hidden.test(text.replaceAll('\n', ''));
}

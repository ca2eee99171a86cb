/** Another reader might take these for a separator, or for nothing. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const ambiguous = /[\\\u0000-\u001f\u007f-\u009f\p{Cf}\u2028\u2029]|%(2e|2f|5c|25|00)/iu;

/**
 * The segments of an absolute path in its one spelling, or null: form C, no `.` or `..`, no empty segment (one slash at the end is
 * dropped), no backslash, no control or invisible character, no percent-encoded separator, dot or percent sign.
 */
export function readPath(path: string): readonly string[] | null {
  if (!path.startsWith('/') || path !== path.normalize('NFC') || ambiguous.test(path)) return null;
  const inner = path.slice(1).replace(/\/$/, '');
  if (inner === '') return path === '/' ? [] : null;
  const segments = inner.split('/');
  return segments.some((segment) => segment === '' || segment === '.' || segment === '..') ? null : segments;
}

/** Segment by segment: /a/b is within /a, /ab is not. False where either has no one spelling. */
export function isWithin(path: string, folder: string): boolean {
  const [inner, outer] = [readPath(path), readPath(folder)];
  return inner !== null && (outer?.every((segment, i) => inner[i] === segment) ?? false);
}

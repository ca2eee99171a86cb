import { plainLine } from '@deed/evidence';

/**
 * The same value with every string made plain: what others wrote (an objective, a path, a tool's name) must not move the
 * cursor, colour a word or turn the direction of the text when it is printed at a terminal.
 */
export function visible<T>(value: T): T {
  return deep(value) as T;
}

function deep(value: unknown): unknown {
  if (typeof value === 'string') return plainLine(value);
  if (Array.isArray(value)) return value.map(deep);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, deep(inner)]));
}

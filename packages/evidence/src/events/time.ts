import type { Comparable } from './source-event.ts';

export const timeForms = ['iso', 'iso-utc', 'unix-s', 'unix-ms', 'unix-us'] as const;
export type TimeForm = (typeof timeForms)[number];

const plain = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const iso = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?(?: ?(Z|UTC|[+-]\d\d(?::?\d\d)?))?$/i;
const perMs = { 'unix-s': 1000, 'unix-ms': 1, 'unix-us': 0.001 } as const;
const [earliestMs, latestMs] = [Date.UTC(1990, 0), Date.UTC(2200, 0)];

/**
 * A time as a system writes it, as ISO 8601 in UTC with milliseconds, finer parts cut off; null if it is none between 1990 and 2200. A time
 * without an offset is none, except where the form says that it is UTC (`iso-utc`).
 */
export function readTime(value: Comparable | undefined, form: TimeForm): string | null {
  if (form === 'iso' || form === 'iso-utc') return typeof value === 'string' ? readIso(value, form) : null;
  const number = typeof value === 'string' && /^\d{1,17}(\.\d{1,9})?$/.test(value) ? Number(value) : value;
  return typeof number === 'number' ? textOf(Math.floor(number * perMs[form])) : null;
}

function readIso(value: string, form: 'iso' | 'iso-utc'): string | null {
  const [, day, clock, fraction = '', offset = ''] = iso.exec(value) ?? [];
  if (day === undefined || (offset === '' && form === 'iso')) return null;
  const [, sign = '+', hours = '00', minutes = '00'] = /^([+-])(\d\d):?(\d\d)?$/.exec(offset) ?? [];
  const zone = `${sign}${hours}:${minutes}`;
  const text = textOf(Date.parse(`${day}T${clock}.${fraction.slice(0, 3).padEnd(3, '0')}${zone}`));
  return text !== null && plain.test(value) && text !== value ? null : text;
}

function textOf(ms: number): string | null {
  return ms >= earliestMs && ms < latestMs ? new Date(ms).toISOString() : null;
}

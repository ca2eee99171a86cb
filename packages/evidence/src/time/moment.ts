import { fromUtf8 } from '../encoding.ts';
import { EvidenceError } from '../errors.ts';
import { type Der, tags } from './der.ts';

/** UTCTime of a certificate: two digits of the year (RFC 5280 section 4.1.2.5.1), seconds, `Z`. */
const utc = /^(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/;
/** GeneralizedTime in DER: a fraction has no zeros at its end (RFC 3161 section 2.4.2). */
const generalized = /^(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(?:\.(\d{0,8}[1-9]))?Z$/;

/** The moment of a time element, in milliseconds since 1970, a smaller fraction rounded up. @throws EvidenceError timestamp */
export function momentOf({ tag, content }: Der): number {
  const text = tag === tags.utcTime || tag === tags.generalizedTime ? fromUtf8(content) : '';
  const match = (tag === tags.utcTime ? utc : generalized).exec(text);
  if (!match) throw bad('a time that is not UTC in DER form');
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1, 7).map(Number);
  const full = tag === tags.utcTime ? year + (year < 50 ? 2000 : 1900) : year;
  const whole = Date.UTC(full, month - 1, day, hour, minute, second);
  const again = new Date(whole)
    .toISOString()
    .replace(/[^0-9]/g, '')
    .slice(0, 14);
  const digits = [String(full).padStart(4, '0'), ...match.slice(2, 7)].join('');
  if (again !== digits) throw bad('a time that does not exist');
  return whole + Math.ceil(Number(`0.${match[7] ?? 0}`) * 1000);
}

function bad(message: string): EvidenceError {
  return new EvidenceError('timestamp', message);
}

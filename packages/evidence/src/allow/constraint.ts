import { z } from 'zod';
import type { Json } from '../json.ts';
import { isWithin, readPath } from './path.ts';

const integer = z.number().int().min(Number.MIN_SAFE_INTEGER).max(Number.MAX_SAFE_INTEGER);
/** A fraction is not compared: two writings of one number would be two values. */
const scalar = z.union([z.string().max(4096), integer, z.boolean(), z.null()]);
export type Scalar = z.infer<typeof scalar>;

export const folder = z
  .string()
  .max(4096)
  .refine((path) => readPath(path) !== null, 'an absolute path in one spelling: docs/formats/token.md');

/** What one argument may be. Closed: no patterns, no prefix of text (docs/formats/token.md). */
export const constraint = z.union([
  z.strictObject({ exact: scalar }),
  z.strictObject({ set: z.array(scalar).min(1).max(256) }),
  z.strictObject({ under: z.array(folder).min(1).max(64) }),
  z
    .strictObject({ min: integer.optional(), max: integer.optional() })
    .refine(({ min, max }) => min !== undefined || max !== undefined, 'a range has an end'),
]);
export type Constraint = z.infer<typeof constraint>;

/** An argument as it was sent. */
export interface Argument {
  readonly value: Json;
  /** Its exact source text. */
  readonly raw: string;
}

const plainInteger = /^(0|-?[1-9][0-9]*)$/;

/** True if the constraint admits the argument. One that is absent, or a number in another writing (1.0, 1e2), is not admitted. */
export function satisfies(by: Constraint, argument: Argument | undefined): boolean {
  if (!argument) return false;
  const { value, raw } = argument;
  if (typeof value === 'number' && !(plainInteger.test(raw) && Number.isSafeInteger(value))) return false;
  if ('exact' in by) return value === by.exact;
  if ('set' in by) return by.set.some((each) => each === value);
  if ('under' in by) return typeof value === 'string' && by.under.some((outer) => isWithin(value, outer));
  return typeof value === 'number' && value >= (by.min ?? -Infinity) && value <= (by.max ?? Infinity);
}

/** True if whatever `inner` admits, `outer` admits. May be false for two that hold the same by chance, never true wrongly. */
export function isNarrower(inner: Constraint, outer: Constraint): boolean {
  const values = 'exact' in inner ? [inner.exact] : 'set' in inner ? inner.set : null;
  if (values) return values.every((value) => satisfies(outer, { value, raw: JSON.stringify(value) }));
  if ('under' in inner) {
    return 'under' in outer && inner.under.every((path) => outer.under.some((wide) => isWithin(path, wide)));
  }
  if (!('min' in outer || 'max' in outer) || !('min' in inner || 'max' in inner)) return false;
  return (
    (inner.min ?? Number.NEGATIVE_INFINITY) >= (outer.min ?? Number.NEGATIVE_INFINITY) &&
    (inner.max ?? Number.POSITIVE_INFINITY) <= (outer.max ?? Number.POSITIVE_INFINITY)
  );
}

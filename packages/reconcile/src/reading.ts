import { z } from 'zod';
import type { Reading, SourceCheck } from './connector.ts';

/** How long after it happened an event may still appear, where it is not as the mapping says. */
export const lagSeconds = z
  .number()
  .int()
  .min(0)
  .max(7 * 86_400)
  .optional();

/** Where a source ends now: what it holds already is passed over. */
export function endOf<Position>(
  read: (from: Position, limit: number) => Reading<Position>,
  first: Position,
): Reading<Position> {
  let reading = read(first, 100_000);
  while (reading.more) reading = read(reading.to, 100_000);
  return { ...reading, records: [], problems: [], gaps: [] };
}

/** One thing that a source needs: what is found there, or why it cannot be had. */
export function looked(what: string, look: () => string): SourceCheck {
  try {
    return { what, ok: true, detail: look() };
  } catch (cause) {
    return { what, ok: false, detail: (cause as Error).message };
  }
}

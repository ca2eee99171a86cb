import { type PayloadRef, payloadRef } from './predicates.ts';
import type { Statement } from './statement.ts';

/** Every payload that a statement points to, wherever in its body it does. */
export function payloadRefs(statement: Statement): PayloadRef[] {
  const found: PayloadRef[] = [];
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    const ref = payloadRef.safeParse(value);
    if (ref.success) found.push(ref.data);
    else for (const inner of Object.values(value)) visit(inner);
  };
  visit(statement.body);
  return found;
}

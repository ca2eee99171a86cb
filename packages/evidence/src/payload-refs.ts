import { EvidenceError } from './errors.ts';
import { exchangeType, parseExchange, piecesOf } from './model/exchange.ts';
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

/**
 * The same with the pieces of each exchange among them that is at hand: what an exchange consists of is listed in it, and not in the
 * statement.
 * @param open the bytes of a payload, or undefined where they are not at hand
 */
export function heldRefs(statement: Statement, open: (ref: PayloadRef) => Uint8Array | undefined): PayloadRef[] {
  return payloadRefs(statement).flatMap((ref) => {
    const bytes = ref.type === exchangeType && ref.kept ? open(ref) : undefined;
    return bytes ? [ref, ...piecesIn(bytes)] : [ref];
  });
}

/** Of what is no exchange there are none: the check `actions` says so. */
function piecesIn(bytes: Uint8Array): PayloadRef[] {
  try {
    return piecesOf(parseExchange(bytes));
  } catch (error) {
    if (error instanceof EvidenceError) return [];
    throw error;
  }
}

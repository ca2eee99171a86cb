import { EvidenceError, type ExchangeBody, joinBody, parseExchange, pieceType } from '@deed/evidence';
import { bytesText, el, fold } from './dom.ts';
import { content } from './payloads.ts';
import type { HeldCase, HeldStatement } from './read-case.ts';

/** What the model was asked and what it answered, of the prompt that led to an action: put together from the pieces that are here. */
export function promptFolds(statements: readonly HeldStatement[], held: HeldCase): readonly HTMLElement[] {
  return statements.flatMap(({ statement }) => {
    const ref = statement?.predicate === 'intent' ? statement.body.prompt?.exchange : undefined;
    const found = ref ? held.payload(ref) : undefined;
    if (found?.state !== 'here') return [];
    const exchange = readable(() => parseExchange(found.bytes));
    if (!exchange) return [];
    return [
      ...bodyFold('What the model was asked', exchange.request.body, held),
      ...(exchange.response ? bodyFold('What the model answered', exchange.response.body, held) : []),
    ];
  });
}

function bodyFold(title: string, body: ExchangeBody, held: HeldCase): HTMLElement[] {
  const bytes = readable(() =>
    joinBody(body, (sha256) => {
      const piece = held.payload({ sha256, size: 0, type: pieceType, kept: true });
      return piece.state === 'here' ? piece.bytes : undefined;
    }),
  );
  if (!bytes) return [];
  const summary = [el('span', {}, title), el('span', { class: 'dim' }, bytesText(bytes.length))];
  return [fold(summary, () => [content(bytes)], { kind: 'payload' })];
}

/** Undefined for what is not in form: the verifier says so, and the page never does. */
function readable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof EvidenceError) return undefined;
    throw error;
  }
}

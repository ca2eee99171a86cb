import { type PayloadRef, payloadRef } from '@deed/evidence';
import type { HeldStatement } from './read-case.ts';

const titles: Readonly<Record<string, string>> = {
  record: 'The call, as it was fixed',
  result: 'The answer',
  effects: 'What the gateway saw happen',
  evidence: 'Token, proof and message',
  inputs: 'What policy was asked',
  rendering: 'What the person was shown',
  exchange: 'What passed between the agent and its model, by its pieces',
  objective: 'The order',
  principal: 'On whose behalf',
  allow: 'What was allowed',
};

export interface NamedPayload {
  readonly title: string;
  /** The first statement that points to it. */
  readonly of: string;
  readonly ref: PayloadRef;
}

/** The payloads that statements point to, each once, under a name for the field that does. */
export function namedPayloads(statements: readonly HeldStatement[]): readonly NamedPayload[] {
  const found = new Map<string, NamedPayload>();
  const visit = (value: unknown, key: string, of: string): void => {
    if (typeof value !== 'object' || value === null) return;
    const ref = payloadRef.safeParse(value);
    if (!ref.success) for (const [name, inner] of Object.entries(value)) visit(inner, name, of);
    else if (!found.has(ref.data.sha256)) found.set(ref.data.sha256, { title: titles[key] ?? key, of, ref: ref.data });
  };
  for (const { index, statement } of statements) {
    if (statement) visit(statement.body, '', `${statement.predicate} at log index ${index ?? 'unknown'}`);
  }
  return [...found.values()];
}

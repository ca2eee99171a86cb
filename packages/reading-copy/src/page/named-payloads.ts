import { type PayloadRef, payloadRef } from '@deed/evidence';

const titles: Readonly<Record<string, string>> = {
  record: 'The call, as it was fixed',
  result: 'The answer',
  effects: 'What the gateway saw happen',
  evidence: 'Token, proof and message',
  inputs: 'What policy was asked',
  rendering: 'What the person was shown',
  objective: 'The order',
  principal: 'On whose behalf',
  allow: 'What was allowed',
};

export interface NamedPayload {
  readonly title: string;
  readonly ref: PayloadRef;
}

/** The payloads that the bodies of statements point to, each once, under a name for the field that does. */
export function namedPayloads(bodies: readonly unknown[]): readonly NamedPayload[] {
  const found = new Map<string, NamedPayload>();
  const visit = (value: unknown, key: string): void => {
    if (typeof value !== 'object' || value === null) return;
    const ref = payloadRef.safeParse(value);
    if (!ref.success) for (const [name, inner] of Object.entries(value)) visit(inner, name);
    else if (!found.has(ref.data.sha256)) found.set(ref.data.sha256, { title: titles[key] ?? key, ref: ref.data });
  };
  for (const body of bodies) visit(body, '');
  return [...found.values()];
}

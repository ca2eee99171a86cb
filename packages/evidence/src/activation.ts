import { z } from 'zod';
import { utf8 } from './encoding.ts';
import { EvidenceError } from './errors.ts';
import { idPattern } from './ids.ts';
import { parseStrictJson } from './json.ts';
import { count, sha256Hex, timestamp } from './predicates.ts';

const sentence = 'I put this policy into force.';
const schema = z.strictObject({
  v: z.literal(1),
  type: z.literal('deed-activation'),
  says: z.literal(sentence),
  origin: z.string(),
  /** SHA-256 of the bundle's manifest. */
  bundle: sha256Hex,
  version: count,
  person: z.string().regex(idPattern('person')),
  time: timestamp,
});
/** What a person signs to put a policy into force, under the domain `deed-activation-v1`. */
export type ActivationWord = z.infer<typeof schema>;

export function encodeActivation(fields: Omit<ActivationWord, 'v' | 'type' | 'says'>): Uint8Array {
  const { origin, bundle, version, person, time } = fields;
  return utf8(JSON.stringify({ v: 1, type: 'deed-activation', says: sentence, origin, bundle, version, person, time }));
}

/** @throws EvidenceError statement, json */
export function parseActivation(bytes: Uint8Array): ActivationWord {
  const parsed = schema.safeParse(parseStrictJson(bytes).value);
  if (!parsed.success) throw new EvidenceError('statement', `activation: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

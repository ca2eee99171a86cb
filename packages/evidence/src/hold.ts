import { z } from 'zod';
import { utf8 } from './encoding.ts';
import { EvidenceError } from './errors.ts';
import { idPattern } from './ids.ts';
import { parseStrictJson } from './json.ts';
import { timestamp } from './predicates.ts';

const sentences = {
  placed: 'I protect what is kept of this task from erasure.',
  released: 'I end this protection.',
} as const;

const schema = z.strictObject({
  v: z.literal(1),
  type: z.literal('deed-hold'),
  act: z.enum(['placed', 'released']),
  says: z.string(),
  origin: z.string(),
  task: z.string().regex(idPattern('task')),
  hold: z.string().regex(idPattern('hold')),
  reason: z.string().min(1).max(512),
  person: z.string().regex(idPattern('person')),
  time: timestamp,
});
/** What a person signs to place or to release a hold, under the domain `deed-hold-v1`. */
export type HoldWord = z.infer<typeof schema>;

export function encodeHold(fields: Omit<HoldWord, 'v' | 'type' | 'says'>): Uint8Array {
  const { act, origin, task, hold, reason, person, time } = fields;
  const says = sentences[act];
  return utf8(JSON.stringify({ v: 1, type: 'deed-hold', act, says, origin, task, hold, reason, person, time }));
}

/** @throws EvidenceError statement, json */
export function parseHold(bytes: Uint8Array): HoldWord {
  const parsed = schema.safeParse(parseStrictJson(bytes).value);
  if (!parsed.success) throw new EvidenceError('statement', `hold: ${z.prettifyError(parsed.error)}`);
  if (parsed.data.says !== sentences[parsed.data.act]) {
    throw new EvidenceError('statement', 'hold: the sentence does not fit the act');
  }
  return parsed.data;
}

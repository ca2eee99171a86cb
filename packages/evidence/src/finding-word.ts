import { z } from 'zod';
import { utf8 } from './encoding.ts';
import { EvidenceError } from './errors.ts';
import { idPattern } from './ids.ts';
import { parseStrictJson } from './json.ts';
import { findingStates, timestamp } from './predicates.ts';

const sentences = {
  open: 'I take up this finding again.',
  explained: 'I know why this happened, and it is as it should be.',
  accepted: 'I accept the risk of this finding until the time named.',
  resolved: 'What this finding names was mended.',
} as const;

const schema = z
  .strictObject({
    v: z.literal(1),
    type: z.literal('deed-finding'),
    state: z.enum(findingStates),
    says: z.string(),
    origin: z.string(),
    finding: z.string().regex(idPattern('finding')),
    until: timestamp.nullable(),
    reason: z.string().min(1).max(512),
    person: z.string().regex(idPattern('person')),
    time: timestamp,
  })
  .refine(
    ({ state, until }) => (state === 'accepted') === (until !== null),
    'a risk is accepted until a time, and only a risk',
  );
/** What a person signs who changes the state of a finding, under the domain `deed-finding-v1`. */
export type FindingWord = z.infer<typeof schema>;

export function encodeFindingWord(fields: Omit<FindingWord, 'v' | 'type' | 'says'>): Uint8Array {
  const { state, origin, finding, until, reason, person, time } = fields;
  const says = sentences[state];
  return utf8(
    JSON.stringify({ v: 1, type: 'deed-finding', state, says, origin, finding, until, reason, person, time }),
  );
}

/** @throws EvidenceError statement, json */
export function parseFindingWord(bytes: Uint8Array): FindingWord {
  const parsed = schema.safeParse(parseStrictJson(bytes).value);
  if (!parsed.success) throw new EvidenceError('statement', `finding: ${z.prettifyError(parsed.error)}`);
  if (parsed.data.says !== sentences[parsed.data.state])
    throw new EvidenceError('statement', 'finding: the sentence does not fit the state');
  return parsed.data;
}

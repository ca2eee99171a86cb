import { z } from 'zod';
import { utf8 } from './encoding.ts';
import { EvidenceError } from './errors.ts';
import { idPattern } from './ids.ts';
import { parseStrictJson } from './json.ts';
import { sha256Hex, timestamp } from './predicates.ts';

const sentences = {
  approve: 'I approve executing exactly this action, once.',
  reject: 'I reject this action.',
} as const;

const schema = z.strictObject({
  v: z.literal(1),
  type: z.literal('deed-approval'),
  decision: z.enum(['approve', 'reject']),
  says: z.string(),
  origin: z.string(),
  task: z.string().regex(idPattern('task')),
  action: z.string().regex(idPattern('action')),
  /** The action digest: name of the action record's payload object. */
  record: sha256Hex,
  /** Name of the payload object that holds exactly what was shown. */
  rendering: sha256Hex,
  person: z.string().regex(idPattern('person')),
  nonce: z.string().regex(/^[0-9a-f]{32}$/),
  notBefore: timestamp,
  expires: timestamp,
});
/** What a person signs, under the domain `deed-approval-v1`. */
export type ApprovalWord = z.infer<typeof schema>;

export function encodeApproval(fields: Omit<ApprovalWord, 'v' | 'type' | 'says'>): Uint8Array {
  const { decision, origin, task, action, record, rendering, person, nonce, notBefore, expires } = fields;
  const says = sentences[decision];
  const ordered = {
    v: 1,
    type: 'deed-approval',
    decision,
    says,
    origin,
    task,
    action,
    record,
    rendering,
    person,
    nonce,
    notBefore,
    expires,
  };
  return utf8(JSON.stringify(ordered));
}

/** @throws EvidenceError statement, json */
export function parseApproval(bytes: Uint8Array): ApprovalWord {
  const parsed = schema.safeParse(parseStrictJson(bytes).value);
  if (!parsed.success) throw new EvidenceError('statement', `approval: ${z.prettifyError(parsed.error)}`);
  if (parsed.data.says !== sentences[parsed.data.decision]) {
    throw new EvidenceError('statement', 'approval: the sentence does not fit the decision');
  }
  return parsed.data;
}

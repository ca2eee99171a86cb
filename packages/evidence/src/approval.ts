import { z } from 'zod';
import { utf8 } from './encoding.ts';
import { EvidenceError } from './errors.ts';
import { idPattern } from './ids.ts';
import { parseStrictJson } from './json.ts';
import {
  type ApprovalGrade,
  approvalGrades,
  type PersonKey,
  type Separation,
  sha256Hex,
  timestamp,
} from './predicates.ts';

const sentences = {
  approve: 'I approve executing exactly this action, once.',
  reject: 'I reject this action.',
  edit: 'I reject this action, and ask for the same call with these arguments instead.',
} as const;
export type ApprovalDecision = keyof typeof sentences;

const schema = z.strictObject({
  v: z.literal(1),
  type: z.literal('deed-approval'),
  decision: z.enum(['approve', 'reject', 'edit']),
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
  /** Name of the payload object with the arguments that an edit asks for, salted by who signs; null otherwise. */
  arguments: sha256Hex.nullable(),
});
/** What a person signs, under the domain `deed-approval-v1`. */
export type ApprovalWord = z.infer<typeof schema>;

export function encodeApproval(fields: Omit<ApprovalWord, 'v' | 'type' | 'says'>): Uint8Array {
  const { decision, origin, task, action, record, rendering, person, nonce, notBefore, expires } = fields;
  const head = { v: 1, type: 'deed-approval', decision, says: sentences[decision], origin, task, action };
  const rest = { record, rendering, person, nonce, notBefore, expires, arguments: fields.arguments };
  return utf8(JSON.stringify({ ...head, ...rest }));
}

/** @throws EvidenceError statement, json */
export function parseApproval(bytes: Uint8Array): ApprovalWord {
  const parsed = schema.safeParse(parseStrictJson(bytes).value);
  if (!parsed.success) throw new EvidenceError('statement', `approval: ${z.prettifyError(parsed.error)}`);
  const { says, decision, arguments: edited } = parsed.data;
  if (says !== sentences[decision]) {
    throw new EvidenceError('statement', 'approval: the sentence does not fit the decision');
  }
  if ((decision === 'edit') !== (edited !== null)) {
    throw new EvidenceError('statement', 'approval: an edit has arguments, and nothing else has');
  }
  return parsed.data;
}

/**
 * The grade of an approval. A2: a passkey, with its user verified, signed exactly this. A1: another key did, and the agent was
 * neither the user that held it nor the server's, as far as the server could measure. A0: a key that the agent's own user may read.
 */
export function gradeOf(kind: PersonKey['kind'], { agent }: Separation): ApprovalGrade {
  if (kind === 'webauthn') return 'A2';
  return agent === 'other-uid' || agent === 'other-host' ? 'A1' : 'A0';
}

/** True if a grade is at least another. */
export function isGrade(grade: ApprovalGrade, atLeast: ApprovalGrade): boolean {
  return approvalGrades.indexOf(grade) >= approvalGrades.indexOf(atLeast);
}

import { parseActionRecord } from '../action-record.ts';
import { isSameValue, type Json, parseStrictJson } from '../json.ts';
import type { StatementWith } from '../statement.ts';
import { type Examination, type Logged, need } from './examination.ts';

type Intent = Logged<StatementWith<'intent'>>;
type Outcome = Logged<StatementWith<'outcome'>>;

/** The type of a result that is what a client told its hook after a call. */
const hookEvent = 'application/vnd.deed.hook+json';
/** In `params._meta` of a message: the client's own id of the call. */
const callId = 'claudecode/toolUseId';

/**
 * What a hook told afterwards is of the call that it asked for before; and unless the outcome is `unknown`, that call ran as it was
 * decided: another hook may change a call in between. Nothing is said where the case does not hold the event.
 * @throws EvidenceError case, json, encoding
 */
export function checkHookOutcome(exam: Examination, intent: Intent, outcome: Outcome): void {
  const { result, status } = outcome.statement.body;
  if (result?.type !== hookEvent) return;
  const { authority, record: recordRef } = intent.statement.body;
  const event = exam.payload(result);
  if (!event) return;
  const { tool_use_id: id, tool_name: name, tool_input: input } = members(parseStrictJson(event).value);
  const message = messageOf(exam.payload(authority.evidence), authority.pop === 'none');
  if (message) {
    const { params } = members(message);
    const { _meta: meta } = members(params);
    need(id !== undefined && members(meta)[callId] === id, 'it is what a hook told of another call');
  }
  const bytes = exam.payload(recordRef);
  if (!bytes || status === 'unknown') return;
  const record = parseActionRecord(bytes);
  const ran = name === record.tool && isSameValue(input ?? {}, parseStrictJson(record.arguments).value);
  need(ran, 'by what a hook told another call ran than was decided');
}

/** Without a token the evidence is the message itself. */
function messageOf(evidence: Uint8Array | undefined, isMessage: boolean): Json | undefined {
  if (!evidence) return undefined;
  const value = parseStrictJson(evidence).value;
  if (isMessage) return value;
  const { message } = members(value);
  return typeof message === 'string' ? parseStrictJson(message).value : undefined;
}

function members(value: Json | undefined): { readonly [key: string]: Json | undefined } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return {};
  return value as { readonly [key: string]: Json };
}

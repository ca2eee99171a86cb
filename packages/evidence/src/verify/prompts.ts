import { parseActionRecord } from '../action-record.ts';
import { fromUtf8 } from '../encoding.ts';
import { EvidenceError } from '../errors.ts';
import { type Json, parseStrictJson } from '../json.ts';
import { asksFor } from '../model/asks-for.ts';
import { type ExchangeRecord, joinBody, parseExchange, pieceType } from '../model/exchange.ts';
import { membersOf } from '../model/json-value.ts';
import { tellsOf, toldResults } from '../model/told-results.ts';
import { type AskedCall, askedCalls, protocolOf } from '../model/tool-calls.ts';
import type { StatementWith } from '../statement.ts';
import { type Examination, type Logged, need } from './examination.ts';

type Intent = Logged<StatementWith<'intent'>>;

/** Where clients write the model's own id of a call: in `params._meta` of a message of MCP, in a request of the HTTP API. */
export const callIdKeys = ['claudecode/toolUseId', 'callId', 'dev.deed/toolCallId'] as const;

/**
 * The prompt that an intent names: the model's answer asked for a call of this id, of this tool and with these arguments, and passed
 * before; and the client's own message has that id, or has none where the link was inferred. What is not here is not asked.
 * @throws EvidenceError case, statement, json, encoding
 */
export function checkPrompt(exam: Examination, { statement }: Intent): void {
  const { prompt, record: recordRef, authority } = statement.body;
  if (!prompt) return;
  const { link, call: id, exchange: ref } = prompt;
  need((id === null) === (link === 'ambiguous'), 'the prompt names no call, or one where several fit');
  need(ref !== null || link === 'ambiguous', 'the prompt names no exchange');
  const said = exam.payload(authority.evidence);
  if (said) {
    const own = clientsId(said, authority.pop === 'none');
    const named = link === 'exact' || link === 'altered';
    need(named ? own === id : own === null, 'the message of the client has another id of its call');
  }
  const bytes = exam.payload(ref);
  if (!bytes) return;
  const exchange = parseExchange(bytes);
  need(exchange.ended <= statement.time, 'the exchange ended after the intent');
  const calls = callsIn(exam, exchange);
  const record = exam.payload(recordRef);
  if (!calls || !record) return;
  const { tool, arguments: text } = parseActionRecord(record);
  const given = parseStrictJson(text).value;
  const fitting = calls.filter((call) => asksFor(call, tool, given));
  if (link === 'ambiguous') {
    need(fitting.length > 1, 'the exchange does not ask for this call more than once');
    return;
  }
  const asked = calls.filter((call) => call.id === id);
  need(asked.length > 0, 'the exchange asks for no call of this id');
  const fits = asked.some((call) => fitting.includes(call));
  need(fits === (link !== 'altered'), `the exchange asks for ${fits ? 'this' : 'another'} call`);
}

/**
 * A later turn says which call it was: the client told the model the result of a call by its id, and in that is what the tool had answered.
 * Once for an intent, which named no call, or an inferred one; after its outcome.
 * @throws EvidenceError case, statement, json, encoding
 */
export function checkConfirmed(
  exam: Examination,
  { statement, index }: Logged<StatementWith<'prompt-confirmed'>>,
): void {
  const { intent: digest, action, call: id, exchange: ref } = statement.body;
  const intent = exam.find(digest, 'intent');
  if (!intent) throw new EvidenceError('case', 'it confirms an intent that is not here');
  const { prompt, record: recordRef } = intent.statement.body;
  need(intent.statement.body.action === action && intent.index < index, 'it confirms another action');
  need(!exam.confirmedPrompts.has(digest), 'its prompt was confirmed before');
  const isOpen = prompt?.link === 'ambiguous' || (prompt?.link === 'inferred' && prompt.call === id);
  need(isOpen, 'it confirms a prompt that is known, or none');
  const outcome = exam.all('outcome').find((each) => each.statement.body.intent === digest && each.index < index);
  if (!outcome) throw new EvidenceError('case', 'it confirms what had no outcome');
  exam.confirmedPrompts.set(digest, id);
  const [asked, record] = [exam.payload(prompt?.exchange ?? null), exam.payload(recordRef)];
  const calls = asked ? callsIn(exam, parseExchange(asked)) : undefined;
  if (calls && record) {
    const { tool, arguments: text } = parseActionRecord(record);
    const given = parseStrictJson(text).value;
    const fits = calls.some((call) => call.id === id && asksFor(call, tool, given));
    need(fits, 'its prompt asks for no such call of this id');
  }
  const bytes = exam.payload(ref);
  const answer = exam.payload(outcome.statement.body.result);
  if (!bytes || !answer) return;
  const { target, request, began } = parseExchange(bytes);
  need(began >= outcome.statement.time, 'the turn began before the outcome');
  const protocol = protocolOf(target);
  if (!protocol) throw new EvidenceError('case', 'the exchange is none with a model');
  const body = joinBody(request.body, pieceIn(exam));
  if (!body) return;
  const told = toldResults(protocol, fromUtf8(body)).some((each) => each.id === id && tellsOf(each, answer));
  need(told, 'the turn does not tell the model of this result');
}

/** The calls that an exchange's answer asks for; undefined where its pieces are not here, or were not kept. */
function callsIn(exam: Examination, { target, response }: ExchangeRecord): readonly AskedCall[] | undefined {
  const protocol = protocolOf(target);
  if (!protocol || !response) throw new EvidenceError('case', 'the exchange is none with a model');
  const body = joinBody(response.body, pieceIn(exam));
  return body && askedCalls(protocol, fromUtf8(body));
}

function pieceIn(exam: Examination): (sha256: string) => Uint8Array | undefined {
  return (sha256) => exam.payload({ sha256, size: 0, type: pieceType, kept: true });
}

/** The id that the client's own message gives its call; null without one. */
function clientsId(evidence: Uint8Array, isMessage: boolean): string | null {
  const value = parseStrictJson(evidence).value;
  const { message } = membersOf(value);
  const said = isMessage ? value : typeof message === 'string' ? parseStrictJson(message).value : null;
  const { params, toolCallId } = membersOf(said as Json);
  const meta = membersOf(membersOf(params)._meta);
  const ids = [...callIdKeys.map((key) => meta[key]), toolCallId];
  const found = ids.find((id) => typeof id === 'string' && id !== '' && id.length <= 512);
  return typeof found === 'string' ? found : null;
}

import { parseActionRecord } from '../action-record.ts';
import { fromUtf8 } from '../encoding.ts';
import { EvidenceError } from '../errors.ts';
import { type Json, parseStrictJson } from '../json.ts';
import { asksFor } from '../model/asks-for.ts';
import { type ExchangeRecord, joinBody, parseExchange, pieceType } from '../model/exchange.ts';
import { membersOf } from '../model/json-value.ts';
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

/** The calls that an exchange's answer asks for; undefined where its pieces are not here, or were not kept. */
function callsIn(exam: Examination, { target, response }: ExchangeRecord): readonly AskedCall[] | undefined {
  const protocol = protocolOf(target);
  if (!protocol || !response) throw new EvidenceError('case', 'the exchange is none with a model');
  const piece = (sha256: string) => exam.payload({ sha256, size: 0, type: pieceType, kept: true });
  const body = joinBody(response.body, piece);
  return body && askedCalls(protocol, fromUtf8(body));
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

import { parseActionRecord } from '../action-record.ts';
import { type Json, parseStrictJson, type StrictJson } from '../json.ts';
import type { StatementWith } from '../statement.ts';
import { type Examination, type Logged, need } from './examination.ts';

export type Decided = Logged<StatementWith<'intent'>> | Logged<StatementWith<'refusal'>>;

/** Who dispatches a call that came as a request of the HTTP API, by its member `request`. */
const observedOf: Readonly<Record<string, string>> = { act: 'self-reported', execute: 'gateway-executed' };

/**
 * The action record says, to the letter, what the message says that the agent signed: method, tool and arguments.
 * @param did how the message came, for what is said of a forged one
 * @throws EvidenceError case, json
 */
export function checkMessage(exam: Examination, logged: Decided, message: string, did = 'the agent signed'): void {
  const call = parseStrictJson(message, { refuseCaseVariants: true });
  const asked = member(call.value, 'jsonrpc') === undefined ? member(call.value, 'request') : undefined;
  if (typeof asked === 'string') checkRequest(exam, logged, call, asked, did);
  else checkJsonRpc(exam, logged, call, did);
}

function checkJsonRpc(exam: Examination, logged: Decided, call: StrictJson, did: string): void {
  const { method, tool, record } = logged.statement.body;
  const isCall = method === 'tools/call';
  need(!isApi(logged), `${did} no request of the HTTP API`);
  need(isReplay(logged) || member(call.value, 'method') === method, `${did} another call`);
  need(!isCall || !tool || member(member(call.value, 'params'), 'name') === tool.name, `${did} ${ofAnotherTool}`);
  const sent = (isCall ? call.raw('params', 'arguments') : call.raw('params')) ?? '{}';
  checkArguments(exam, record, sent, did);
}

/** A request to act or to execute: who dispatches follows from the word that was signed. */
function checkRequest(exam: Examination, logged: Decided, call: StrictJson, asked: string, did: string): void {
  const { method, tool, record } = logged.statement.body;
  if (isReplay(logged)) return;
  need(method === 'tools/call' || !tool, `${did} another call`);
  need(!tool || observedOf[asked] === logged.statement.observed, `${did} a request to ${asked}`);
  need(!tool || member(call.value, 'tool') === tool.name, `${did} ${ofAnotherTool}`);
  need(!tool || member(call.value, 'server') === tool.server, `${did} another call: of another server`);
  checkArguments(exam, record, call.raw('arguments') ?? '{}', did);
}

const ofAnotherTool = 'another call: of another tool';

/** Of a message that was not looked into no more is recorded than that it came. */
function isReplay({ statement }: Decided): boolean {
  return statement.predicate === 'refusal' && !statement.body.record && !statement.body.tool;
}

function isApi({ statement: { observed } }: Decided): boolean {
  return Object.values(observedOf).includes(observed);
}

function checkArguments(exam: Examination, record: Decided['statement']['body']['record'], sent: string, did: string) {
  const bytes = exam.payload(record);
  need(!bytes || parseActionRecord(bytes).arguments === sent, `${did} another call: with other arguments`);
}

function member(value: Json | undefined, name: string): Json | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return (value as { readonly [key: string]: Json })[name];
}

import { DeedError, fromUtf8, parseStrictJson } from '@deed/evidence';
import type { Acted } from '../action.ts';
import { errorReply, errorResult, isModern, type Message } from './message.ts';
import { isUnknown } from './methods.ts';

const methodNotFound = -32601;

/** The answer to a judged request, in the words of the protocol: of a call a result, whatever became of it. Without a newline. */
export function replyTo(message: Message, acted: Acted): string {
  const id = message.id ?? 'null';
  if (acted.kind === 'answered' && acted.answer.bytes) {
    const renamed = withId(acted.answer.bytes, id);
    if (renamed !== null) return renamed;
  }
  const [code, text] =
    acted.kind === 'answered'
      ? acted.answer.status === 'error'
        ? ['error', 'the server did not accept the call']
        : ['unknown', 'what came of it is unknown: the tool gave no answer']
      : [acted.kind === 'held' ? 'held' : acted.code, acted.message];
  const said = acted.kind === 'refused' ? `Deed refused this (${code}): ${text}` : `Deed: ${text}`;
  if (message.method === 'tools/call') return errorResult(id, said, isModern(message));
  const number = acted.kind === 'refused' && isUnknown(message) ? methodNotFound : -32000;
  return errorReply(message.id, number, said, code).trimEnd();
}

/** The HTTP status of that answer: the newer era has one for a method that is not there. */
export function statusOfReply(message: Message, acted: Acted): number {
  return acted.kind === 'refused' && isModern(message) && isUnknown(message) ? 404 : 200;
}

/** An answer that was given to another request for the same call: its exact result or error, with this one's id. */
function withId(bytes: Uint8Array, id: string): string | null {
  let raw: ReturnType<typeof parseStrictJson>['raw'];
  try {
    ({ raw } = parseStrictJson(fromUtf8(bytes)));
  } catch (error) {
    if (error instanceof DeedError) return null; // no message at all: what a server says that does not take a call
    throw error;
  }
  for (const member of ['result', 'error']) {
    const said = raw(member);
    if (said !== undefined) return `{"jsonrpc":"2.0","id":${id},"${member}":${said}}`;
  }
  return null;
}

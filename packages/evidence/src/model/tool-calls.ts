import { EvidenceError } from '../errors.ts';
import { type Json, parseStrictJson } from '../json.ts';
import { eventsOf } from './events.ts';
import { itemsOf, membersOf, textOf } from './json-value.ts';

/** The protocols in which a model is asked. */
export type ModelProtocol = 'openai-chat' | 'openai-responses' | 'anthropic-messages' | 'gemini';

/** A call of a tool that a model asked for. */
export interface AskedCall {
  /** The id that the model gave it; `@` and its place among the calls of the answer, from 0, where it gave none. */
  readonly id: string;
  readonly name: string;
  /** Undefined where they are no JSON that has one reading: such a call is like no other. */
  readonly arguments: Json | undefined;
}

const paths: readonly (readonly [RegExp, ModelProtocol])[] = [
  [/\/chat\/completions$/, 'openai-chat'],
  [/\/responses$/, 'openai-responses'],
  [/\/messages$/, 'anthropic-messages'],
  [/:(streamGenerateContent|generateContent)$/, 'gemini'],
];

/** The protocol of a request, by its path; undefined for any other request. */
export function protocolOf(target: string): ModelProtocol | undefined {
  const [path = ''] = target.split('?', 1);
  return paths.find(([pattern]) => pattern.test(path))?.[1];
}

/** The calls that an answer asks for and that are whole, in their order. Of an answer that broke off: those before it did. */
export function askedCalls(protocol: ModelProtocol, answer: string): readonly AskedCall[] {
  return readers[protocol](eventsOf(answer)).map(({ id, name, arguments: given }, place) => ({
    id: id === '' ? `@${place}` : id,
    name,
    arguments: typeof given === 'string' ? strictOf(given) : exactOf(given),
  }));
}

interface Read {
  readonly id: string;
  readonly name: string;
  /** As text, or where the protocol writes them as a value. */
  readonly arguments: string | { readonly value: Json | undefined };
}

const readers: Readonly<Record<ModelProtocol, (events: readonly Json[]) => readonly Read[]>> = {
  'openai-chat': chatCalls,
  'openai-responses': responsesCalls,
  'anthropic-messages': messagesCalls,
  gemini: geminiCalls,
};

function chatCalls(events: readonly Json[]): Read[] {
  const calls = new Map<string, { choice: Json; id: string; name: string; arguments: string }>();
  const finished = new Set<Json>();
  for (const one of events.flatMap((event) => itemsOf(membersOf(event).choices))) {
    const { index: choice = 0, delta, message, finish_reason: reason } = membersOf(one);
    if (typeof reason === 'string') finished.add(choice);
    itemsOf(membersOf(delta ?? message).tool_calls).forEach((part, at) => {
      const { index: place = at, id, function: called } = membersOf(part);
      const key = `${choice} ${place}`;
      const call = calls.get(key) ?? { choice, id: '', name: '', arguments: '' };
      calls.set(key, call);
      call.id ||= textOf(id);
      call.name += textOf(membersOf(called).name);
      call.arguments += textOf(membersOf(called).arguments);
    });
  }
  // No arguments yet are not the same as none, and of an object no beginning is one.
  const isWhole = ({ choice, arguments: text }: { readonly choice: Json; readonly arguments: string }) =>
    finished.has(choice) || (text !== '' && strictOf(text) !== undefined);
  return [...calls.values()].filter((call) => call.name !== '' && isWhole(call));
}

function responsesCalls(events: readonly Json[]): Read[] {
  const items = events.flatMap((event) => {
    const { type, item, output } = membersOf(event);
    if (type === 'response.output_item.done') return item ?? [];
    return type === undefined ? itemsOf(output) : [];
  });
  return items.flatMap((item) => {
    const { type, call_id: id, namespace, name, arguments: given } = membersOf(item);
    if (type !== 'function_call') return [];
    const space = textOf(namespace);
    return [
      { id: textOf(id), name: space === '' ? textOf(name) : `${space}__${textOf(name)}`, arguments: textOf(given) },
    ];
  });
}

function messagesCalls(events: readonly Json[]): Read[] {
  const begun = new Map<Json | undefined, { id: string; name: string; input: Json | undefined; text: string }>();
  const calls: Read[] = [];
  for (const event of events) {
    const { type, index, content_block: block, delta, content } = membersOf(event);
    for (const one of type === 'message' ? itemsOf(content) : []) {
      const { type: kind, id, name, input } = membersOf(one);
      if (kind === 'tool_use') calls.push({ id: textOf(id), name: textOf(name), arguments: { value: input } });
    }
    const { type: kind, id, name, input } = membersOf(block);
    if (type === 'content_block_start' && kind === 'tool_use')
      begun.set(index, { id: textOf(id), name: textOf(name), input, text: '' });
    const call = begun.get(index);
    if (type === 'content_block_delta' && call) call.text += textOf(membersOf(delta).partial_json);
    if (type !== 'content_block_stop' || !call) continue;
    begun.delete(index);
    calls.push({ id: call.id, name: call.name, arguments: call.text === '' ? { value: call.input } : call.text });
  }
  return calls;
}

function geminiCalls(events: readonly Json[]): Read[] {
  const contents = events.flatMap((event) => itemsOf(membersOf(event).candidates).map((one) => membersOf(one).content));
  return contents
    .flatMap((content) => itemsOf(membersOf(content).parts))
    .flatMap((part) => {
      const { functionCall } = membersOf(part);
      if (functionCall === undefined) return [];
      const { id, name, args } = membersOf(functionCall);
      return [{ id: textOf(id), name: textOf(name), arguments: { value: args ?? {} } }];
    });
}

/** No text stands for no arguments. */
function strictOf(text: string): Json | undefined {
  try {
    return text.trim() === '' ? {} : parseStrictJson(text).value;
  } catch (error) {
    if (error instanceof EvidenceError) return undefined;
    throw error;
  }
}

/** A number that a double may have rounded has more than one reading. */
function exactOf({ value }: { readonly value: Json | undefined }): Json | undefined {
  const isExact = (one: Json): boolean => {
    if (typeof one === 'number') return !Number.isInteger(one) || Number.isSafeInteger(one);
    return typeof one !== 'object' || one === null || Object.values(one).every((inner) => isExact(inner as Json));
  };
  return value !== undefined && isExact(value) ? value : undefined;
}

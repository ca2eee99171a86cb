import { EvidenceError } from '../errors.ts';
import { type Json, parseStrictJson } from '../json.ts';
import { itemsOf, membersOf, readJson, textOf, textsIn } from './json-value.ts';
import type { ModelProtocol } from './tool-calls.ts';

/** What a model is told of a call that it asked for before. */
export interface ToldResult {
  /** The call's id; of a call without one: the name of what it called. */
  readonly id: string;
  /** Every text in it. */
  readonly texts: readonly string[];
}

/** The results of tool calls that a request tells the model of, in their order. */
export function toldResults(protocol: ModelProtocol, request: string): readonly ToldResult[] {
  return readers[protocol](membersOf(readJson(request)));
}

type Members = ReturnType<typeof membersOf>;

const readers: Readonly<Record<ModelProtocol, (request: Members) => readonly ToldResult[]>> = {
  'openai-chat': ({ messages }) =>
    itemsOf(messages).flatMap((message) => {
      const { role, tool_call_id: id, content } = membersOf(message);
      return role === 'tool' ? [{ id: textOf(id), texts: textsIn(content) }] : [];
    }),
  'openai-responses': ({ input }) =>
    itemsOf(input).flatMap((item) => {
      const { type, call_id: id, output } = membersOf(item);
      return type === 'function_call_output' ? [{ id: textOf(id), texts: textsIn(output) }] : [];
    }),
  'anthropic-messages': ({ messages }) =>
    itemsOf(messages)
      .flatMap((message) => itemsOf(membersOf(message).content))
      .flatMap((block) => {
        const { type, tool_use_id: id, content } = membersOf(block);
        return type === 'tool_result' ? [{ id: textOf(id), texts: textsIn(content) }] : [];
      }),
  gemini: ({ contents }) =>
    itemsOf(contents)
      .flatMap((content) => itemsOf(membersOf(content).parts))
      .flatMap((part) => {
        const { functionResponse } = membersOf(part);
        if (functionResponse === undefined) return [];
        const { id, name, response } = membersOf(functionResponse);
        return [{ id: textOf(id) || textOf(name), texts: textsIn(response) }];
      }),
};

/**
 * Whether what a model was told has in it what a tool answered: each text of the MCP result (2025-11-25, tools, `content`), whatever
 * the client wrote around it. False for an answer without a text.
 */
export function tellsOf({ texts }: ToldResult, answer: Uint8Array): boolean {
  const said = answeredTexts(answer);
  return said.length > 0 && said.every((text) => texts.some((told) => told.includes(text)));
}

function answeredTexts(answer: Uint8Array): readonly string[] {
  let value: Json;
  try {
    value = parseStrictJson(answer).value;
  } catch (error) {
    if (error instanceof EvidenceError) return [];
    throw error;
  }
  const { content } = membersOf(membersOf(value).result);
  return itemsOf(content)
    .map((block) => textOf(membersOf(block).text))
    .filter((text) => text.trim() !== '');
}

import { describe, expect, it } from 'vitest';
import { askedCalls, type ModelProtocol, protocolOf } from '../../src/model/tool-calls.ts';

const stream = (...events: readonly object[]) => events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join('');
const named = (...events: readonly { readonly type: string }[]) =>
  events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join('');
const args = '{"path":"a.txt","n":1}';
const half = (at: number) => [args.slice(0, at), args.slice(at)] as const;
const [head, tail] = half(9);
const call = { id: 'call_1', name: 'write', arguments: { path: 'a.txt', n: 1 } };

const answers: Readonly<Record<ModelProtocol, Readonly<Record<string, string>>>> = {
  'openai-chat': {
    whole: JSON.stringify({
      choices: [
        {
          index: 0,
          finish_reason: 'tool_calls',
          message: { tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'write', arguments: args } }] },
        },
      ],
    }),
    streamed: `${stream(
      { choices: [{ index: 0, delta: { role: 'assistant', content: null } }] },
      {
        choices: [
          { index: 0, delta: { tool_calls: [{ index: 0, id: 'call_1', function: { name: 'write', arguments: '' } }] } },
        ],
      },
      { choices: [{ index: 0, delta: { tool_calls: [{ index: 0, function: { arguments: head } }] } }] },
      { choices: [{ index: 0, delta: { tool_calls: [{ index: 0, function: { arguments: tail } }] } }] },
      { choices: [{ index: 0, delta: {}, finish_reason: 'tool_calls' }] },
    )}data: [DONE]\n\n`,
  },
  'openai-responses': {
    whole: JSON.stringify({
      output: [{ type: 'message' }, { type: 'function_call', call_id: 'call_1', name: 'write', arguments: args }],
    }),
    streamed: named(
      { type: 'response.created' },
      { type: 'response.function_call_arguments.delta', delta: args } as never,
      {
        type: 'response.output_item.done',
        item: { type: 'function_call', call_id: 'call_1', name: 'write', arguments: args },
      } as never,
      { type: 'response.completed', response: { output: [{ type: 'function_call', call_id: 'call_1' }] } } as never,
    ),
  },
  'anthropic-messages': {
    whole: JSON.stringify({
      type: 'message',
      content: [
        { type: 'text', text: 'so' },
        { type: 'tool_use', id: 'call_1', name: 'write', input: call.arguments },
      ],
    }),
    streamed: named(
      { type: 'message_start' },
      { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } } as never,
      { type: 'content_block_stop', index: 0 } as never,
      {
        type: 'content_block_start',
        index: 1,
        content_block: { type: 'tool_use', id: 'call_1', name: 'write', input: {} },
      } as never,
      { type: 'content_block_delta', index: 1, delta: { type: 'input_json_delta', partial_json: head } } as never,
      { type: 'content_block_delta', index: 1, delta: { type: 'input_json_delta', partial_json: tail } } as never,
      { type: 'content_block_stop', index: 1 } as never,
    ),
  },
  gemini: {
    whole: JSON.stringify({
      candidates: [{ content: { parts: [{ functionCall: { id: 'call_1', name: 'write', args: call.arguments } }] } }],
    }),
    streamed: stream(
      { candidates: [{ content: { parts: [{ text: 'so' }] } }] },
      {
        candidates: [{ content: { parts: [{ functionCall: { id: 'call_1', name: 'write', args: call.arguments } }] } }],
      },
    ),
  },
};

describe.each(Object.entries(answers))('an answer of %s', (protocol, forms) => {
  it.each(Object.entries(forms))('that is %s asks for its calls', (_, text) => {
    expect(askedCalls(protocol as ModelProtocol, text)).toEqual([call]);
  });

  it('that breaks off anywhere asks for nothing that it did not say whole', () => {
    const { streamed = '' } = forms;
    for (let at = 0; at < streamed.length; at++) {
      const calls = askedCalls(protocol as ModelProtocol, streamed.slice(0, at));
      expect([[], [call]]).toContainEqual(calls);
    }
  });

  it.each(['', 'no answer', '[]', '{}', 'data: \n\n', 'data: {"choices": 7}\n\n', '{"candidates":[null]}', '\u0000'])(
    'that is no answer (%j) asks for nothing',
    (text) => {
      expect(askedCalls(protocol as ModelProtocol, text)).toEqual([]);
    },
  );
});

it('a call without an id is known by its place', () => {
  const part = { functionCall: { name: 'write', args: {} } };
  const text = JSON.stringify({ candidates: [{ content: { parts: [part, part] } }] });
  expect(askedCalls('gemini', text).map(({ id }) => id)).toEqual(['@0', '@1']);
});

it.each([
  ['a member twice', '{"a":1,"a":2}'],
  ['a number that a double rounds', '{"a":9007199254740993}'],
  ['no JSON', '{"a":'],
])('arguments with %s are like no others', (_, text) => {
  const item = { type: 'function_call', call_id: 'c', name: 'write', arguments: text };
  expect(askedCalls('openai-responses', JSON.stringify({ output: [item] }))).toEqual([
    { id: 'c', name: 'write', arguments: undefined },
  ]);
});

it.each([
  ['/v1/chat/completions', 'openai-chat'],
  ['/openai/v1/responses?x=1', 'openai-responses'],
  ['/v1/messages?beta=true', 'anthropic-messages'],
  ['/v1beta/models/gemini-pro:streamGenerateContent?alt=sse', 'gemini'],
  ['/v1/models', undefined],
  ['/v1/messages/batches', undefined],
])('%s is a request of the protocol %s', (target, protocol) => {
  expect(protocolOf(target)).toBe(protocol);
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concat, utf8 } from '../../src/encoding.ts';
import { asksFor, meansTool } from '../../src/model/asks-for.ts';
import { cutRequest } from '../../src/model/cut.ts';
import { encodeExchange, parseExchange } from '../../src/model/exchange.ts';
import { tellsOf, toldResults } from '../../src/model/told-results.ts';

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();

describe('a request is cut where its messages begin and end', () => {
  it('so that a longer conversation has the same pieces, and one more', () => {
    const turn = (n: number) => ({ role: 'user', content: `"turn" \\ ${n} [{,}]` });
    const request = (count: number) =>
      utf8(
        JSON.stringify({
          model: 'm',
          system: 'be good',
          messages: Array.from({ length: count }, (_, n) => turn(n)),
          tools: [{ name: 't' }],
        }),
      );
    const [shorter, longer] = [cutRequest(request(5)).map(text), cutRequest(request(6)).map(text)];
    expect(shorter.join('')).toBe(text(request(5)));
    const fresh = longer.filter((piece) => !shorter.includes(piece));
    expect(fresh).toEqual([`,${JSON.stringify(turn(5))}`]);
  });

  it('and joined the pieces are the request, whatever it is', () => {
    const json = fc.json();
    const request = fc
      .record({ messages: fc.array(fc.jsonValue()), tools: fc.jsonValue(), input: fc.jsonValue() })
      .map((value) => JSON.stringify(value));
    const broken = request.chain((value) => fc.nat(value.length).map((at) => value.slice(0, at)));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), fc.oneof(json, request, broken, fc.string()).map(utf8)), (bytes) => {
        expect(Buffer.from(concat(...cutRequest(bytes))).equals(Buffer.from(bytes))).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});

describe('a tool is meant', () => {
  it.each([
    ['write_file', 'write_file', true],
    ['mcp__files__write_file', 'write_file', true],
    ['files.write_file', 'write_file', true],
    ['overwrite_file', 'write_file', false],
    ['do_it_now', 'do.it now', true],
    ['write_file', '', false],
  ])('by %s: %s, %s', (asked, tool, means) => {
    expect(meansTool(asked, tool)).toBe(means);
  });

  it('with the same arguments, in whatever order, and with no others', () => {
    const call = { id: '1', name: 'write', arguments: { a: 1, b: [{ c: null }] } };
    expect(asksFor(call, 'write', { b: [{ c: null }], a: 1 })).toBe(true);
    expect(asksFor(call, 'write', { a: 1 })).toBe(false);
    expect(asksFor({ ...call, arguments: undefined }, 'write', {})).toBe(false);
  });
});

it('an exchange has one byte form', () => {
  const body = { wire: { size: 2, sha256: 'a'.repeat(64) }, decoded: false, pieces: [] };
  const bytes = encodeExchange({
    ...{ v: 1, provider: 'openai', method: 'POST', target: '/v1/responses' },
    ...{ began: '2026-11-23T10:00:00.000Z', ended: '2026-11-23T10:00:01.000Z', end: 'complete' },
    request: { headers: [{ name: 'accept', value: '*/*' }], body },
    response: null,
  });
  expect(encodeExchange(parseExchange(bytes))).toEqual(bytes);
  expect(() => parseExchange(utf8(text(bytes).replace('{"v":1', '{ "v":1')))).toThrow(/one byte form/);
  expect(() => parseExchange(utf8('{"v":1}'))).toThrow(/exchange: /);
});

describe('what a model is told of a call', () => {
  const requests = {
    'openai-chat': { messages: [{ role: 'tool', tool_call_id: 'c', content: 'done: 7' }] },
    'openai-responses': { input: [{ type: 'function_call_output', call_id: 'c', output: 'done: 7' }] },
    'anthropic-messages': {
      messages: [
        {
          role: 'user',
          content: [{ type: 'tool_result', tool_use_id: 'c', content: [{ type: 'text', text: 'done: 7' }] }],
        },
      ],
    },
    gemini: { contents: [{ parts: [{ functionResponse: { id: 'c', name: 't', response: { output: 'done: 7' } } }] }] },
  } as const;
  it.each(Object.entries(requests))(
    'is read in a request of %s, and has in it what the tool answered',
    (protocol, request) => {
      const [told, ...others] = toldResults(protocol as keyof typeof requests, JSON.stringify(request));
      expect(others).toEqual([]);
      expect(told?.id).toBe('c');
      const answer = (said: string) => utf8(JSON.stringify({ result: { content: [{ type: 'text', text: said }] } }));
      expect(told && tellsOf(told, answer('done: 7'))).toBe(true);
      expect(told && tellsOf(told, answer('done: 8'))).toBe(false);
      expect(told && tellsOf(told, utf8('{}'))).toBe(false);
    },
  );
});

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EventSplitter, eventOf, type StreamEvent } from '../../../src/mcp/http/event-stream.ts';

/** The events of a stream that comes in these pieces, and what is left over. */
function split(...pieces: readonly string[]) {
  const events: StreamEvent[] = [];
  const splitter = new EventSplitter((event) => events.push(event));
  for (const piece of pieces) splitter.push(Buffer.from(piece));
  return { events, rest: Buffer.from(splitter.rest()).toString() };
}

const ends = ['\n', '\r\n', '\r'];
const line = fc.constantFrom('data: {"a":1}', 'data:b', 'data', 'id: 7', ': a comment', 'event: message', 'retry: 5');
const event = fc.tuple(fc.array(line, { minLength: 1, maxLength: 4 }), fc.constantFrom(...ends));

test('no byte is lost, added or moved, wherever a stream is cut', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 5 }), fc.string(), fc.array(fc.nat(400)), (written, tail, cuts) => {
      const text = written.map(([lines, end]) => `${lines.join(end)}${end}${end}`).join('') + tail;
      const at = [0, ...cuts.map((cut) => Math.min(cut, text.length)).sort((a, b) => a - b), text.length];
      const pieces = at.slice(1).map((end, i) => text.slice(at[i], end));
      const { events, rest } = split(...pieces);
      expect(events.map(({ bytes }) => Buffer.from(bytes).toString()).join('') + rest).toBe(
        Buffer.from(text).toString(),
      );
    }),
  );
});

test.each(ends)('lines that end in %j give the data that a client reads', (end) => {
  const text = [': hello', 'id: 1', 'data: {"a":', 'data:1}', '', 'data', '', ''].join(end);
  const { events, rest } = split(text);
  const said = events.filter(({ data }) => data !== null);
  expect(said.map(({ data, id }) => [data, id])).toEqual([
    ['{"a":\n1}', '1'],
    ['', null],
  ]);
  expect(rest).toBe('');
});

test('a comment between events goes on at once', () => {
  expect(split(': ping\n').events).toMatchObject([{ data: null }]);
});

test('a message of several lines is one event', () => {
  const [event] = split(eventOf('{\n "a": 1\r\n}\n')).events;
  expect(JSON.parse(event?.data ?? '')).toEqual({ a: 1 });
});

test('an event above the limit is refused', () => {
  const splitter = new EventSplitter(() => {});
  const piece = Buffer.from('x'.repeat(1 << 20));
  expect(() => {
    for (let i = 0; i < 32; i++) splitter.push(piece);
  }).toThrow('above the limit');
});

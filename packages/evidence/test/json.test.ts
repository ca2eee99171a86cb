import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { proves } from '../../../tests/promises.ts';
import { utf8 } from '../src/encoding.ts';
import { EvidenceError } from '../src/errors.ts';
import { parseOwnJson, parseStrictJson } from '../src/json.ts';

if (process.env.SLOW === '1') vi.setConfig({ testTimeout: 1_800_000 });

const numRuns = process.env.SLOW === '1' ? 20_000 : 300;

function refusal(text: string | Uint8Array, limits = {}): EvidenceError {
  try {
    parseStrictJson(text, limits);
  } catch (error) {
    if (error instanceof EvidenceError) return error;
    throw error;
  }
  throw new Error(`accepted: ${text}`);
}

/** Values that every reader agrees about. */
const agreed = fc
  .jsonValue({ maxDepth: 6 })
  .filter((value) => !JSON.stringify(value).includes('__proto__') && safe(value));

function safe(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed();
  if (typeof value === 'number') return /[.e]/.test(JSON.stringify(value)) || Number.isSafeInteger(value);
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([key, inner]) => key.isWellFormed() && safe(inner));
}

describe('parseOwnJson', () => {
  const pieces = fc.constantFrom(
    ...[
      '{"a":1}',
      '{"b":1,"1":2}',
      '{"a":1,"a":1}',
      '{"__proto__":1}',
      '[9007199254740993]',
      '[9007199254740992]',
      '"\\ud800"',
    ],
    ...[
      '1e5',
      '1e+21',
      '-0',
      '0.1',
      ' 1',
      '"\\u0041"',
      '"\\u0000"',
      '"\\u007f"',
      '[1,]',
      '',
      '1 2',
      '"a',
      '\ufeff1',
      '"é"',
      '"/"',
      '"\\/"',
    ],
  );

  it('gives what the strict parser gives, or nothing', () => {
    const texts = fc.oneof(
      fc.jsonValue().map((value) => JSON.stringify(value)),
      pieces,
      fc.json(),
      fc.string(),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const own = parseOwnJson(text);
        if (own !== undefined) expect(parseStrictJson(text, { maxDepth: 10_000 }).value).toEqual(own);
      }),
      { numRuns: numRuns * 10 },
    );
  });

  it('reads what JSON.stringify writes', () => {
    for (const text of ['{"a":[1,null,"é\\n"],"b":{"c":true}}', '"x"', '0', 'null']) {
      expect(parseOwnJson(text), text).toEqual(JSON.parse(text));
    }
    expect(parseOwnJson('['.repeat(1_000_000)), 'too deep for anybody').toBeUndefined();
  });
});

describe('parseStrictJson', () => {
  it('reads what JSON.parse reads', () => {
    fc.assert(
      fc.property(agreed, fc.constantFrom(undefined, 1, '\t', ' \r\n'), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        expect(parseStrictJson(text).value).toEqual(JSON.parse(text));
        expect(parseStrictJson(utf8(` ${text}\n`)).value).toEqual(JSON.parse(text));
      }),
      { numRuns },
    );
  });

  it('accepts nothing that JSON.parse refuses', () => {
    const near = fc.tuple(agreed, fc.nat(), fc.string({ maxLength: 3 })).map(([value, at, noise]) => {
      const text = JSON.stringify(value);
      const where = at % (text.length + 1);
      return text.slice(0, where) + noise + text.slice(where + (at % 2));
    });
    fc.assert(
      fc.property(near, (text) => {
        let value: unknown;
        try {
          value = parseStrictJson(text).value;
        } catch (error) {
          expect(error).toBeInstanceOf(EvidenceError);
          return;
        }
        expect(value).toEqual(JSON.parse(text));
      }),
      { numRuns: numRuns * 4 },
    );
  });

  it('gives the exact source text of a value', () => {
    proves('invariant-3');
    const json = parseStrictJson('{"params": {"arguments":  { "a" : 1.0 ,"b":[ 1e2, "\\u0041" ]} } }');
    expect(json.raw('params', 'arguments')).toBe('{ "a" : 1.0 ,"b":[ 1e2, "\\u0041" ]}');
    expect(json.raw('params', 'arguments', 'b', 1)).toBe('"\\u0041"');
    expect(json.raw('params', 'nothing')).toBeUndefined();
    expect(json.raw('params', 0)).toBeUndefined();
    expect(json.raw('__proto__')).toBeUndefined();
  });

  it('refuses what readers disagree about', () => {
    const refused = {
      'a duplicate key': '{"a":1,"a":2}',
      'a duplicate key in another spelling': '{"a":1,"\\u0061":2}',
      'the key __proto__': '{"__proto__":{}}',
      'a lone surrogate': '"\\ud800"',
      'an integer that a double cannot hold': '9007199254740993',
      'a number without end': '1e999',
      'a byte order mark': '\ufeff1',
      'two values': '1 2',
      'a trailing comma': '[1,]',
      'a comment': '/**/1',
      'a number with a leading zero': '01',
      'a number with a leading plus': '+1',
      'a raw control character': '"\u0001"',
      'a single quote': "'a'",
      nothing: '',
      space: ' ',
    };
    for (const text of Object.values(refused)) expect(refusal(text)).toMatchObject({ code: 'json' });
    expect(refusal(Uint8Array.of(0x22, 0xff, 0x22))).toMatchObject({ code: 'encoding' });
  });

  it('refuses keys that differ in letter case alone, where that is asked', () => {
    expect(parseStrictJson('{"a":1,"A":2}').value).toEqual({ a: 1, A: 2 });
    expect(refusal('{"x":{"name":1,"Name":2}}', { refuseCaseVariants: true })).toMatchObject({ code: 'json' });
  });

  it('says where', () => {
    expect(refusal('{"a":1,\n  "a":2}').message).toMatch(/duplicate key "a" at line 2, column 6/);
    expect(refusal('[1,\n\n x]').message).toMatch(/not a JSON value at line 3, column 2/);
  });

  it('goes 64 levels deep and no further', () => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
    expect(() => parseStrictJson(nested(65))).not.toThrow();
    expect(refusal(nested(66))).toMatchObject({ code: 'limit' });
    expect(refusal('['.repeat(1_000_000))).toMatchObject({ code: 'limit' });
    expect(refusal('[[[1]]]', { maxDepth: 2 })).toMatchObject({ code: 'limit' });
  });

  it('keeps numbers as doubles keep them', () => {
    expect(parseStrictJson('[-0, 1.5, 1E2, 9007199254740991, 0.1]').value).toEqual([
      -0, 1.5, 100, 9007199254740991, 0.1,
    ]);
  });
});

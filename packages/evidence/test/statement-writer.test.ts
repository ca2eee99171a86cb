import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../src/encoding.ts';
import { EvidenceError } from '../src/errors.ts';
import { parseStatement, type Statement } from '../src/statement.ts';
import { type StatementParts, writeStatement } from '../src/statement-writer.ts';

const folder = join(import.meta.dirname, '../../../docs/formats/examples');
const examples = readdirSync(folder).map((file) => parseStatement(readFileSync(join(folder, file))));
const anExample = fc.constantFrom(...examples);

function partsOf({ time, payload, digest, series, ...statement }: Statement): StatementParts {
  return { ...statement, timeMs: Date.parse(time) };
}

/** What a caller may put where a text, a number, a list or nothing was expected. */
const anything = fc.oneof(
  fc.constantFrom(null, undefined, -1, 1.5, Number.NaN, 2 ** 53, true, '', '\ud800', '\\ud800', '__proto__', [], {}),
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme' }),
  fc.double().map((number) => number + 0), // JSON knows no -0
  fc.date(),
);

/** The value with one of its places, however deep, filled with something else. */
function bent(value: unknown, at: number, other: unknown): unknown {
  if (typeof value !== 'object' || value === null) return other;
  const keys = Object.keys(value);
  const key = keys[at % (keys.length + 1)];
  const copy: Record<string, unknown> = { ...value };
  if (key === undefined) return other;
  copy[key] = bent(copy[key], Math.floor(at / (keys.length + 1)), other);
  return Array.isArray(value) ? keys.map((one) => copy[one]) : copy;
}

describe('writeStatement', () => {
  it('writes each predicate so that the reader reads the same parts', () => {
    for (const example of examples) {
      const { payload, digest } = writeStatement(partsOf(example));
      const read = parseStatement(payload);
      expect(read).toEqual({ ...example, payload: read.payload, digest });
    }
  });

  it('writes nothing that the reader would refuse or read as something else', () => {
    fc.assert(
      fc.property(anExample, fc.nat(), anything, (example, at, other) => {
        const { position, timeMs, ...said } = partsOf(example);
        const parts = { ...(bent(said, at, other) as StatementParts), position, timeMs };
        let payload: Uint8Array;
        try {
          ({ payload } = writeStatement(parts));
        } catch {
          return;
        }
        const { time, digest, series, payload: bytes, ...read } = parseStatement(payload);
        expect({ ...read, timeMs: Date.parse(time) }).toEqual(parts);
      }),
      { numRuns: 3000 },
    );
  });

  it('refuses a member of the body that belongs to the header, an unknown predicate and a place that is not its own', () => {
    const [example] = examples;
    if (!example) throw new Error('no example');
    const parts = partsOf(example);
    const bends: readonly Partial<StatementParts>[] = [
      { body: { ...parts.body, prev: parts.prev } },
      { predicate: 'toString' },
      { predicate: 'no-such' },
      { position: { series: 'no-such', n: 0 } },
    ];
    for (const bend of bends) expect(() => writeStatement({ ...parts, ...bend })).toThrow(EvidenceError);
  });

  it('never uses a nonce twice', () => {
    const [example] = examples;
    if (!example) throw new Error('no example');
    const parts = partsOf(example);
    const made = Array.from({ length: 2000 }, () => writeStatement(parts).digest);
    expect(new Set(made).size).toBe(2000);
  });

  it('signs what the envelope is verified over, for any text', () => {
    const [example] = examples;
    if (!example) throw new Error('no example');
    for (const name of ['action:ascii', 'action:\u00fcml\u00e4ut', 'action:\u{1f511}']) {
      const { payload, signed } = writeStatement({ ...partsOf(example), subject: { ...example.subject, name } });
      const head = `DSSEv1 28 application/vnd.in-toto+json ${payload.length} `;
      expect(signed).toEqual(Uint8Array.of(...utf8(head), ...payload));
    }
  });
});

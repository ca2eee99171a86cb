import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Constraint, constraint, isNarrower, satisfies } from '../../src/allow/constraint.ts';
import { isWithin, readPath } from '../../src/allow/path.ts';

const segment = fc.constantFrom('a', 'b', 'ab', 'c');
const folder = fc.array(segment, { maxLength: 3 }).map((parts) => `/${parts.join('/')}`);
const small = fc.integer({ min: -4, max: 4 });
const scalar = fc.oneof(small, folder, fc.boolean(), fc.constant(null), segment);
const constraints: fc.Arbitrary<Constraint> = fc.oneof(
  scalar.map((exact) => ({ exact })),
  fc.array(scalar, { minLength: 1, maxLength: 4 }).map((set) => ({ set })),
  fc.array(folder, { minLength: 1, maxLength: 3 }).map((under) => ({ under })),
  fc.tuple(small, small).map(([min, max]) => ({ min, max })),
  small.map((min) => ({ min })),
  small.map((max) => ({ max })),
);
const asSent = (value: fc.GeneratorValue | string | number | boolean | null) =>
  ({ value, raw: JSON.stringify(value) }) as Parameters<typeof satisfies>[1];

describe('a narrower constraint', () => {
  it('admits nothing that the wider does not', () => {
    let narrower = 0;
    fc.assert(
      fc.property(constraints, constraints, fc.array(scalar, { minLength: 8 }), (inner, outer, values) => {
        if (!isNarrower(inner, outer)) return true;
        narrower++;
        return values.every((value) => !satisfies(inner, asSent(value)) || satisfies(outer, asSent(value)));
      }),
      { numRuns: 3000 },
    );
    expect(narrower).toBeGreaterThan(50);
  });

  it('is each one itself, and each one inside of what it was taken from', () => {
    fc.assert(fc.property(constraints, (one) => isNarrower(one, one) || ('min' in one && 'max' in one)));
    fc.assert(
      fc.property(fc.array(scalar, { minLength: 2, maxLength: 5 }), (set) =>
        isNarrower({ set: set.slice(1) }, { set }),
      ),
    );
  });

  it('carries over: narrower than the narrower is narrower', () => {
    fc.assert(
      fc.property(constraints, constraints, constraints, (a, b, c) => {
        return !(isNarrower(a, b) && isNarrower(b, c)) || isNarrower(a, c);
      }),
      { numRuns: 3000 },
    );
  });
});

describe('a path', () => {
  it('has one spelling, or is not admitted', () => {
    for (const path of ['/', '/a', '/a/b.txt', '/a/', '/ä', '/a b/c', '/100% sure'])
      expect(readPath(path), path).not.toBe(null);
    for (const path of [
      ...['', 'a', './a', '//', '//a', '/a//b', '/a/./b', '/a/../b', '/..', '/a/..', '/a\\b', '/a\u0000', '/a\nb'],
      ...['/a%2fb', '/a%2Fb', '/a%5cb', '/%2e%2e/b', '/a%252fb', '/a%00', '/a\u0308', '/a\u200bb', '/a\u202eb'],
    ])
      expect(readPath(path), JSON.stringify(path)).toBe(null);
  });

  it('is within a folder by whole segments, whatever random text is tried', () => {
    const piece = fc.constantFrom('a', 'b', '..', '.', '', '%2f', '%2e', '\\', 'a\u0308', 'A', '\u200b', '/');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), folder, (pieces, outer) => {
        const path = `/${pieces.join('/')}`;
        if (!isWithin(path, outer)) return true;
        // Whoever resolves it, by dots, by decoding or by neither, ends in the folder.
        const resolved = new URL(`file://${encodeURI(path)}`).pathname;
        return outer === '/' || path === outer || path.startsWith(`${outer}/`) ? !resolved.includes('..') : false;
      }),
      { numRuns: 3000 },
    );
  });

  it('in a constraint is refused when it is ambiguous', () => {
    expect(constraint.safeParse({ under: ['/a/../b'] }).success).toBe(false);
    expect(constraint.safeParse({ under: ['a'] }).success).toBe(false);
  });
});

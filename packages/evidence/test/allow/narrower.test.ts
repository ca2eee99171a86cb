import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Allow, type Attempt, admittedBy, parseAllow } from '../../src/allow/allow.ts';
import { isNarrowerAllow } from '../../src/allow/narrower.ts';

const some = <T>(...values: readonly T[]) => fc.option(fc.subarray([...values], { minLength: 1 }), { nil: undefined });
const folder = fc.constantFrom('/', '/a', '/a/b', '/ab');
const constraint = fc.constantFrom(
  ...[{ exact: 1 }, { set: [1, 2] }, { min: 0 }, { min: 1, max: 2 }, { max: 3 }, { under: ['/a'] }, { exact: '/a/b' }],
);
const entry = fc
  .record({
    server: fc.constantFrom('s', 't'),
    tools: some('x', 'y'),
    methods: some('tools/call', 'resources/read'),
    paths: fc.option(
      fc.array(folder, { minLength: 1, maxLength: 2 }).map((under) => ({ under })),
      { nil: undefined },
    ),
    arguments: fc.option(fc.dictionary(fc.constantFrom('p', 'q'), constraint, { maxKeys: 2 }), { nil: undefined }),
    maxCount: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
  })
  .chain((made) =>
    made.arguments === undefined
      ? fc.constant(made)
      : fc.constantFrom(made, { ...made, otherArguments: 'allowed' as const }),
  );
const allows = fc
  .array(entry, { minLength: 1, maxLength: 3 })
  .map((made) => parseAllow(JSON.parse(JSON.stringify(made))));
const attempt: fc.Arbitrary<Attempt> = fc.record({
  method: fc.constantFrom('tools/call', 'resources/read'),
  server: fc.constantFrom('s', 't'),
  tool: fc.constantFrom('x', 'y', null),
  facets: fc.array(
    fc.constantFrom('/a', '/a/b', '/a/b/c', '/ab/x', '/z').map((real) => ({ kind: 'path' as const, real })),
    { maxLength: 2 },
  ),
  arguments: fc
    .dictionary(fc.constantFrom('p', 'q', 'r'), fc.constantFrom(0, 1, 2, 3, '/a/b'), { maxKeys: 3 })
    .map((given) => new Map(Object.entries(given).map(([key, value]) => [key, { value, raw: JSON.stringify(value) }]))),
});

/** How many of the attempts begin, one after the other. */
function begun(allow: Allow, attempts: readonly Attempt[]): number {
  const counts = allow.map(() => 0);
  for (const each of attempts) {
    const at = admittedBy(allow, each, counts);
    if (at !== null) counts[at] = (counts[at] ?? 0) + 1;
  }
  return counts.reduce((sum, count) => sum + count, 0);
}

test('whatever a narrower allow admits, the wider admits', () => {
  let narrower = 0;
  fc.assert(
    fc.property(allows, allows, fc.array(attempt, { minLength: 4, maxLength: 8 }), (inner, outer, attempts) => {
      if (!isNarrowerAllow(inner, outer)) return true;
      narrower++;
      return attempts.every((each) => admittedBy(inner, each) === null || admittedBy(outer, each) !== null);
    }),
    { numRuns: 4000 },
  );
  expect(narrower).toBeGreaterThan(20);
});

test('each allow is narrower than itself, and with an entry less, or a smaller count', () => {
  fc.assert(
    fc.property(allows, (allow) => {
      const counted = allow.map((each) => ({ ...each, maxCount: 1 }));
      return (
        isNarrowerAllow(allow, allow) &&
        isNarrowerAllow(allow.slice(1), allow) &&
        isNarrowerAllow(counted.slice(0, 1), allow)
      );
    }),
  );
});

test('several entries under one share its count', () => {
  const outer = parseAllow([{ server: 's', maxCount: 3 }]);
  const parts = (...counts: number[]) =>
    parseAllow(counts.map((maxCount, i) => ({ server: 's', tools: [`t${i}`], maxCount })));
  expect(isNarrowerAllow(parts(1, 2), outer)).toBe(true);
  expect(isNarrowerAllow(parts(2, 2), outer)).toBe(false);
  expect(isNarrowerAllow(parseAllow([{ server: 's', tools: ['t'] }]), outer)).toBe(false);
});

test('of one entry the narrower begins no more actions than the wider', () => {
  fc.assert(
    fc.property(entry, entry, fc.array(attempt, { maxLength: 10 }), (a, b, attempts) => {
      const [inner, outer] = [a, b].map((each) => parseAllow([JSON.parse(JSON.stringify(each))])) as [Allow, Allow];
      return !isNarrowerAllow(inner, outer) || begun(inner, attempts) <= begun(outer, attempts);
    }),
    { numRuns: 3000 },
  );
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compile, compileCondition, condition, type Expression, expression } from '../../src/events/expression.ts';
import type { Json } from '../../src/json.ts';

const document: Json = {
  a: { 'b/c': ['x', { d: 7 }], '~': true },
  name: 'svc.v1.Insert',
  nothing: null,
  text: '{"inner":{"n":3}}',
  targets: [
    { type: 'User', id: 'u1' },
    { type: 'App', id: 'a1' },
  ],
  number: '12.50',
  huge: '9007199254740993',
};
const value = (from: Expression) => compile(from)(document);

describe('an expression', () => {
  it.each<[string, Expression, unknown]>([
    ['a pointer', '/a/b~1c/1/d', 7],
    ['an escaped tilde', '/a/~0', true],
    ['a pointer to nothing', '/a/x/y', undefined],
    ['a null', '/nothing', undefined],
    ['a list', '/targets', undefined],
    ['a list’s place in another writing', '/targets/01/id', undefined],
    ['the first that is there', { first: ['/x', '/nothing', '/name'] }, 'svc.v1.Insert'],
    ['parts together', { join: ['/name', '/number'], with: ':' }, 'svc.v1.Insert:12.50'],
    ['parts of which one is missing', { join: ['/name', '/x'], with: ':' }, undefined],
    ['a table', { of: '/a/~0', table: { true: 'yes' } }, 'yes'],
    ['a table without the value', { of: '/name', table: { x: 1 }, else: { const: 2 } }, 2],
    ['the longest prefix', { of: '/name', starts: { svc: 1, 'svc.v1': 2 } }, 2],
    ['what comes last', { of: '/name', last: '.' }, 'Insert'],
    ['what comes last where nothing parts it', { of: '/number', last: '::' }, '12.50'],
    ['what comes after', { of: '/name', after: 'svc.' }, 'v1.Insert'],
    ['what comes before', { of: '/name', until: '.' }, 'svc'],
    ['a value in a text', { of: '/text', json: '/inner/n' }, 3],
    ['a value in a text that is none', { of: '/name', json: '/inner' }, undefined],
    ['an entry', { of: '/targets', entry: { at: '/type', is: 'App' }, take: '/id' }, 'a1'],
    ['no entry', { of: '/targets', entry: { at: '/type', is: 'Zone' }, take: '/id' }, undefined],
    ['a number', { of: '/number', as: 'number' }, 12.5],
    ['a number that doubles cannot hold', { of: '/huge', as: 'number' }, undefined],
    ['small letters', { of: '/name', as: 'lower' }, 'svc.v1.insert'],
    ['a name of every object', { first: ['/__proto__', '/constructor'] }, undefined],
  ])('takes %s', (_what, from, expected) => {
    expect(expression.parse(from)).toEqual(from);
    expect(value(from)).toBe(expected);
  });

  it('digests a document whatever the order of its keys', () => {
    const digest = compile({ of: '', digest: 'hex' });
    expect(digest({ a: [1, { c: 2, b: 3 }] })).toBe(digest({ a: [1, { b: 3, c: 2 }] }));
    expect(digest({ a: 1 })).not.toBe(digest({ a: '1' }));
    expect(compile({ of: '/t', digest: 'base64' })({ t: 'abc' })).toBe('ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=');
  });

  it('shortens a long text to its digest', () => {
    expect(compile('')('x'.repeat(1024))).toBe('x'.repeat(1024));
    expect(compile('')('x'.repeat(1025))).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(compile('')('\ud800')).toBe('\ufffd');
  });

  it('is refused when it is not one of its forms', () => {
    for (const wrong of [
      'a',
      '/a~2',
      { of: '/a' },
      { of: '/a', table: {}, after: 'x' },
      { first: [] },
      { regex: 'a' },
      7,
    ])
      expect(expression.safeParse(wrong).success).toBe(false);
  });
});

describe('a condition', () => {
  it('holds or does not', () => {
    const holds = (from: unknown) => compileCondition(condition.parse(from))(document);
    expect(holds({ is: '/a/~0', in: [true] })).toBe(true);
    expect(holds({ is: '/x', in: [null] })).toBe(true);
    expect(holds({ has: '/targets' })).toBe(true);
    expect(holds({ all: [{ has: '/name' }, { not: { has: '/nothing' } }] })).toBe(true);
    expect(holds({ any: [{ has: '/x' }, { is: '/number', in: [12.5] }] })).toBe(false);
  });
});

describe('whatever it is given', () => {
  const pointers = fc.constantFrom('', '/a', '/a/b', '/0', '/a/0', '/x');
  const { from } = fc.letrec<{ from: Expression }>((tie) => ({
    from: fc.oneof(
      { depthSize: 'small' },
      pointers,
      fc.record({ const: fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null)) }),
      fc.record({ first: fc.array(tie('from'), { minLength: 1, maxLength: 3 }) }),
      fc.record({ join: fc.array(tie('from'), { minLength: 1, maxLength: 3 }), with: fc.string() }),
      fc.record({ of: tie('from'), last: fc.string({ minLength: 1 }) }),
      fc.record({ of: tie('from'), until: fc.string({ minLength: 1 }) }),
      fc.record({ of: tie('from'), json: pointers }),
      fc.record({ of: tie('from'), digest: fc.constantFrom('hex' as const, 'base64' as const) }),
      fc.record({ of: tie('from'), as: fc.constantFrom('text' as const, 'number' as const, 'lower' as const) }),
    ) as fc.Arbitrary<Expression>,
  }));

  it('gives a plain value or none, and never throws', () => {
    fc.assert(
      fc.property(from, fc.jsonValue(), (made, json) => {
        const found = compile(made)(json as Json);
        expect(['undefined', 'string', 'number', 'boolean']).toContain(found === null ? 'null' : typeof found);
      }),
      { numRuns: process.env.SLOW ? 20_000 : 500 },
    );
  });
});

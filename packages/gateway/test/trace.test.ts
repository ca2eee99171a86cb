import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { traceOf, traceparentOf } from '../src/trace.ts';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const spanId = '00f067aa0ba902b7';
const given = `00-${traceId}-${spanId}-01`;
const other = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-00`;

describe('the trace of a call', () => {
  it('is what its _meta says, as a claim of the caller', () => {
    const trace = traceOf({ traceparent: given, tracestate: 'congo=t61rcWkgMzE' }, { traceparent: other });
    expect(trace).toEqual({ traceId, spanId, flags: '01', tracestate: 'congo=t61rcWkgMzE' });
    expect(trace && traceparentOf(trace)).toBe(given);
  });

  it('is what its header says where _meta says nothing well formed, without the state of the other', () => {
    const trace = traceOf({ traceparent: 'nonsense', tracestate: 'a=1' }, { traceparent: given });
    expect(trace).toMatchObject({ traceId, tracestate: null });
  });

  it('is none where nobody named one', () => {
    expect([traceOf(null, {}), traceOf(undefined, null)]).toEqual([null, null]);
  });

  it.each([
    ['upper case', given.toUpperCase()],
    ['a trace id of zeros', `00-${'0'.repeat(32)}-${spanId}-01`],
    ['a span id of zeros', `00-${traceId}-${'0'.repeat(16)}-01`],
    ['the version ff', given.replace(/^00/, 'ff')],
    ['more after version 00', `${given}-more`],
    ['two headers in one', `${given}, ${given}`],
    ['white space', ` ${given}`],
    ['a line break', `${given}\n`],
    ['a missing part', given.slice(0, -3)],
    ['a later version with more and no dash', `${given.replace(/^00/, 'cc')}.more`],
    ['no text', 7],
    ['a list', [given]],
  ])('drops a traceparent with %s', (_, traceparent) => {
    expect(traceOf({ traceparent }, null)).toBeNull();
  });

  it('reads a later version as far as it is known', () => {
    const later = `cc-${traceId}-${spanId}-ff-what-comes`;
    expect(traceOf({ traceparent: later }, null)).toMatchObject({ traceId, spanId, flags: '01' });
  });

  it.each([
    'a=1,a=2',
    'A=1',
    'a',
    'a=',
    'a=1=2',
    '=1',
    'a=b\u00e9',
    '@v=1',
    't@=1',
    `${'a'.repeat(257)}=1`,
    `a=${'x'.repeat(257)}`,
    Array.from({ length: 33 }, (_, at) => `k${at}=1`).join(),
    '',
    3,
  ])('drops a tracestate that breaks a rule, and keeps the traceparent (%#)', (tracestate) => {
    expect(traceOf({ traceparent: given, tracestate }, null)).toMatchObject({ tracestate: null });
  });

  it.each(['a=1', 'a=1, b=2', 'a=1,,b=2', '0t@v=x y', `a=${'x'.repeat(256)}`, `${'a'.repeat(256)}=1`])(
    'keeps a tracestate as it was written (%#)',
    (tracestate) => {
      expect(traceOf({ traceparent: given, tracestate }, null)?.tracestate).toBe(tracestate);
    },
  );

  it('takes any value for what it is, and only ever gives what can be forwarded', () => {
    fc.assert(
      fc.property(fc.anything(), fc.string(), fc.string(), (odd, traceparent, tracestate) => {
        for (const fields of [
          { traceparent: odd, tracestate: odd },
          { traceparent, tracestate },
        ]) {
          const trace = traceOf(fields, { traceparent: given, tracestate });
          expect(trace && traceOf({ traceparent: traceparentOf(trace) }, null)).not.toBeNull();
          expect(trace?.tracestate ?? '').toMatch(/^[\x20-\x7e\t]*$/);
        }
      }),
    );
  });
});

import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../src/encoding.ts';
import { actionDocument, compileContract, parseContract } from '../../src/events/contract.ts';
import { maxDocumentBytes } from '../../src/events/document.ts';
import { differences, isEventName, valueIn } from '../../src/events/expected.ts';
import { compileMapping, parseMapping } from '../../src/events/mapping.ts';
import { readTime } from '../../src/events/time.ts';
import type { Json } from '../../src/json.ts';

const example = (name: string) => readFileSync(new URL(`../../../../examples/payments/${name}`, import.meta.url));
const text = (bytes: Uint8Array, from: string, to: string) => utf8(Buffer.from(bytes).toString().replace(from, to));
const mapping = example('mapping.json');
const contract = example('contract.json');

const record = {
  id: 'ev_1',
  time: '2026-11-22T12:00:00.5+01:00',
  request: 'req_1',
  idempotency: null,
  key: 'crd_1',
  action: 'refund.created',
  charge: 'ch_1',
  amount: '40.00',
};

describe('a mapping', () => {
  const read = compileMapping(parseMapping(mapping));

  it('says what a record says, in the names of every source', () => {
    expect(read(record)).toEqual({
      ...{ id: 'ev_1', time: '2026-11-22T11:00:00.500Z', class_uid: 6003, activity: 'create', status: 'success' },
      operation: 'refund.created',
      credential: { kind: 'payment-key', uid: 'crd_1' },
      ...{ principal: null, session: null, network: null },
      correlation: { request: 'req_1' },
      resource: { type: 'charge', uid: 'ch_1', parent: null },
      fields: { amount: '40.00' },
    });
  });

  it('says why a record is none', () => {
    expect(read({ ...record, id: null })).toBe('it has no id');
    expect(read({ ...record, time: 'noon' })).toBe('it has no time');
    expect(read({ ...record, action: [] })).toBe('it does not say what was done');
    expect(read('text')).toBe('it has no id');
    const strange = compileMapping(
      parseMapping(text(mapping, '"refund.created": "create"', '"refund.created": "make"')),
    );
    expect(strange(record)).toBe('make is no activity');
    const chosen = compileMapping(parseMapping(text(mapping, '"id":', '"accept": { "has": "/charge" }, "id":')));
    expect(chosen({ ...record, charge: null })).toBeNull();
  });

  it('is refused with the place and the mend when it is not in form', () => {
    const refused = (bytes: Uint8Array) => {
      try {
        parseMapping(bytes);
      } catch (error) {
        return error as Error & { code: string };
      }
      throw new Error('accepted');
    };
    expect(refused(utf8('{')).code).toBe('mapping');
    expect(refused(text(mapping, '"form": "iso"', '"form": "noon"')).message).toContain('time[0].form');
    expect(refused(text(mapping, '"/id"', '"id"')).message).toContain('at id');
    expect(refused(text(mapping, '"lagSeconds": 0', '"lagSeconds": 0, "lag": 1')).message).toContain('lag');
    expect(refused(text(mapping, '"id":', '"id": "/x", "id":')).code).toBe('mapping');
    expect(refused(new Uint8Array(maxDocumentBytes + 1)).code).toBe('limit');
  });

  it('reads any record as an event, none, or a text, whatever the order of its keys', () => {
    const near = fc.record(
      Object.fromEntries(
        Object.entries(record).map(([key, value]) => [key, fc.oneof(fc.constant(value), fc.jsonValue())]),
      ),
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(near, fc.jsonValue()), (made) => {
        const found = read(made as Json);
        expect(found === null || ['string', 'object'].includes(typeof found)).toBe(true);
        const other =
          typeof made === 'object' && made !== null && !Array.isArray(made)
            ? Object.fromEntries(Object.entries(made).reverse())
            : made;
        expect(read(other as Json)).toEqual(found);
      }),
      { numRuns: process.env.SLOW ? 20_000 : 500 },
    );
  });
});

describe('a time', () => {
  it.each<[Parameters<typeof readTime>[0], Parameters<typeof readTime>[1], string | null]>([
    ['2026-11-22T12:00:00Z', 'iso', '2026-11-22T12:00:00.000Z'],
    ['2026-11-22 12:00:00.123456789+0530', 'iso', '2026-11-22T06:30:00.123Z'],
    ['2026-11-22T12:00:00.9999Z', 'iso', '2026-11-22T12:00:00.999Z'],
    ['2026-11-22T12:00:00', 'iso', null],
    ['2026-11-22 12:00:00', 'iso-utc', '2026-11-22T12:00:00.000Z'],
    ['2026-02-30T12:00:00.000Z', 'iso', null],
    ['2026-13-01T12:00:00Z', 'iso', null],
    [1_795_348_800, 'unix-s', '2026-11-22T12:00:00.000Z'],
    ['1795348800.25', 'unix-s', '2026-11-22T12:00:00.250Z'],
    [1_795_348_800_123, 'unix-ms', '2026-11-22T12:00:00.123Z'],
    [1_795_348_800_123_456, 'unix-us', '2026-11-22T12:00:00.123Z'],
    [1_795_348_800, 'unix-ms', null],
    [Number.NaN, 'unix-s', null],
    [true, 'unix-s', null],
    [undefined, 'iso', null],
  ])('%s as %s', (value, form, expected) => {
    expect(readTime(value, form)).toBe(expected);
  });
});

describe('a contract', () => {
  const expecting = compileContract(parseContract(contract));
  const parsed = { action: 'act_1', task: 'tsk_1', tool: 'refund', arguments: '{"charge":"ch_1","amount":"40.00"}' };
  const of = (effects: unknown, over = {}) =>
    expecting(
      actionDocument({
        record: { ...parsed, ...over } as never,
        ...{ status: 'ok', result: utf8('no json') },
        effects: effects === null ? null : utf8(JSON.stringify(effects)),
      }),
    );

  it('expects of a call what it says, by the strongest id that the call knows', () => {
    const [effect] = of({ effects: [{ request: 'req_1' }] });
    expect(effect).toMatchObject({
      ...{ sources: ['payments'], operations: ['refund.created'], count: { min: 1, max: 1 } },
      key: [{ name: 'correlation.request', value: 'req_1' }],
      same: [
        { name: 'resource.uid', value: 'ch_1' },
        { name: 'fields.amount', value: '40.00' },
      ],
    });
    expect(of(null)[0]?.key).toEqual([{ name: 'correlation.idempotency', value: 'act_1' }]);
    expect(of(null, { tool: 'other' })).toEqual([]);
    expect(of(null, { arguments: 'broken' })[0]?.same).toEqual([]);
  });

  it('is refused when it names what no event has', () => {
    expect(() => parseContract(text(contract, 'correlation.request', 'header.request'))).toThrow(
      /names of what an event has/,
    );
    expect(() => parseContract(text(contract, '"server"', '"servers"'))).toThrow(/server/);
    expect(isEventName('fields.')).toBe(false);
    expect(isEventName('resource.uid')).toBe(true);
  });

  it('compares an event with what was expected, by name', () => {
    const event = compileMapping(parseMapping(mapping))(record);
    if (event === null || typeof event === 'string') throw new Error('no event');
    const [effect] = of(null);
    expect(effect && differences(event, effect)).toEqual([]);
    expect(effect && differences({ ...event, fields: { amount: 41 } }, effect)).toEqual(['fields.amount']);
    expect(valueIn(event, 'correlation.trace')).toBeUndefined();
    expect(valueIn(event, 'network.ip')).toBeUndefined();
    const near = [{ name: 'fields.amount', value: 39, tolerance: 1 }];
    expect(differences(event, { same: [], near })).toEqual([]);
    expect(differences(event, { same: [], near: [{ ...near[0], tolerance: 0.5 } as never] })).toEqual([
      'fields.amount',
    ]);
  });
});

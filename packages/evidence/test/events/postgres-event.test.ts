import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toBase64, utf8 } from '../../src/encoding.ts';
import { readPgMessage } from '../../src/events/pgoutput.ts';
import { encodePostgresRecord, readPostgresEvent } from '../../src/events/postgres-event.ts';

/** Bytes of a message, from numbers of so many bytes and texts that end with a zero. */
function bytes(...parts: readonly (string | readonly [value: number | bigint, size: number] | Uint8Array)[]): Buffer {
  return Buffer.concat(
    parts.map((part) => {
      if (typeof part === 'string') return Buffer.from(part, 'latin1');
      if (part instanceof Uint8Array) return Buffer.from(part);
      const [value, size] = part;
      const made = Buffer.alloc(8);
      made.writeBigUInt64BE(BigInt(value));
      return made.subarray(8 - size);
    }),
  );
}

const begin = bytes('B', [0x1_0000_00ffn, 8], [849_686_400_123_456n, 8], [731, 4]);
const relation = bytes(
  ...(['R', [77, 4], 'public\0', 'orders\0', 'f', [2, 2]] as const),
  ...([[1, 1], 'id\0', [23, 4], [0, 4], [0, 1], 'note\0', [25, 4], [0, 4]] as const),
);
const row = (...cells: readonly (string | null)[]) =>
  bytes(
    [cells.length, 2],
    ...cells.flatMap((cell) => (cell === null ? ['n'] : ['t', [cell.length, 4] as const, cell])),
  );
const insert = bytes('I', [77, 4], 'N', row('1', null));
const update = bytes('U', [77, 4], 'O', row('1', null), 'N', row('1', 'x'.repeat(1025)));
const remove = bytes('D', [77, 4], 'K', row('1', null));
const truncate = bytes('T', [1, 4], [0, 1], [77, 4]);
const stamp = (text: string, prefix = 'deed.stamp') =>
  bytes('M', [1, 1], [5, 8], `${prefix}\0`, [text.length, 4], text);
const agent = stamp('{"role":"agent","app":"deed:task-1"}');

const record = (
  change: Uint8Array,
  over: { stamps?: readonly Uint8Array[]; relation?: Uint8Array; begin?: Uint8Array } = {},
) =>
  encodePostgresRecord({
    begin: toBase64(over.begin ?? begin),
    relation: toBase64(over.relation ?? relation),
    change: toBase64(change),
    ...{ key: ['id'], n: 3 },
    stamps: (over.stamps ?? [agent]).map(toBase64),
  });

describe('a changed row', () => {
  it('is told from the server’s own messages', () => {
    expect(readPostgresEvent(record(insert))).toEqual({
      ...{
        id: '1000000FF:3',
        time: '2026-12-04T08:00:00.123Z',
        class_uid: 6005,
        activity: 'create',
        operation: 'INSERT',
      },
      ...{ status: 'success', credential: { kind: 'postgres-role', uid: 'agent' }, session: null, network: null },
      principal: { uid: 'agent', type: 'role' },
      correlation: { transaction: '731', task: 'task-1' },
      resource: { type: 'row', uid: 'public.orders/id=1', parent: 'public.orders' },
      fields: { 'after.id': '1', 'after.note': null },
    });
    expect(readPostgresEvent(record(update))).toMatchObject({
      operation: 'UPDATE',
      fields: { 'before.note': null, 'after.note': expect.stringMatching(/^sha256:[0-9a-f]{64}$/) },
    });
    expect(readPostgresEvent(record(remove))).toMatchObject({ activity: 'delete', fields: { 'before.id': '1' } });
    expect(readPostgresEvent(record(truncate))).toMatchObject({
      resource: { type: 'table', uid: 'public.orders', parent: 'public.orders' },
    });
  });

  it('names nobody where its stamps are absent, differ, or are none', () => {
    const other = stamp('{"role":"other"}');
    for (const stamps of [
      [],
      [agent, other],
      [stamp('{"role":"agent"}', 'other')],
      [stamp('{"role":7}')],
      [stamp('no json')],
      [insert],
    ])
      expect(readPostgresEvent(record(insert, { stamps }))).toMatchObject({ credential: null, principal: null });
    expect(readPostgresEvent(record(insert, { stamps: [agent, agent] }))).toMatchObject({
      credential: { uid: 'agent' },
    });
  });

  it('is none where its messages do not belong together, or are cut', () => {
    expect(readPostgresEvent(record(insert, { begin: insert }))).toMatch(/of other kinds/);
    expect(readPostgresEvent(record(begin))).toMatch(/no change of rows/);
    expect(readPostgresEvent(record(bytes('I', [78, 4], 'N', row('1', null))))).toMatch(/its table is another/);
    expect(readPostgresEvent(record(insert.subarray(0, -1)))).toMatch(/ends too early/);
    expect(readPostgresEvent(record(bytes(insert, 'x')))).toMatch(/goes on after its end/);
    expect(readPostgresEvent(utf8('{"v":1}'))).toMatch(/another form/);
    expect(readPostgresEvent(utf8('no json'))).toEqual(expect.any(String));
  });

  it('is an event or a text, whatever the bytes', () => {
    const parts = [begin, relation, insert, update, truncate, agent];
    const mutated = fc
      .tuple(fc.constantFrom(...parts), fc.nat(200), fc.nat(255))
      .map(([part, at, byte]) => part.map((old, i) => (i === at % part.length ? byte : old)));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 64 }), mutated), fc.nat(2), (some, where) => {
        try {
          readPgMessage(some);
        } catch (error) {
          expect(error).toMatchObject({ code: expect.stringMatching(/^encoding$/) });
        }
        const made = [record(some), record(insert, { relation: some }), record(insert, { stamps: [some] })][where];
        expect(['string', 'object']).toContain(typeof readPostgresEvent(made as Uint8Array));
      }),
      { numRuns: process.env.SLOW ? 20_000 : 500 },
    );
  });
});

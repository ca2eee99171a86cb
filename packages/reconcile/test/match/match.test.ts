import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { proves } from '../../../../tests/promises.ts';
import type { MatchEvent, Reach } from '../../src/match/claim.ts';
import { match } from '../../src/match/match.ts';
import { foreign } from '../../src/match/tell.ts';
import { begunAt, claim, event, expectation, keyed, placed, question, types, whole } from './question.ts';

const runs = process.env.SLOW ? 5000 : 300;
const early: Reach = { ...whole, watermark: '2026-11-22T12:10:02.000Z' };

describe('by an id', () => {
  it('confirms an action by the id of its request, whatever else happened at that time', () => {
    const own = event({ correlation: { request: 'r-1' } });
    const other = event({ correlation: { request: 'r-2' }, resource: { type: 'charge', uid: 'ch_9', parent: null } });
    const answer = match(question({ claims: [claim([keyed('r-1')])], events: [other, own] }));
    expect(answer.confirmed).toMatchObject([{ events: [own], how: 'exact', key: ['correlation.request'] }]);
    expect(types(answer)).toEqual(['hidden_side_effect']);
  });

  it('does not look for an action with an id in any other way', () => {
    const alike = event({ correlation: { request: 'r-2' } });
    expect(types(match(question({ claims: [claim([keyed('r-1')])], events: [alike] }))).sort()).toEqual([
      'hidden_side_effect',
      'phantom_action',
    ]);
  });

  it('says what differs where the id finds something else than was reported', () => {
    const other = event({ correlation: { request: 'r-1' }, fields: { amount: '400.00' } });
    const answer = match(question({ claims: [claim([keyed('r-1')])], events: [other] }));
    expect(answer.confirmed).toEqual([]);
    expect(answer.findings).toMatchObject([{ type: 'result_mismatch', severity: 'high', events: [other] }]);
    expect(answer.findings[0]?.why).toContain('fields.amount 40.00, but source pay recorded');
    expect(answer.findings[0]?.why).toContain('amount 400.00');
  });

  it('takes a number and its text for equal, and a tolerance for what it says', () => {
    const seen = (amount: string) => [event({ correlation: { request: '7' }, fields: { amount } })];
    const near = { same: [], near: [{ name: 'fields.amount', value: 40, tolerance: 0.5 }] };
    const wanted = expectation({ key: [{ name: 'correlation.request', value: 7 }], ...near });
    expect(match(question({ claims: [claim([wanted])], events: seen('40.5') })).confirmed).toHaveLength(1);
    expect(types(match(question({ claims: [claim([wanted])], events: seen('40.6') })))).toEqual(['result_mismatch']);
    expect(types(match(question({ claims: [claim([wanted])], events: seen('much') })))).toEqual(['result_mismatch']);
  });

  it('confirms an action of several effects only when each of them is recorded', () => {
    const both = claim([keyed('r-1'), keyed('r-2', { operations: ['mail.sent'], same: [] })]);
    const [one, two] = [
      event({ correlation: { request: 'r-1' } }),
      event({ correlation: { request: 'r-2' }, operation: 'mail.sent' }),
    ];
    expect(match(question({ claims: [both], events: [two, one] })).confirmed).toHaveLength(1);
    const half = match(question({ claims: [both], events: [one] }));
    expect(half.findings).toMatchObject([{ type: 'phantom_action', events: [one] }]);
  });

  it('leaves what may be the first half of an action alone until the record has passed it', () => {
    const both = claim([keyed('r-1'), keyed('r-2')]);
    const [one] = [event({ correlation: { request: 'r-1' } })];
    expect(match(question({ claims: [both], events: [one], reach: [early] }))).toEqual({
      ...{ confirmed: [], findings: [], ambient: [], pending: 1 },
    });
  });

  it('does not confirm by a record that proves nothing of who did it', () => {
    const proof = { name: 'fields.record', value: 'pushes', otherwise: 'only the reflog has it' };
    const wanted = keyed('r-1', { same: [], proof });
    const [weak, strong] = ['reflog', 'pushes'].map((record) =>
      event({ correlation: { request: 'r-1' }, fields: { record } }),
    ) as [MatchEvent, MatchEvent];
    const answer = match(question({ claims: [claim([wanted])], events: [weak] }));
    expect(answer.findings).toMatchObject([{ type: 'ambiguous', events: [weak] }]);
    expect(match(question({ claims: [claim([wanted])], events: [weak, strong] })).confirmed).toMatchObject([
      { events: [strong] },
    ]);
  });
});

describe('by content and time', () => {
  it('confirms an action whose like there is no second', () => {
    const answer = match(question({ claims: [claim([expectation()])], events: [event()] }));
    expect(answer.confirmed).toMatchObject([{ how: 'compared', key: ['resource.uid', 'fields.amount'] }]);
    expect(answer.findings).toEqual([]);
  });

  it('confirms as many equal actions as there are records, and says that it counted', () => {
    const claims = [1, 2, 3].map(() => claim([expectation()]));
    const answer = match(question({ claims, events: [event(), event(), event()] }));
    expect(answer.confirmed.map(({ how }) => how)).toEqual(['counted', 'counted', 'counted']);
    expect(answer.findings).toEqual([]);
  });

  it('calls one record more than equal actions a repetition', () => {
    proves('hidden-found');
    const answer = match(question({ claims: [claim([expectation()])], events: [event(), event()] }));
    expect(answer.confirmed).toHaveLength(1);
    expect(types(answer)).toEqual(['duplicate_execution']);
  });

  it('accuses none of several equal actions when one record is missing', () => {
    const claims = [1, 2].map(() => claim([expectation()]));
    const answer = match(question({ claims, events: [event()] }));
    expect(answer.confirmed).toEqual([]);
    expect(answer.findings).toMatchObject([
      { type: 'ambiguous', statements: claims.map(({ statement }) => statement) },
    ]);
    expect(types(match(question({ claims, events: [] })))).toEqual(['phantom_action', 'phantom_action']);
  });

  it('gives each of two equal actions the record of its own time', () => {
    const first = claim([expectation()]);
    const second = claim([expectation()], { begun: '2026-11-22T12:20:00.000Z', ended: '2026-11-22T12:20:01.000Z' });
    const late = event({ time: '2026-11-22T12:20:02.000Z' });
    const answer = match(question({ claims: [second, first], events: [late] }));
    expect(answer.confirmed).toMatchObject([{ claim: second, events: [late], how: 'compared' }]);
    expect(answer.findings).toMatchObject([{ type: 'phantom_action', statements: [first.statement] }]);
  });

  it('names what differs of the only record that may be the action', () => {
    const other = event({ fields: { amount: '400.00' } });
    const answer = match(question({ claims: [claim([expectation()])], events: [other] }));
    expect(answer.findings).toMatchObject([{ type: 'result_mismatch', events: [other] }]);
    const two = match(
      question({ claims: [claim([expectation()])], events: [other, event({ fields: { amount: '4' } })] }),
    );
    expect(types(two)).toEqual(['ambiguous']);
  });

  it('looks as far around an action as the clocks may differ', () => {
    const claims = [claim([expectation()])];
    const before = event({ time: '2026-11-22T12:09:58.500Z' });
    expect(types(match(question({ claims, events: [before] })))).toContain('phantom_action');
    const skewed = { ...whole, skewMs: 2_000 };
    expect(match(question({ claims, events: [before], reach: [skewed] })).confirmed).toHaveLength(1);
  });

  it('gives an action with one to three effects those in its time', () => {
    const wanted = expectation({ count: { min: 1, max: 3 }, same: [] });
    const made = [event(), event({ resource: null }), event({ fields: {} }), event()];
    const answer = match(question({ claims: [claim([wanted])], events: made }));
    expect(answer.confirmed[0]?.events).toHaveLength(3);
    expect(types(answer)).toEqual(['duplicate_execution']);
  });
});

describe('what is not known yet', () => {
  it('calls nothing a phantom before the watermark has passed its time', () => {
    for (const wanted of [keyed('r-1'), expectation()]) {
      const claims = [claim([wanted])];
      expect(match(question({ claims, reach: [early] }))).toMatchObject({ pending: 1, confirmed: [], findings: [] });
      expect(match(question({ claims, reach: [{ ...whole, watermark: null }] }))).toMatchObject({ pending: 1 });
      expect(types(match(question({ claims, reach: [] })))).toEqual(['missing_coverage']);
      expect(types(match(question({ claims })))).toEqual(['phantom_action']);
    }
  });

  it('leaves alone what an action under way may have done', () => {
    const open = claim([expectation()], { ended: null, says: 'unknown' });
    const seen = event({ time: '2026-11-22T12:15:00.000Z' });
    expect(match(question({ claims: [open], events: [seen] }))).toMatchObject({ pending: 1, findings: [] });
    const other = event({ operation: 'charge.deleted' });
    expect(types(match(question({ claims: [open], events: [other] })))).toEqual(['scope_excess']);
  });

  it('says of an action with an unknown outcome that it was done, and does not call it hidden', () => {
    const unknown = claim([keyed('r-1')], { says: 'unknown' });
    const done = event({ correlation: { request: 'r-1' } });
    expect(match(question({ claims: [unknown], events: [done] })).findings).toMatchObject([
      { type: 'ambiguous', events: [done], statements: [unknown.statement] },
    ]);
    expect(match(question({ claims: [unknown] }))).toMatchObject({ findings: [], pending: 0 });
  });

  it('has no proof where the log that would have it is not read at all', () => {
    proves('invariant-12');
    const told = match(question({ claims: [claim([keyed('r')])], reach: [] }));
    expect(told.findings).toMatchObject([
      { type: 'missing_coverage', why: expect.stringContaining('pay is not read') },
    ]);
    const nowhere = match(question({ claims: [claim([expectation({ sources: [] })])] }));
    expect(nowhere.findings).toMatchObject([
      { type: 'missing_coverage', why: expect.stringContaining('no source is read that would record it') },
    ]);
    expect(match(question({ claims: [claim([keyed('r')], { ended: null })], reach: [] })).findings).toEqual([]);
  });

  it('contradicts nothing that began before its source was read', () => {
    const late = { ...whole, since: '2026-11-22T12:10:00.500Z' };
    expect(types(match(question({ claims: [claim([keyed('r')])], reach: [late] })))).toEqual(['missing_coverage']);
    const seen = event({ correlation: { request: 'r' } });
    expect(match(question({ claims: [claim([keyed('r')])], events: [seen], reach: [late] })).confirmed).toHaveLength(1);
  });
});

describe('what no receipt explains', () => {
  it('is not accused by a clock that cannot be right, whether it is ahead or behind', () => {
    const hours = (many: number) =>
      event({ time: new Date(Date.parse('2026-11-22T12:10:00.500Z') + many * 3_600_000).toISOString() });
    const readAt = Date.parse('2026-11-22T12:40:00.000Z');
    const ahead = { ...hours(2), readAt };
    for (const wrong of [ahead, hours(-2)]) {
      const told = match(question({ claims: [claim([expectation()])], events: [wrong] }));
      expect(types(told)).toEqual(['missing_coverage', 'ambiguous']);
      expect(told.findings[0]?.why).toContain('the clock of source pay is off by more than 0 ms');
      expect(told.findings[1]).toMatchObject({ severity: 'medium', events: [wrong] });
    }
    const keyed2 = { ...ahead, event: { ...ahead.event, correlation: { request: 'r-1' } } };
    expect(match(question({ claims: [claim([keyed('r-1')])], events: [keyed2] }))).toMatchObject({
      ...{ confirmed: [{ how: 'exact' }], findings: [] },
    });
    const late = event({ time: '2026-11-22T12:35:00.000Z' });
    expect(types(match(question({ events: [{ ...late, readAt }] })))).toEqual(['use_after_close']);
  });

  it('is neither a phantom nor short of records where records of its time are missing', () => {
    const gaps = [{ from: '2026-11-22T12:10:00.200Z', to: '2026-11-22T12:10:00.900Z' }];
    const [one, two] = [claim([expectation()]), claim([expectation()])];
    const told = match(question({ claims: [one], reach: [{ ...whole, gaps }] }));
    expect(types(told)).toEqual(['missing_coverage']);
    expect(told.findings[0]?.why).toContain('from 2026-11-22T12:10:00.200Z to 2026-11-22T12:10:00.900Z are missing');
    const short = match(question({ claims: [one, two], events: [event()], reach: [{ ...whole, gaps }] }));
    expect(types(short)).toEqual(['missing_coverage', 'missing_coverage']);
    const found = match(question({ claims: [one], events: [event()], reach: [{ ...whole, gaps }] }));
    expect(found.confirmed).toHaveLength(1);
    const elsewhen = [{ from: '2026-11-22T12:20:00.000Z', to: '2026-11-22T12:21:00.000Z' }];
    expect(types(match(question({ claims: [one], reach: [{ ...whole, gaps: elsewhen }] })))).toEqual([
      'phantom_action',
    ]);
  });

  it('calls an action that failed and yet happened a mismatch', () => {
    const failed = claim([keyed('r-1')], { says: 'failed' });
    expect(match(question({ claims: [failed] })).findings).toEqual([]);
    const done = event({ correlation: { request: 'r-1' } });
    expect(types(match(question({ claims: [failed], events: [done] })))).toEqual(['result_mismatch']);
  });

  it('calls a success that left nothing a phantom, once a record has passed it', () => {
    const nothing = claim([], { empty: 'nothing of main crossed the wire' });
    expect(match(question({ claims: [nothing] })).findings).toMatchObject([{ type: 'phantom_action' }]);
    expect(match(question({ claims: [nothing], reach: [{ ...whole, watermark: null }] }))).toMatchObject({
      pending: 1,
    });
  });

  it('tells use after close from a hidden effect, within what the clocks allow', () => {
    const late = event({ time: '2026-11-22T12:30:01.000Z' });
    expect(match(question({ events: [late] })).findings).toMatchObject([
      { type: 'use_after_close', severity: 'critical' },
    ]);
    const skewed = { ...whole, skewMs: 2_000 };
    expect(types(match(question({ events: [late], reach: [skewed] })))).toEqual(['hidden_side_effect']);
    const open = { opened: 'a'.repeat(64), begun: begunAt, closed: null };
    expect(types(match(question({ events: [late], task: open })))).toEqual(['hidden_side_effect']);
  });

  it('needs no explanation of a statement whose rows another source of the system has', () => {
    const said = (transaction: string | null, over: object = {}) => {
      const made = event({
        operation: 'SQL UPDATE',
        ...(transaction ? { correlation: { transaction } } : {}),
        ...over,
      });
      return { ...made, ref: { ...made.ref, source: 'log' } };
    };
    const beside = new Map([['log', { source: 'pay', transactions: new Set(['731']) }]]);
    const told = (events: readonly MatchEvent[], reach: readonly Reach[] = [whole]) =>
      match(question({ events, beside, reach: [...reach, { ...whole, source: 'log' }], possible: new Map() }));
    expect(told([said('731')])).toMatchObject({ findings: [], ambient: [{}] });
    expect(told([said('732')]).findings).toMatchObject([{ type: 'ambiguous', severity: 'medium' }]);
    const soon = { ...whole, watermark: '2026-11-22T12:10:00.000Z' };
    expect(told([said('732')], [soon])).toMatchObject({ findings: [], ambient: [] });
    expect(told([said('732', { fields: { rows: 0 } })]).findings).toMatchObject([{ severity: 'low' }]);
    const read = said(null, { activity: 'read', operation: 'SQL SELECT' });
    expect(told([read]).findings).toMatchObject([{ type: 'hidden_side_effect', severity: 'low' }]);
  });

  it('calls what no allowed tool does an excess of scope', () => {
    const made = event({ operation: 'user.created' });
    expect(match(question({ events: [made] })).findings).toMatchObject([
      { type: 'scope_excess', severity: 'critical' },
    ]);
    expect(types(match(question({ events: [made], possible: new Map() })))).toEqual(['hidden_side_effect']);
  });

  it('weighs a look lower than a change, and tells many of one kind once', () => {
    const looks = [1, 2, 3].map(() => event({ operation: 'charge.read', activity: 'read' }));
    const answer = match(question({ events: looks }));
    expect(answer.findings).toMatchObject([{ type: 'hidden_side_effect', severity: 'low', events: looks }]);
  });

  it('sets aside what tools do beside their calls', () => {
    const login = event({ operation: 'login', activity: 'other' });
    const after = event({ operation: 'login', activity: 'other', time: '2026-11-22T12:40:00.000Z' });
    const answer = match(question({ events: [login, after] }));
    expect(answer.ambient).toEqual([login]);
    expect(types(answer)).toEqual(['use_after_close']);
  });

  it('tells what was refused by its reason, many of one kind once', () => {
    const refused = (reason: string | null, uid = 'x') =>
      event({
        status: 'failure',
        operation: 'refused',
        fields: { reason },
        resource: { type: 'r', uid, parent: null },
      });
    const typesOf = (...events: MatchEvent[]) => types(match(question({ events })));
    expect(typesOf(refused('revoked'), refused('revoked', 'y'))).toEqual(['use_after_close']);
    expect(typesOf(refused('repository', 'payroll'), refused('repository'), refused('repository'))).toEqual([
      ...['scope_excess', 'scope_excess'],
    ]);
    expect(typesOf(refused('wrong-secret'))).toEqual(['unknown_credential']);
    expect(typesOf(refused(null))).toEqual(['scope_excess']);
    expect(foreign([event()])).toMatchObject({ type: 'unknown_credential', severity: 'critical' });
    expect(foreign([refused('unknown')])).toMatchObject({ severity: 'high' });
  });
});

const some = <T>(arbitrary: fc.Arbitrary<T>) => fc.array(arbitrary, { maxLength: 8 });
const place = fc.integer({ min: 1, max: 3 });
const arbitrary = fc.record({
  claims: some(
    fc.record({
      places: fc.array(place, { minLength: 1, maxLength: 2 }),
      keyed: fc.boolean(),
      says: fc.constantFrom('done' as const, 'failed' as const, 'unknown' as const),
      open: fc.boolean(),
    }),
  ),
  events: some(
    fc.record({
      at: place,
      keyed: fc.boolean(),
      amount: fc.constantFrom('1', '2'),
      operation: fc.constantFrom('refund.created', 'charge.read', 'login', 'user.created'),
      refused: fc.boolean(),
      late: fc.boolean(),
    }),
  ),
  isPassed: fc.boolean(),
  isCovered: fc.boolean(),
  seed: fc.nat(1000),
});

describe('whatever is asked', () => {
  it('puts each event in one place at the most, and in one unless something is pending', () => {
    fc.assert(
      fc.property(arbitrary, (made) => {
        const { claims, events, reach } = build(made);
        const answer = match(question({ claims, events, reach: [reach] }));
        const all = placed(answer);
        expect(new Set(all).size).toBe(all.length);
        expect(new Set(answer.findings.map(({ subject }) => subject)).size).toBe(answer.findings.length);
        if (answer.pending === 0) expect([...all].sort()).toEqual(events.map(({ ref }) => ref.event).sort());
        if (!made.isPassed) expect(types(answer)).not.toContain('phantom_action');
      }),
      { numRuns: runs },
    );
  });

  it('answers the same in whatever order it is asked', () => {
    fc.assert(
      fc.property(arbitrary, (made) => {
        const { claims, events, reach } = build(made);
        const mixed = <T>(list: readonly T[]) =>
          list
            .map((one, i) => ({ one, key: (i * 7919 + made.seed) % 13 }))
            .sort((a, b) => a.key - b.key)
            .map(({ one }) => one);
        const [plain, other] = [
          { claims, events },
          { claims: mixed(claims), events: mixed(events) },
        ].map((order) => {
          const answer = match(question({ ...order, reach: [reach] }));
          return {
            confirmed: answer.confirmed.map((each) => [each.claim.action, ...each.events.map(({ ref }) => ref.event)]),
            found: answer.findings.map(({ type, subject }) => `${type} ${subject}`).sort(),
            pending: answer.pending,
          };
        });
        expect({ ...other, confirmed: other?.confirmed.sort() }).toEqual({
          ...plain,
          confirmed: plain?.confirmed.sort(),
        });
      }),
      { numRuns: runs },
    );
  });
});

function build({ claims, events, isPassed, isCovered }: typeof arbitrary extends fc.Arbitrary<infer T> ? T : never) {
  const resource = (at: number) => ({ type: 'charge', uid: `ch_${at}`, parent: null });
  return {
    claims: claims.map(({ places, keyed: byKey, says, open }) =>
      claim(
        places.map((at) => {
          const same = [
            { name: 'resource.uid', value: `ch_${at}` },
            { name: 'fields.amount', value: '1' },
          ];
          return byKey ? keyed(`r-${at}`, { same }) : expectation({ same });
        }),
        open ? { says: 'unknown', ended: null } : { says },
      ),
    ),
    events: events.map(({ at, keyed: byKey, amount, operation, refused, late }) =>
      event({
        operation,
        ...(operation === 'charge.read' ? { activity: 'read' as const } : {}),
        ...(refused ? { status: 'failure' as const } : {}),
        ...(late ? { time: '2026-11-22T12:40:00.000Z' } : {}),
        correlation: byKey ? { request: `r-${at}` } : {},
        resource: resource(at),
        fields: { amount },
      }),
    ),
    reach: {
      ...whole,
      watermark: isPassed ? whole.watermark : '2026-11-22T12:10:00.000Z',
      since: isCovered ? null : '2026-11-22T12:10:00.000Z',
    },
  };
}

import type { GitRefEffect, StatementWith } from '@deed/evidence';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { proves } from '../../../tests/promises.ts';
import { foreign, matchTask, type OpenEvent, type Reach } from '../src/match.ts';
import type { ClaimedAction, TaskRecord, UnsettledAction } from '../src/task-record.ts';

const closedAt = '2026-11-22T12:30:00.000Z';
const watermark = '2026-11-22T13:00:00.000Z';
const whole: Reach = { watermark, since: null };
const commit = (n: number) => n.toString(16).padStart(40, '0');
let serial = 0;

function event(over: Partial<OpenEvent> = {}): OpenEvent {
  const name = (++serial).toString(16).padStart(64, '0');
  const push = {
    kind: 'push',
    repository: 'service',
    ref: 'refs/heads/main',
    old: commit(1),
    new: commit(2),
    reason: null,
  };
  return {
    source: 'forge',
    source_event: `pushes:${serial}:${name.slice(-16)}`,
    name,
    batch: 'b'.repeat(64),
    credential: 'c'.repeat(64),
    task: 'tsk',
    time: '2026-11-22T12:10:00.000Z',
    ...push,
    ...over,
  };
}

function claim(
  effects: readonly Partial<GitRefEffect>[],
  over: { readonly status?: string; readonly time?: string } = {},
): ClaimedAction {
  const digest = (++serial).toString(16).padStart(64, 'f');
  const full = effects.map((effect) => ({
    kind: 'git-ref' as const,
    repository: 'service',
    ref: 'refs/heads/main',
    old: commit(1),
    new: commit(2),
    status: 'ok' as const,
    request: null,
    ...effect,
  }));
  const outcome = { digest, time: over.time ?? '2026-11-22T12:10:01.000Z', body: { status: over.status ?? 'ok' } };
  return {
    action: `act_${serial}`,
    begun: '2026-11-22T12:09:59.000Z',
    outcome: outcome as unknown as StatementWith<'outcome'>,
    effects: full,
    expected: [{ ref: 'refs/heads/main', old: commit(1), new: commit(2) }],
  };
}

function task(
  claims: readonly ClaimedAction[],
  closed: string | null = closedAt,
  unsettled: readonly UnsettledAction[] = [],
): TaskRecord {
  const digest = (text: string) => ({ digest: text.repeat(64) }) as never;
  return { opened: digest('a'), closed: closed === null ? null : digest('d'), closedAt: closed, claims, unsettled };
}

const types = (matched: ReturnType<typeof matchTask>) => matched.findings.map(({ type }) => type);

describe('the matcher', () => {
  it('confirms a claim by repository, ref, old and new, and nothing else', () => {
    const seen = event();
    const matched = matchTask(task([claim([{}])]), [seen], new Set(), whole);
    expect(matched.confirmed.map(({ events }) => events)).toEqual([[seen]]);
    expect(matched.findings).toEqual([]);
    for (const other of [
      { ref: 'refs/heads/other' },
      { repository: 'other' },
      { old: commit(7) },
      { new: commit(9) },
    ]) {
      expect(types(matchTask(task([claim([{}])]), [event(other)], new Set(), whole)).sort()).toEqual([
        'hidden_side_effect',
        'phantom_action',
      ]);
    }
  });

  it('confirms a push of several refs only when each of them is recorded', () => {
    const both = claim([{}, { ref: 'refs/heads/next' }]);
    const [one, two] = [event(), event({ ref: 'refs/heads/next' })];
    expect(matchTask(task([both]), [two, one], new Set(), whole).confirmed).toHaveLength(1);
    const half = matchTask(task([both]), [one], new Set(), whole);
    expect(half.confirmed).toEqual([]);
    expect(half.findings).toMatchObject([{ type: 'phantom_action', events: [one] }]);
    const failed = claim([{}, { ref: 'refs/heads/next' }], { status: 'error' });
    expect(matchTask(task([failed]), [one], new Set(), whole).findings).toMatchObject([
      { type: 'phantom_action', events: [one] },
    ]);
  });

  it('counts: two equal records and one claim leave one hidden', () => {
    proves('hidden-found');
    const matched = matchTask(task([claim([{}])]), [event(), event()], new Set(), whole);
    expect(matched.confirmed).toHaveLength(1);
    expect(types(matched)).toEqual(['hidden_side_effect']);
  });

  it('calls nothing phantom before the watermark has passed', () => {
    const waiting = matchTask(task([claim([{}])]), [], new Set(), {
      watermark: '2026-11-22T12:10:00.000Z',
      since: null,
    });
    expect(waiting).toMatchObject({ pending: 1, confirmed: [], findings: [] });
    expect(matchTask(task([claim([{}])]), [], new Set(), { watermark: null, since: null })).toMatchObject({
      pending: 1,
      findings: [],
    });
    expect(types(matchTask(task([claim([{}])]), [], new Set(), whole))).toEqual(['phantom_action']);
  });

  it('calls a success of which nothing crossed the wire a phantom', () => {
    const [finding] = matchTask(task([claim([])]), [], new Set(), whole).findings;
    expect(finding).toMatchObject({ type: 'phantom_action', severity: 'high' });
    expect(finding?.why).toContain('nothing of refs/heads/main crossed the wire');
  });

  it('leaves what may be the first half of a push alone until the record has passed the push', () => {
    const both = claim([{}, { ref: 'refs/heads/next' }]);
    const early: Reach = { watermark: '2026-11-22T12:10:00.500Z', since: null };
    expect(matchTask(task([both]), [event()], new Set(), early)).toEqual({ confirmed: [], findings: [], pending: 1 });
  });

  it('calls a push that is under way neither hidden nor confirmed', () => {
    const updates = [{ repository: 'service', ref: 'refs/heads/main', old: commit(1), new: commit(2) }];
    const under = { action: 'act_x', statement: 'e'.repeat(64), ended: null, updates };
    expect(matchTask(task([], null, [under]), [event()], new Set(), whole)).toEqual({
      ...{ confirmed: [], findings: [], pending: 1 },
    });
    expect(types(matchTask(task([], null, [under]), [event(), event()], new Set(), whole))).toEqual([
      'hidden_side_effect',
    ]);
  });

  it('says of an action with an unknown outcome that it was done, and does not call it hidden', () => {
    const updates = [{ repository: 'service', ref: 'refs/heads/main', old: commit(1), new: commit(2) }];
    const unknown = { action: 'act_x', statement: 'e'.repeat(64), ended: '2026-11-22T12:11:00.000Z', updates };
    const done = event();
    expect(matchTask(task([], closedAt, [unknown]), [done], new Set(), whole).findings).toMatchObject([
      { type: 'ambiguous', events: [done], statements: [unknown.statement] },
    ]);
    expect(matchTask(task([], closedAt, [unknown]), [], new Set(), whole)).toMatchObject({ findings: [], pending: 0 });
  });

  it('contradicts nothing that began before its source was read', () => {
    const late: Reach = { watermark, since: '2026-11-22T12:10:00.500Z' };
    expect(types(matchTask(task([claim([{}])]), [], new Set(), late))).toEqual(['missing_coverage']);
    expect(matchTask(task([claim([{}])]), [event()], new Set(), late).confirmed).toHaveLength(1);
    const after: Reach = { watermark, since: '2026-11-22T12:00:00.000Z' };
    expect(types(matchTask(task([claim([{}])]), [], new Set(), after))).toEqual(['phantom_action']);
  });

  it('does not confirm by a reflog alone, which names no authenticated credential', () => {
    const noted = event({ source_event: 'reflog/service.git/logs/refs/heads/main:0:0123456789abcdef' });
    const matched = matchTask(task([claim([{}])]), [noted], new Set(), whole);
    expect(matched.confirmed).toEqual([]);
    expect(matched.findings).toMatchObject([{ type: 'ambiguous', events: [noted] }]);
    const named = event({ time: '2026-11-22T12:10:00.900Z' });
    expect(matchTask(task([claim([{}])]), [noted, named], new Set(), whole).confirmed).toMatchObject([
      { events: [named] },
    ]);
  });

  it('names each repository that was tried outside the task', () => {
    const tried = ['payroll', 'secrets', 'payroll'].map((repository) =>
      event({ kind: 'refused-access', reason: 'repository', repository, ref: null, old: null, new: null }),
    );
    const matched = matchTask(task([]), tried, new Set(), whole);
    expect(matched.findings.map(({ events }) => events.map(({ repository }) => repository))).toEqual([
      ['payroll', 'payroll'],
      ['secrets'],
    ]);
  });

  it('does not call a failed action a phantom', () => {
    expect(matchTask(task([claim([], { status: 'error' })]), [], new Set(), whole).findings).toEqual([]);
  });

  it('tells use after close from a hidden effect, and an accepted one from a refused one', () => {
    const late = event({ time: '2026-11-22T12:31:00.000Z' });
    expect(matchTask(task([]), [late], new Set(), whole).findings).toMatchObject([
      { type: 'use_after_close', severity: 'critical' },
    ]);
    expect(types(matchTask(task([], null), [late], new Set(), whole))).toEqual(['hidden_side_effect']);
    const refused = [1, 2].map(() =>
      event({ kind: 'refused-access', reason: 'revoked', ref: null, old: null, new: null }),
    );
    expect(matchTask(task([]), refused, new Set(), whole).findings).toMatchObject([
      { type: 'use_after_close', severity: 'medium', events: refused },
    ]);
  });

  it('names a refused repository, a wrong secret and a foreign credential', () => {
    const refused = (reason: string) => event({ kind: 'refused-access', reason, ref: null, old: null, new: null });
    expect(types(matchTask(task([]), [refused('repository')], new Set(), whole))).toEqual(['scope_excess']);
    expect(types(matchTask(task([]), [refused('wrong-secret')], new Set(), whole))).toEqual(['unknown_credential']);
    expect(foreign(event({ task: null }))).toMatchObject({ type: 'unknown_credential', severity: 'critical' });
    expect(foreign(refused('unknown'))).toMatchObject({ type: 'unknown_credential', severity: 'high' });
  });

  it('leaves each event in exactly one place, whatever the order', () => {
    const arbitrary = fc.record({
      claims: fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 5 }),
      events: fc.array(fc.record({ to: fc.integer({ min: 1, max: 4 }), refused: fc.boolean(), late: fc.boolean() }), {
        maxLength: 8,
      }),
      seed: fc.integer(),
    });
    fc.assert(
      fc.property(arbitrary, ({ claims, events, seed }) => {
        const made = events.map(({ to, refused, late }) => {
          const time = late ? '2026-11-22T12:40:00.000Z' : '2026-11-22T12:05:00.000Z';
          return refused
            ? event({ kind: 'refused-access', reason: 'revoked', time })
            : event({ new: commit(to), time });
        });
        const record = task(claims.map((to) => claim([{ new: commit(to) }])));
        const shuffled = made
          .map((one, i) => ({ one, key: (i * 7919 + seed) % 13 }))
          .sort((a, b) => a.key - b.key)
          .map(({ one }) => one);
        const [plain, mixed] = [made, shuffled].map((order) => {
          const matched = matchTask(record, order, new Set(), whole);
          const used = [...matched.confirmed, ...matched.findings].flatMap((part) =>
            part.events.map(({ name }) => name),
          );
          expect([...used].sort()).toEqual(made.map(({ name }) => name).sort());
          return { confirmed: matched.confirmed.length, types: types(matched).sort() };
        });
        expect(mixed).toEqual(plain);
      }),
      { numRuns: process.env.SLOW ? 5000 : 200 },
    );
  });

  it('places no event twice, and leaves out only what something pending may yet explain', () => {
    const to = fc.integer({ min: 1, max: 4 });
    const arbitrary = fc.record({
      claims: fc.array(fc.record({ to: fc.array(to, { maxLength: 3 }), failed: fc.boolean() }), { maxLength: 4 }),
      unsettled: fc.array(fc.record({ to, over: fc.boolean() }), { maxLength: 3 }),
      events: fc.array(fc.record({ to, reflog: fc.boolean() }), { maxLength: 8 }),
      isPassed: fc.boolean(),
      isCovered: fc.boolean(),
    });
    fc.assert(
      fc.property(arbitrary, ({ claims, unsettled, events, isPassed, isCovered }) => {
        const made = events.map(({ to: at, reflog }) =>
          event({ new: commit(at), ...(reflog ? { source_event: `reflog/x:${++serial}:0` } : {}) }),
        );
        const record = task(
          claims.map(({ to: all, failed }) =>
            claim(
              all.map((at) => ({ new: commit(at) })),
              { status: failed ? 'error' : 'ok' },
            ),
          ),
          closedAt,
          unsettled.map(({ to: at, over }) => ({
            action: 'act_u',
            statement: (++serial).toString(16).padStart(64, 'e'),
            ended: over ? '2026-11-22T12:10:01.000Z' : null,
            updates: [{ repository: 'service', ref: 'refs/heads/main', old: commit(1), new: commit(at) }],
          })),
        );
        const reach: Reach = {
          watermark: isPassed ? watermark : '2026-11-22T12:10:00.000Z',
          since: isCovered ? null : '2026-11-22T12:10:00.000Z',
        };
        const { confirmed, findings, pending } = matchTask(record, made, new Set(), reach);
        const placed = [...confirmed, ...findings].flatMap((part) => part.events.map(({ name }) => name));
        expect(new Set(placed).size).toBe(placed.length);
        expect(new Set(findings.map(({ subject }) => subject)).size).toBe(findings.length);
        if (pending === 0) expect(placed.length).toBe(made.length);
        if (!isPassed) expect(findings.map(({ type }) => type)).not.toContain('phantom_action');
        for (const { events: by } of confirmed)
          expect(by.every(({ source_event }) => !source_event.startsWith('reflog/'))).toBe(true);
      }),
      { numRuns: process.env.SLOW ? 5000 : 300 },
    );
  });
});

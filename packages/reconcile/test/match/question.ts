import type { SourceEvent } from '@deed/evidence';
import type { Answer, Claim, Expectation, MatchEvent, Question, Reach } from '../../src/match/claim.ts';

export const begunAt = '2026-11-22T12:00:00.000Z';
export const closedAt = '2026-11-22T12:30:00.000Z';
export const watermark = '2026-11-22T13:00:00.000Z';
let serial = 0;

/** Bits of a question to the matcher, by hand: a payment service `pay` and its refunds. */
export function event(over: Partial<SourceEvent> = {}): MatchEvent {
  serial++;
  const said: SourceEvent = {
    id: `evt-${serial}`,
    time: '2026-11-22T12:10:00.500Z',
    class_uid: 6003,
    activity: 'create',
    operation: 'refund.created',
    status: 'success',
    credential: { kind: 'key', uid: 'crd_a' },
    ...{ principal: null, session: null, network: null },
    correlation: {},
    resource: { type: 'charge', uid: 'ch_1', parent: null },
    fields: { amount: '40.00' },
    ...over,
  };
  const ref = { source: 'pay', batch: 'b'.repeat(64), event: serial.toString(16).padStart(64, '0') };
  return { ref, credential: 'c'.repeat(64), event: said, at: Date.parse(said.time), readAt: null };
}

export function expectation(over: Partial<Expectation> = {}): Expectation {
  return {
    sources: ['pay'],
    operations: ['refund.created'],
    count: { min: 1, max: 1 },
    window: { beforeMs: 0, afterMs: 5_000 },
    key: null,
    same: [
      { name: 'resource.uid', value: 'ch_1' },
      { name: 'fields.amount', value: '40.00' },
    ],
    near: [],
    proof: null,
    text: 'a refund of ch_1',
    ...over,
  };
}

export function keyed(request: string, over: Partial<Expectation> = {}): Expectation {
  return expectation({ key: [{ name: 'correlation.request', value: request }], ...over });
}

export function claim(expected: readonly Expectation[], over: Partial<Claim> = {}): Claim {
  serial++;
  return {
    action: `act_${serial}`,
    statement: serial.toString(16).padStart(64, 'f'),
    begun: '2026-11-22T12:10:00.000Z',
    ended: '2026-11-22T12:10:01.000Z',
    says: 'done',
    expected,
    ...{ empty: null, contract: null },
    ...over,
  };
}

export const whole: Reach = { source: 'pay', watermark, since: null, skewMs: 0, gaps: [] };

export function question(over: Partial<Question> = {}): Question {
  return {
    task: { opened: 'a'.repeat(64), begun: begunAt, closed: { digest: 'd'.repeat(64), time: closedAt } },
    ...{ claims: [], judged: [] },
    events: [],
    reach: [whole],
    possible: new Map([['pay', new Set(['refund.created', 'charge.read'])]]),
    ambient: new Map([['pay', new Set(['login'])]]),
    ...over,
  };
}

export const types = ({ findings }: Answer): string[] => findings.map(({ type }) => type);

/** Every event that an answer puts somewhere. */
export function placed({ confirmed, findings, ambient }: Answer): readonly string[] {
  const events = [...confirmed, ...findings].flatMap((part) => part.events);
  return [...events, ...ambient].map(({ ref }) => ref.event);
}

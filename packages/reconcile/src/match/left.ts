import type { Board } from './board.ts';
import type { Claim, MatchEvent, NewFinding, Question } from './claim.ts';
import { standing, windowOf } from './compare.ts';
import * as tell from './tell.ts';

/** What is to be said of the events that no action explains. One that an action under way may yet explain is left alone. */
export function judgeLeft(
  question: Question,
  board: Board,
  pending: ReadonlySet<Claim>,
  wrong: ReadonlySet<MatchEvent>,
): { readonly findings: readonly NewFinding[]; readonly ambient: readonly MatchEvent[] } {
  const findings: NewFinding[] = [];
  const ambient: MatchEvent[] = [];
  const looks: MatchEvent[] = [];
  const refused: MatchEvent[] = [];
  const adrift: MatchEvent[] = [];
  const besides = question.beside ?? new Map();
  for (const each of board.left()) {
    const { event, ref, at } = each;
    const closed = question.task.closed;
    const skewMs = board.reach.get(ref.source)?.skewMs ?? 0;
    const isLate = closed !== null && at > Date.parse(closed.time) + skewMs;
    const possible = question.possible.get(ref.source);
    if (wrong.has(each)) adrift.push(each);
    else if (event.status === 'failure') refused.push(each);
    else if (isLate) findings.push(tell.afterClose(each, closed));
    else if (question.ambient.get(ref.source)?.has(event.operation)) ambient.push(each);
    else if (mayBe(each, pending, board)) continue;
    else if (event.activity !== 'read' && besides.has(ref.source)) {
      const stands = standingBeside(each, question, board);
      if (stands === 'there') ambient.push(each);
      else if (stands === 'nothing') looks.push(each);
      else if (stands === 'gone') findings.push(tell.withoutRows(each, besides.get(ref.source)?.source ?? ''));
    } else if (possible && !possible.has(event.operation)) findings.push(tell.outOfScope(each));
    else {
      const claim = board.repeated(each);
      if (claim) findings.push(tell.repeated(each, claim));
      else if (event.activity === 'read') looks.push(each);
      else findings.push(tell.hidden(each, question.task.opened));
    }
  }
  const alike = Map.groupBy(looks, ({ ref, event }) =>
    JSON.stringify([ref.source, event.operation, event.resource?.parent]),
  );
  for (const group of alike.values()) findings.push(tell.looked(group, question.task.opened));
  for (const group of Map.groupBy(refused, refusalOf).values()) findings.push(tell.refused(group, question.task));
  for (const group of Map.groupBy(adrift, ({ ref }) => ref.source).values())
    findings.push(tell.adrift(group, question.task));
  return { findings, ambient };
}

/** What became of a statement, as the source of the changes has it: `waiting` until that one is read past it. */
function standingBeside(
  { ref, event, at }: MatchEvent,
  { beside }: Question,
  board: Board,
): 'there' | 'nothing' | 'gone' | 'waiting' {
  const { source, transactions } = beside?.get(ref.source) ?? { source: '', transactions: new Set<string>() };
  const { transaction } = event.correlation;
  if (transaction !== undefined && transactions.has(transaction)) return 'there';
  if (event.fields.rows === 0) return 'nothing';
  const { watermark = null, skewMs = 0 } = board.reach.get(source) ?? {};
  return watermark === null || Date.parse(watermark) <= at + skewMs ? 'waiting' : 'gone';
}

/** True if an action of which not all is known may be what it belongs to. */
function mayBe({ ref, event, at }: MatchEvent, pending: ReadonlySet<Claim>, board: Board): boolean {
  for (const claim of pending) {
    for (const expectation of claim.expected) {
      if (!expectation.sources.includes(ref.source) || !expectation.operations.includes(event.operation)) continue;
      if (expectation.key) continue;
      if (standing(claim, expectation, board.reach) !== 'waiting') continue;
      const { from, to } = windowOf(claim, expectation, board.reach.get(ref.source)?.skewMs ?? 0);
      if (from <= at && (claim.ended === null || at <= to)) return true;
    }
  }
  return false;
}

/** Refusals of one kind are one finding; a refused resource is named by its own. */
function refusalOf({ ref, event, credential }: MatchEvent): string {
  const { reason = null } = event.fields;
  return JSON.stringify([
    ref.source,
    credential,
    event.operation,
    reason,
    reason === 'revoked' ? null : event.resource?.uid,
  ]);
}

import { misdated, reachBeside } from './adrift.ts';
import { findAlike, type Seeker } from './alike.ts';
import { Board } from './board.ts';
import type { Answer, Claim, Confirmation, MatchEvent, NewFinding, Question } from './claim.ts';
import { standing } from './compare.ts';
import { type Found, findExact } from './exact.ts';
import { judgeLeft } from './left.ts';
import { nearestOf } from './nearest.ts';
import * as tell from './tell.ts';

/** Name and version of these rules, as `reconciled` states them. */
export const rules = 'deed-match/2';

/**
 * Holds what a task's receipts claim against what the systems recorded under its credentials (docs/formats/reconciliation.md). Pure: the
 * same question has the same answer, whatever the order of its parts. In this order: ids, content and time, counts of what is alike,
 * and then what nothing explains. What records or outcomes to come may yet explain is left for a later run.
 */
export function match(question: Question): Answer {
  const run = new Run(question);
  for (const claim of run.claims) run.byId(claim);
  run.byContent();
  return run.conclude();
}

class Run {
  readonly claims: readonly Claim[];
  private readonly question: Question;
  private readonly board: Board;
  private readonly wrong: ReadonlySet<MatchEvent>;
  private readonly confirmed: Confirmation[] = [];
  private readonly findings: NewFinding[] = [];
  /** What was found by id of actions of which more is to be found by content. */
  private readonly partial = new Map<Claim, Found[]>();
  private readonly pendingClaims = new Set<Claim>();

  constructor(question: Question) {
    this.question = question;
    this.claims = [...question.claims].sort((a, b) => compare(a.begun, b.begun) || compare(a.statement, b.statement));
    this.wrong = misdated(question);
    this.board = new Board(question.events, reachBeside(question.reach, this.wrong));
    for (const { claim, events } of question.judged)
      for (const expectation of claim.expected)
        this.board.remember(
          claim,
          expectation,
          events.filter(({ event }) => expectation.operations.includes(event.operation)),
        );
  }

  byId(claim: Claim): void {
    if (claim.expected.length === 0) {
      if (claim.says === 'done' && claim.empty !== null) this.nothing(claim);
      else if (claim.says === 'unknown' && claim.ended === null) this.pendingClaims.add(claim);
      return;
    }
    const found = findExact(this.board, claim);
    if (found.length === claim.expected.length) this.judge(claim, found, 'exact');
    else this.partial.set(claim, [...found]);
  }

  byContent(): void {
    const seekers = [...this.partial.keys()].flatMap((claim) =>
      claim.expected.flatMap((expectation): Seeker[] => (expectation.key ? [] : [{ claim, expectation }])),
    );
    const blurred = new Map<Claim, 'compared' | 'counted'>();
    const unsure = new Set<Claim>();
    for (const group of findAlike(this.board, seekers)) {
      const all = group.seekers.every(
        (seeker) => group.pairs.has(seeker) || seeker.expectation.count.min === 0 || seeker.claim.says === 'failed',
      );
      // Some of the equal actions happened, and nothing says which: nobody is accused, and nobody confirmed.
      if (!all && group.events.length > 0 && group.seekers.length > 1) {
        this.shortOf(group.seekers, group.events, unsure);
        continue;
      }
      for (const seeker of group.seekers) {
        const events = group.pairs.get(seeker) ?? [];
        this.board.take(events);
        this.partial.get(seeker.claim)?.push({ expectation: seeker.expectation, events, differ: [], unproven: false });
        if (group.seekers.length > 1) blurred.set(seeker.claim, 'counted');
      }
    }
    for (const [claim, found] of this.partial) {
      if (!unsure.has(claim)) this.judge(claim, found, blurred.get(claim) ?? 'compared');
    }
  }

  conclude(): Answer {
    const { findings, ambient } = judgeLeft(this.question, this.board, this.pendingClaims, this.wrong);
    return {
      confirmed: this.confirmed,
      findings: [...this.findings, ...findings],
      ambient,
      pending: this.pendingClaims.size,
    };
  }

  /** What the events that were found, and those that were not, say of an action. */
  private judge(claim: Claim, found: readonly Found[], how: Confirmation['how']): void {
    const events = found.flatMap((each) => each.events);
    const short = found.filter((each) => each.events.length < each.expectation.count.min);
    if (claim.says === 'unknown') this.settle(claim, events, short.length === 0);
    else if (claim.says === 'failed') this.failed(claim, found, events, how);
    else if (short.length > 0) this.missing(claim, found, short, events);
    else this.agree(claim, found, events, how);
  }

  /** The system refused what is reported as failed, or did it all the same. */
  private failed(claim: Claim, found: readonly Found[], events: readonly MatchEvent[], how: Confirmation['how']): void {
    const done = events.filter(({ event }) => event.status !== 'failure');
    if (done.length > 0) this.findings.push(tell.doneThough(claim, events));
    else if (events.length > 0) this.agree(claim, found, events, how);
  }

  private agree(claim: Claim, found: readonly Found[], events: readonly MatchEvent[], how: Confirmation['how']): void {
    const differing = found.filter(({ differ }) => differ.length > 0);
    if (differing.length > 0) {
      this.findings.push(tell.mismatch(claim, differing, events));
    } else if (found.some(({ unproven }) => unproven)) {
      this.findings.push(tell.unproven(claim, found, events));
    } else if (events.length > 0) {
      const key = found.flatMap(({ expectation }) => (expectation.key ?? expectation.same).map(({ name }) => name));
      this.confirmed.push({ claim, events, how, key: [...new Set(key.length > 0 ? key : ['operation'])] });
    }
    for (const { expectation, events: own } of found) this.board.remember(claim, expectation, own);
  }

  private missing(claim: Claim, found: readonly Found[], short: readonly Found[], events: readonly MatchEvent[]): void {
    const stands = short.map(({ expectation }) => standing(claim, expectation, this.board.reach));
    if (stands.includes('waiting')) {
      this.pendingClaims.add(claim);
      return;
    }
    const [uncovered] = stands.flatMap((each) => (typeof each === 'object' ? [each.uncovered] : []));
    if (uncovered !== undefined) {
      this.findings.push(tell.notCovered(claim, events, uncovered));
      return;
    }
    const near = nearestOf(this.board, claim, short);
    if (near?.sure) {
      this.board.take(near.events);
      this.findings.push(tell.mismatch(claim, [near], [...events, ...near.events]));
    } else if (near) {
      this.board.take(near.events);
      this.findings.push(tell.unlike(claim, near, [...events, ...near.events]));
    } else {
      this.findings.push(tell.phantom(claim, found, events));
    }
  }

  private nothing(claim: Claim): void {
    const waits = [...this.board.reach.values()].some(
      ({ watermark }) => claim.ended === null || watermark === null || watermark <= claim.ended,
    );
    if (waits || this.board.reach.size === 0) this.pendingClaims.add(claim);
    else this.findings.push(tell.nothingLeft(claim));
  }

  /** Nobody on our side knows what came of it: what the records say is told, and confirms nothing. */
  private settle(claim: Claim, events: readonly MatchEvent[], isWhole: boolean): void {
    const waits = claim.expected.some((expectation) => standing(claim, expectation, this.board.reach) === 'waiting');
    if (waits) this.pendingClaims.add(claim);
    else if (events.length > 0) this.findings.push(tell.unknownAndDone(claim, events, isWhole));
  }

  /** Fewer records than equal actions. */
  private shortOf(seekers: readonly Seeker[], events: readonly MatchEvent[], unsure: Set<Claim>): void {
    const claims = [...new Set(seekers.map(({ claim }) => claim))].filter((claim) => !unsure.has(claim));
    for (const claim of claims) unsure.add(claim);
    this.board.take(events);
    const stands = seekers.map(({ claim, expectation }) => standing(claim, expectation, this.board.reach));
    const uncovered = stands.find((each) => typeof each === 'object')?.uncovered;
    if (stands.includes('waiting')) for (const claim of claims) this.pendingClaims.add(claim);
    else if (uncovered !== undefined)
      for (const [i, claim] of claims.entries())
        this.findings.push(tell.notCovered(claim, i === 0 ? events : [], uncovered));
    else if (claims.length > 0) this.findings.push(tell.fewer(claims, events));
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

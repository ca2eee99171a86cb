import { EvidenceError } from '../errors.ts';
import type { CitedAgent } from '../predicates.ts';
import type { StatementWith } from '../statement.ts';
import { type Examination, type HeldHop, type Logged, label, need } from './examination.ts';

export type Opened = Logged<StatementWith<'task-opened'>>;

/** Who acts in a task, and the hops by which it may, from the first on; none for the task's own agent. */
export interface Actor {
  readonly opened: Opened;
  readonly agent: CitedAgent | null;
  readonly hops: readonly HeldHop[];
}

/** The opening of the task that a statement is of. @throws EvidenceError case */
export function openedOf(exam: Examination, { statement }: Logged): Opened {
  const { position } = statement;
  if (!('task' in position)) throw new EvidenceError('case', 'it is of no task');
  const opened = exam.series.get(position.task)?.[0];
  if (opened?.statement.predicate !== 'task-opened') throw new EvidenceError('case', 'its task-opened is not here');
  return opened as Opened;
}

/** The one to whom a chain of hops leads: each accepted, before, in this task, each by the one before. @throws EvidenceError case */
export function actorOf(exam: Examination, logged: Logged, chain: readonly string[]): Actor {
  const opened = openedOf(exam, logged);
  const last = chain.at(-1);
  if (last === undefined) return { opened, agent: opened.statement.body.agent, hops: [] };
  const held = exam.hops.get(last);
  if (!held) throw new EvidenceError('case', `nobody accepted a hop ${last} in this task`);
  const hops = lineOf(held);
  need(held.accepted.statement.series === opened.statement.series, 'its hop is of another task');
  need(hops.map(({ accepted }) => accepted.statement.digest).join() === chain.join(), 'its chain leaves out a hop');
  need(held.accepted.index < logged.index, 'its hop was accepted later');
  return { opened, agent: held.hop.statement.body.delegate, hops };
}

/** A hop behind those that lead to it. */
export function lineOf(held: HeldHop): readonly HeldHop[] {
  return held.parent ? [...lineOf(held.parent), held] : [held];
}

/** Everybody in the chain: the task's own agent, then each delegate. */
export function partiesOf({ opened, hops }: Actor): readonly CitedAgent[] {
  const own = opened.statement.body.agent;
  return [...(own ? [own] : []), ...hops.map(({ hop }) => hop.statement.body.delegate)];
}

/** Why nothing may be done in this chain at a log index: a hop that was ended, somebody who was revoked. Null if it may. */
export function whyDead(exam: Examination, actor: Actor, index: number): string | null {
  for (const { hop } of actor.hops) {
    const end = exam.all('hop-ended').find(({ statement }) => statement.body.hop === hop.statement.digest);
    if (end && end.index < index) return `${label(hop)} was ended`;
  }
  const revoked = partiesOf(actor).find(({ id }) => wasRevoked(exam, id, index));
  return revoked ? (revoked === actor.agent ? 'its agent was revoked' : `${revoked.id}, above it, was revoked`) : null;
}

export function wasRevoked(exam: Examination, agent: string, before: number): boolean {
  return exam.all('revoked').some(({ index, statement }) => index < before && statement.body.id === agent);
}

import { members, payloadOfMember } from '../case/members.ts';
import { parseHold } from '../hold.ts';
import { type Tier, tiers } from '../predicates.ts';
import type { StatementWith } from '../statement.ts';
import { openWord } from '../word.ts';
import { type Examination, type Logged, label, need } from './examination.ts';
import { enrolled, standingOf } from './standing.ts';

type Erased = Logged<StatementWith<'erased'>>;
type Hold = Logged<StatementWith<'hold'>>;

const dayMs = 86_400_000;

/** What was destroyed on purpose, by whom and when: of a closed task, while no hold protected it, and really gone. */
export function checkErasures(exam: Examination): string | null {
  const inForce = new Map<string, Set<string>>();
  const ended = new Set<string>();
  for (const logged of exam.statements) {
    const { statement } = logged;
    const holds = inForce.get(statement.series) ?? new Set();
    inForce.set(statement.series, holds);
    if (statement.predicate === 'hold') {
      exam.attempt(label(logged), () => checkHold(exam, logged as Hold, holds, ended));
    }
    if (statement.predicate === 'erased') {
      exam.attempt(label(logged), () => checkErased(exam, logged as Erased, holds));
    }
  }
  checkGone(exam);
  return `${exam.all('erased').length} erasures, ${exam.all('hold').length} words of holds`;
}

/** Signed by an operator over exactly this; a hold begins once and ends once. */
function checkHold(exam: Examination, logged: Hold, holds: Set<string>, ended: Set<string>): void {
  const { body, origin, position } = logged.statement;
  const word = parseHold(openWord('deed-hold-v1', body.word));
  need(word.origin === origin && 'task' in position && word.task === position.task, 'the word is about another task');
  need(word.hold === body.hold && word.act === body.act, 'the word is about another hold, or says the contrary');
  need(word.person === body.person && word.reason === body.reason, 'another person signed, or for another reason');
  enrolled(exam, word.person, body.word, 'operator', logged.index);
  if (body.act === 'placed') {
    need(!holds.has(body.hold) && !ended.has(body.hold), 'this hold was placed before: an old word was used again');
    holds.add(body.hold);
  } else {
    need(holds.delete(body.hold), 'releases a hold that is not in force');
    ended.add(body.hold);
  }
}

/** A statement that passes here is believed: from then on the names in it count as erased. */
function checkErased(exam: Examination, logged: Erased, holds: ReadonlySet<string>): void {
  const { body, position } = logged.statement;
  if (!('task' in position)) return; // of payloads of no task: says nothing about this case
  need(logged.index < (exam.exported?.index ?? 0), 'stands behind the export');
  const closed = exam.series.get(position.task)?.find(({ statement }) => statement.predicate === 'task-closed');
  need(closed !== undefined && closed.index < logged.index, 'its task was open');
  need(holds.size === 0, `${[...holds].join()} was in force`);
  if (body.by.kind === 'person') checkOrderedBy(exam, logged, body.by.person);
  else checkRetention(exam, logged, closed?.statement.time ?? '', body.by);
  const copies = copiesOf(exam, logged);
  need(copies.join() === body.copies.join(), 'names other exported cases than those that hold copies');
  for (const payload of body.payloads) if (!exam.erased.has(payload)) exam.erased.set(payload, logged);
}

function checkOrderedBy(exam: Examination, { index }: Erased, person: string): void {
  const { standing } = standingOf(exam, person, index);
  need(standing.roles.includes('operator'), 'the person is no operator');
}

/** The rule is that of the highest tier among the task's intents, and its time had come. */
function checkRetention(
  exam: Examination,
  { statement }: Erased,
  closed: string,
  { tier, days }: { readonly tier: Tier; readonly days: number },
): void {
  const task = 'task' in statement.position ? statement.position.task : '';
  const ranks = exam
    .all('intent')
    .flatMap((intent) => (intent.statement.series === task ? [tiers.indexOf(intent.statement.body.tier)] : []));
  need(tiers.indexOf(tier) === Math.max(0, ...ranks), `retention of tier ${tier} is not that of its actions`);
  need(Date.parse(statement.time) >= Date.parse(closed) + days * dayMs, 'its time of retention had not passed');
}

/** The cases exported before it that hold any of what it destroyed. */
function copiesOf(exam: Examination, { index, statement }: Erased): string[] {
  const gone = new Set(statement.body.payloads);
  return exam.all('case-exported').flatMap((exported) => {
    if (exported.index > index || exported.statement.series !== statement.series) return [];
    const { body } = exported.statement;
    return body.members.some(({ name }) => gone.has(payloadOfMember(name) ?? '')) ? [body.case] : [];
  });
}

/** What is called erased or left out is not here. */
function checkGone(exam: Examination): void {
  for (const name of exam.members.keys()) {
    const erased = exam.erased.get(payloadOfMember(name) ?? '');
    if (erased) exam.forged(`${label(erased)}: ${name} is here all the same`);
  }
  for (const { payload, how } of exam.exported?.statement.body.left ?? []) {
    if (exam.members.has(members.payload(payload))) exam.forged(`payload ${payload} is called ${how}, and is here`);
    if (how !== 'erased' && exam.erased.has(payload))
      exam.forged(`payload ${payload} is called ${how}, although it was erased`);
  }
}

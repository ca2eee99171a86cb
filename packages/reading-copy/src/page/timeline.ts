import { answers, type Child, el, exact, fold, paged, section } from './dom.ts';
import { type HeldCase, type HeldStatement, textIn } from './read-case.ts';
import { tell } from './tell.ts';

const statementsAtOnce = 100;

/** Every statement in the order of the log. */
export function timelineSection(held: HeldCase): HTMLElement | null {
  const { statements } = held;
  if (statements.length === 0) return null;
  return section('timeline', `Timeline (${statements.length} statements)`, paged(statements, statementsAtOnce, row));
}

function row(entry: HeldStatement): HTMLElement {
  const { index, statement, problem, member } = entry;
  const place = el('span', { class: 'index' }, index === null ? 'export' : String(index));
  if (!statement) {
    return fold([place, el('b', {}, 'cannot be read')], () => [el('p', {}, `${member}: ${problem ?? ''}`)], {
      kind: 'entry',
    });
  }
  const summary: Child[] = [
    place,
    el('time', {}, statement.time.replace('T', ' ').replace('Z', '')),
    el('b', {}, statement.predicate),
    el('span', { class: 'tell' }, tell(statement)),
  ];
  return fold(
    summary,
    () => [
      answers([
        ['Series', `${statement.series}, number ${statement.position.n}`],
        ['Observed', statement.observed],
        ['Subject', statement.subject.name],
        ['Digest', el('code', {}, statement.digest)],
        ['Statement before it', el('code', {}, statement.prev)],
      ]),
      el('h3', {}, 'The exact statement'),
      exact(textIn(statement.payload) ?? ''),
    ],
    { kind: 'entry' },
  );
}

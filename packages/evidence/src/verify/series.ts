import { noPredecessor } from '../statement-form.ts';
import { type Examination, type Logged, label } from './examination.ts';

/** Numbers without a gap, each bound to the one before, indexes rising, up to the head that the export states. */
export function checkSeries(exam: Examination): string | null {
  const heads = new Map(exam.exported?.statement.body.heads.map((head) => [head.series, head]));
  for (const [name, entries] of exam.series) {
    const ordered = [...entries].sort((a, b) => a.statement.position.n - b.statement.position.n);
    checkLinks(exam, name, ordered);
    const last = ordered.at(-1);
    const head = heads.get(name);
    heads.delete(name);
    if (!last || name === exam.exported?.statement.series) continue; // its head is the export itself
    if (!head) exam.forged(`the export states no head of series ${name}`);
    else if (last.statement.position.n < head.n)
      exam.incomplete(`series ${name} ends at ${last.statement.position.n}, its head is ${head.n}`);
    else if (last.statement.digest !== head.digest)
      exam.forged(`series ${name} has another head than the export states`);
  }
  for (const name of heads.keys()) exam.incomplete(`series ${name} has a head but no statement here`);
  const after = exam.exported && exam.series.get(exam.exported.statement.series);
  if (after?.some(({ statement }) => statement.position.n > (exam.exported?.statement.position.n ?? 0))) {
    exam.forged('the export is not the newest statement of its series');
  }
  return `${exam.series.size} series`;
}

/** Series that a case holds from their beginning. */
function isWhole(name: string): boolean {
  return name === 'keys' || name === 'people' || name.startsWith('tsk_');
}

/** Numbers, `prev` and log indexes of the statements of one series, in their order. */
export function checkLinks(exam: Examination, name: string, ordered: readonly Logged[]): void {
  const first = ordered[0];
  if (!first) return;
  if (isWhole(name) && first.statement.position.n !== 0)
    exam.incomplete(`series ${name} begins at ${first.statement.position.n}`);
  if (first.statement.position.n === 0) {
    const opened = exam.series
      .get(name.replace('/after', ''))
      ?.find(({ statement }) => statement.predicate === 'task-opened');
    const expected = name.endsWith('/after') ? opened?.statement.digest : noPredecessor;
    if (expected === undefined) exam.incomplete(`series ${name}: its task-opened is not here`);
    else if (first.statement.prev !== expected)
      exam.forged(`${label(first)}: prev is not what the first of a series has`);
  }
  for (let i = 1; i < ordered.length; i++) {
    const [before, here] = [ordered[i - 1], ordered[i]];
    if (!before || !here) continue;
    const step = here.statement.position.n - before.statement.position.n;
    if (step === 0) exam.forged(`${label(here)}: a second statement with this number`);
    else if (step > 1)
      exam.incomplete(
        `series ${name}: nothing between ${before.statement.position.n} and ${here.statement.position.n}`,
      );
    else if (here.statement.prev !== before.statement.digest)
      exam.forged(`${label(here)}: prev is not the statement before it`);
    if (here.index <= before.index) exam.forged(`${label(here)}: stands in the log before its predecessor`);
  }
}

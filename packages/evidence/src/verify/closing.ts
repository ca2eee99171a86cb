import { parseEffects } from '../action-record.ts';
import { outputsOf } from '../outputs.ts';
import type { StatementWith } from '../statement.ts';
import { type Examination, type Logged, label } from './examination.ts';

/** Each task of the case is closed, and its closing counts what is there. */
export function checkClosing(exam: Examination): string | null {
  for (const task of exam.json?.tasks ?? []) {
    const seq = [...(exam.series.get(task) ?? [])].sort((a, b) => a.statement.position.n - b.statement.position.n);
    const last = seq.at(-1);
    if (!last) exam.incomplete(`task ${task} has no statement here`);
    else if (last.statement.predicate !== 'task-closed') exam.incomplete(`task ${task} is not closed`);
    else if (last.statement.body.count !== last.statement.position.n + 1)
      exam.forged(`${label(last)}: counts another number of statements`);
    if (seq.slice(0, -1).some(({ statement }) => statement.predicate === 'task-closed'))
      exam.forged(`task ${task} goes on after its closing`);
    if (last?.statement.predicate !== 'task-closed') continue;
    checkOutputs(exam, last as Logged<StatementWith<'task-closed'>>, seq);
    checkDebts(exam, last as Logged<StatementWith<'task-closed'>>, seq[0]);
    const ended = new Set(
      seq.flatMap(({ statement }) =>
        statement.predicate === 'outcome'
          ? [statement.body.intent]
          : statement.predicate === 'refusal' && statement.body.reason !== 'proof-replayed'
            ? [statement.body.cites]
            : [],
      ),
    );
    const open = seq
      .filter(({ statement }) => statement.predicate === 'intent' && !ended.has(statement.digest))
      .map(({ statement }) => statement.digest);
    if (open.sort().join() !== [...last.statement.body.open].sort().join())
      exam.forged(`${label(last)}: names other open intents`);
  }
  for (const name of exam.series.keys()) {
    const task = name.replace('/after', '');
    if (name.startsWith('tsk_') && !exam.json?.tasks.includes(task))
      exam.forged(`statements of task ${task}, which is not of this case`);
  }
  return `${exam.json?.tasks.length ?? 0} task`;
}

/** The closing, which receipts show, owns up to the static secrets that the opening lists. */
function checkDebts(exam: Examination, closed: Logged<StatementWith<'task-closed'>>, opened: Logged | undefined): void {
  if (opened?.statement.predicate !== 'task-opened') return;
  const { credentials } = opened.statement.body;
  const debts = credentials.filter(({ debt }) => debt === 'static').map(({ broker }) => broker);
  if (debts.join('\n') !== closed.statement.body.debts.join('\n'))
    exam.forged(`${label(closed)}: names other static secrets than the task was opened with`);
}

/** An output that names a git ref was seen to happen by an outcome of the task, and is the last that was. */
function checkOutputs(exam: Examination, closed: Logged<StatementWith<'task-closed'>>, seq: readonly Logged[]): void {
  const seen = new Map<string, string>();
  let readable = true;
  for (const { statement } of seq) {
    if (statement.predicate !== 'outcome' || !statement.body.effects) continue;
    const bytes = exam.payload(statement.body.effects);
    if (!bytes) readable = false; // withheld: the check `payloads` says so
    const outputs = bytes && exam.attempt(label(closed), () => outputsOf(parseEffects(bytes)));
    for (const { name, digest } of outputs ?? []) seen.set(name, JSON.stringify(digest));
  }
  if (!readable) return;
  const listed = new Map(closed.statement.body.outputs.map(({ name, digest }) => [name, JSON.stringify(digest)]));
  for (const [name, digest] of listed) {
    if (name.startsWith('git:') && seen.get(name) !== digest)
      exam.forged(`${label(closed)}: no outcome delivered ${name} as it says`);
  }
  for (const name of seen.keys())
    if (!listed.has(name)) exam.forged(`${label(closed)}: does not list ${name}, which was delivered`);
}

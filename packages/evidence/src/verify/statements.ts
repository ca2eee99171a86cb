import { indexOfStatement } from '../case/members.ts';
import { decodeEnvelope } from '../dsse.ts';
import { parseStatement } from '../statement.ts';
import { type Examination, type Logged, label } from './examination.ts';
import { misfitOf, toldElsewhere } from './subjects.ts';

/** Reads each envelope and statement, in the order of the log, and sorts them into their series. */
export function checkStatements(exam: Examination): string | null {
  if (!exam.exported) return null;
  const found: Logged[] = [];
  for (const [name, bytes] of exam.members) {
    const index = indexOfStatement(name);
    if (index === undefined) continue;
    const envelope = exam.attempt(name, () => decodeEnvelope(bytes));
    const statement = envelope && exam.attempt(name, () => parseStatement(envelope.payload));
    if (envelope && statement) found.push({ index, envelope, statement });
  }
  found.push(exam.exported);
  found.sort((a, b) => a.index - b.index);
  for (const logged of found) {
    const { statement } = logged;
    if (statement.origin !== exam.exported.statement.origin) exam.forged(`log index ${logged.index}: another origin`);
    if (exam.byDigest.has(statement.digest)) exam.forged(`log index ${logged.index}: the same statement twice`);
    exam.byDigest.set(statement.digest, logged);
    const misfit = misfitOf(statement);
    if (misfit) exam.forged(`${label(logged)}: ${misfit}`);
    const series = exam.series.get(statement.series) ?? [];
    series.push(logged);
    exam.series.set(statement.series, series);
  }
  exam.lay(found);
  for (const logged of found) {
    const { sha256 } = logged.statement.subject;
    if ((toldElsewhere(exam, logged) ?? sha256) !== sha256)
      exam.forged(`${label(logged)}: its subject is not what it is about`);
  }
  return `${found.length} statements in ${exam.series.size} series`;
}

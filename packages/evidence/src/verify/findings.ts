import { parseFindingWord } from '../finding-word.ts';
import type { StatementWith } from '../statement.ts';
import { openWord } from '../word.ts';
import { type Examination, type Logged, label, need } from './examination.ts';
import { enrolled } from './standing.ts';

type Changed = Logged<StatementWith<'finding-changed'>>;

/** What became of findings: by the signed word of an operator, or because a system's record confirms since what was missing. */
export function checkFindings(exam: Examination): string | null {
  const findings = new Map(exam.all('finding').map((logged) => [logged.statement.body.finding, logged]));
  const used = new Set<string>();
  for (const logged of exam.all('finding-changed')) {
    exam.attempt(label(logged), () => {
      const { body, series } = logged.statement;
      const finding = findings.get(body.finding);
      need(finding !== undefined && finding.index < logged.index, 'changes a finding that is not before it');
      need(finding?.statement.series === series, 'changes a finding about something else');
      if (body.by === null) checkSuperseded(exam, logged, finding?.statement.body.statements ?? []);
      else checkSaid(exam, logged, used);
      exam.findingStates.set(body.finding, { state: body.state, until: body.until });
    });
  }
  return `${findings.size} findings, ${exam.all('finding-changed').length} changes`;
}

/** Signed by an operator over exactly this; a word counts once. */
function checkSaid(exam: Examination, logged: Changed, used: Set<string>): void {
  const { body, origin } = logged.statement;
  need(body.word !== null && body.cites === null && body.state !== 'superseded', 'no person may say this');
  if (!body.word) return;
  const word = parseFindingWord(openWord('deed-finding-v1', body.word));
  need(word.origin === origin && word.finding === body.finding, 'the word is about another finding');
  need(word.state === body.state && word.until === body.until, 'the word says something else');
  need(word.person === body.by && word.reason === body.reason, 'another person signed, or for another reason');
  need(!used.has(body.word.bytes), 'an old word was used again');
  used.add(body.word.bytes);
  enrolled(exam, word.person, body.word, 'operator', logged.index);
}

/** A later confirmation of the very outcome that the finding contradicts. */
function checkSuperseded(exam: Examination, logged: Changed, statements: readonly string[]): void {
  const { body } = logged.statement;
  need(body.word === null && body.state === 'superseded' && body.until === null, 'the server may not say this');
  const confirmed = exam.find(body.cites, 'confirmed');
  need(confirmed !== undefined && confirmed.index < logged.index, 'what is said to explain it is not before it');
  need(
    statements.includes(confirmed?.statement.body.outcome ?? ''),
    'what is said to explain it is about another action',
  );
}
